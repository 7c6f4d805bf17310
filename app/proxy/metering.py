"""The usage of calls, read out of their answers while these pass. Nothing of an answer is changed, held back or kept.

Answers of channels are looked at anyhow; what is not, and the answers of mappings, a stage shows to an observer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from app.core.errors import EndedByOperator, GatewayError
from app.core.money.amounts import NANO
from app.core.money.cost import Cost
from app.core.money.prices import Prices
from app.core.statistics.events import ApiUse
from app.core.usage import ABSENT, Usage, reported, usage_of
from app.proxy.call import Call
from app.proxy.messages import Inbound, RequestBody
from app.proxy.relay import LastWords, Relay, Stage
from app.proxy.tokens.cut_stage import cut_stages
from app.proxy.tunnel import Tunnel
from app.proxy.upstream.exchange import Exchange
from app.storage.costs.costs import Costs
from app.waiting import give_way
from app.wire.bodies.reading import reading_of
from app.wire.dialects.asked import Asked
from app.wire.dialects.dialect import OurError
from app.wire.dialects.observers import MAX_WHOLE_BYTES, Observer, observer_for
from app.wire.http.codings import CodingError, Decoder, decoder_for
from app.wire.http.headers import find, find_all
from app.wire.http.http1 import ResponseHead
from app.wire.usage.meter import meter_for
from app.wire.usage.text import RequestText

log = logging.getLogger(__name__)

_PACKED_TO: Final = 4
"""A compressed request's text is taken for so many times its size."""
_READ_BYTES: Final = 32 * 1024 * 1024
"""So much of a compressed request is read for its model."""
_MAX_PATH: Final = 300
_MAX_NAME: Final = 200


class MeterStage:
    """Shows an answer to an observer that has a meter."""

    __slots__ = ("_decoder", "_is_blind", "_seen_bytes", "observer", "words_for")

    def __init__(self, observer: Observer, decoder: Decoder | None = None, seen_bytes: int = 0) -> None:
        """`seen_bytes`: what the observer has seen already; it is the first piece."""
        self.observer = observer
        self._decoder = decoder
        self._seen_bytes = seen_bytes
        self._is_blind = False
        self.words_for: Callable[[GatewayError], LastWords | None] | None = None
        """What ends a stream that is ended by us; None where nothing can be said."""

    @property
    def is_coded(self) -> bool:
        """Nothing can be put into what passes."""
        return self._decoder is not None

    def feed(self, piece: bytes) -> Iterable[bytes]:
        """See relay.Stage."""
        if self._seen_bytes:
            self._seen_bytes = 0
        elif not self._is_blind:
            self._look_at(piece)
        return (piece,)

    def idle(self) -> bytes:
        """See relay.Stage."""
        return b""

    def finish(self) -> bytes:
        """See relay.Stage."""
        if not self._is_blind:
            self._look_at(b"")
        return b""

    def fail(self, error: GatewayError) -> LastWords | None:
        """See relay.Stage. A stream that broke otherwise is not ours to end."""
        is_ours = isinstance(error, EndedByOperator) and self.observer.is_stream
        return self.words_for(error) if is_ours and self.words_for is not None else None

    def _look_at(self, piece: bytes) -> None:
        """At the next piece, or, where that is empty, at the end."""
        try:
            if not piece:
                if self._decoder is not None:
                    self._decoder.finish()
                self.observer.finish()
            elif self._decoder is None:
                self.observer.feed(piece)
            else:
                for number, part in enumerate(self._decoder.feed(piece)):
                    if number:
                        give_way()
                    self.observer.feed(part)
        except CodingError:
            self._go_blind()
        except Exception:  # whatever it is, the answer goes on
            log.warning("an answer could not be metered", exc_info=True)
            self._go_blind()

    def _go_blind(self) -> None:
        self._is_blind = True
        if self.observer.meter is not None:
            self.observer.meter.give_up()


def meter_stage(asked: Asked, answer: ResponseHead) -> MeterStage | None:
    """For an answer that nobody else looks at; None where it tells no usage, or cannot be read."""
    meter = meter_for(asked) if 200 <= answer.status < 300 else None
    if meter is None:
        return None
    observer = observer_for(asked, find(answer.headers, "content-type") or "")
    coding = ",".join(find_all(answer.headers, "content-encoding"))
    decoder = decoder_for(coding, MAX_WHOLE_BYTES) if coding else None
    if observer is None or (coding and decoder is None):
        return None
    observer.meter = meter
    observer.is_useful = observer.is_stream  # only its end and errors are looked for
    return MeterStage(observer, decoder)


def usage_seen(observer: Observer | None, asked_bytes: Callable[[], int]) -> Usage:
    """Of the answer that an observer has seen, as far as it came."""
    meter = observer.meter if observer is not None else None
    if observer is None or meter is None:
        return ABSENT
    try:
        if not meter.is_whole:
            observer.cut_off()
        usage = usage_of(meter.told(), asked_bytes)
        if meter.error is not None:
            raise meter.error
    except Exception:  # whatever it is, the call ends as it would
        log.warning("an answer's usage could not be read", exc_info=True)
        return ABSENT
    return usage


def usage_told(observer: Observer | None) -> Usage:
    """What an answer told that no client got."""
    meter = observer.meter if observer is not None else None
    return ABSENT if meter is None else reported(meter.told())


class Metered(NamedTuple):
    """A call through a mapping whose usage is wanted."""

    asked: Asked
    prices: Prices
    costs: Costs


class MappingMeter:
    """Of one call through a mapping: which model it asks for, what the answer used, and what that cost."""

    __slots__ = ("_asked", "_began_ms", "_call", "_metered", "_observer", "_reading", "_request_id", "_text", "_use")

    def __init__(self, call: Call, metered: Metered, inbound: Inbound, endpoint: str) -> None:
        asked = metered.asked
        kind, coding = find(inbound.headers, "content-type") or "", find(inbound.headers, "content-encoding") or ""
        self._call = call
        self._asked = asked
        self._metered = metered
        self._request_id = inbound.request_id
        self._began_ms = time.time_ns() // 1_000_000
        self._reading = reading_of(kind, coding, frozenset(), _READ_BYTES)
        self._text = RequestText()
        self._observer: Observer | None = None
        path = f"{endpoint}{asked.path}"[:_MAX_PATH]
        self._use = call.use = ApiUse(model=asked.model, dialect=asked.speaks, mapping=endpoint, path=path)
        self._use.upstream_model, self._use.is_stream = asked.model, asked.is_stream

    def passing(self, body: RequestBody) -> RequestBody:
        """The request's body, of which what passes is taken note of."""
        self._take(body.at_hand)
        if body.read_more is None:
            return body
        read_more = body.read_more

        def read(size: int) -> bytes:
            piece = read_more(size)
            self._take(piece)
            return piece

        return RequestBody(body.length, body.at_hand, read)

    def _take(self, piece: bytes) -> None:
        self._text.feed(piece)
        reading, use = self._reading, self._use
        if reading is not None and piece:
            for _ in reading.feed(piece):
                give_way()
            use.model = use.upstream_model = self._asked.model or reading.members.model[:_MAX_NAME]
            use.is_stream = self._asked.is_stream or reading.members.is_stream

    def look_at(self, relay: Relay, exchange: Exchange, *, cuts: bool) -> None:
        """The answer has begun. `cuts`: a stream that costs more than is held for it is ended. Raises GatewayError."""
        stage = meter_stage(self._asked, exchange.answer)
        if stage is None:
            return
        self._observer = stage.observer
        words_for = stage.words_for = None if stage.is_coded else self._words_for
        stages: list[Stage] = [stage]
        if cuts:
            stages += cut_stages(self._call, stage.observer, self._cost_of, self._asked_bytes, words_for)
        relay.pass_through(*stages)

    def _cost_of(self, usage: Usage) -> Cost:
        return self._metered.prices.cost(usage, self._use.upstream_model, NANO, self._began_ms)

    def _words_for(self, error: GatewayError) -> LastWords | None:
        observer = self._observer
        assert observer is not None  # noqa: S101 - it was looked at
        is_final = isinstance(error, EndedByOperator)
        ours = OurError(error.status, error.code, error.message, self._request_id, is_final=is_final)
        words = observer.last_words(ours)
        return None if words is None else LastWords(words, observer.dialect.ends_cleanly)

    def settle(self, body: Relay | Tunnel) -> None:
        """See Call.settle."""
        call = self._call
        call.usage = usage_seen(self._observer, self._asked_bytes)
        call.cost = self._cost_of(call.usage)
        if call.cost.unpriced and call.usage is not ABSENT:
            self._metered.costs.lacked_price(self._use.upstream_model, self._began_ms, call.cost.price_version)
        call.settle(body)

    def _asked_bytes(self) -> int:
        reading = self._reading
        if reading is None or reading.members.is_form:
            return 0
        return self._text.text_bytes * (_PACKED_TO if reading.is_coded else 1)
