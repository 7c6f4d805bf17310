"""Ends a stream that has cost more than was held for it, where the operator wants that (`budget_cut_streams`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from app.core.errors import ApiError, GatewayError
from app.core.money.amounts import show_usd
from app.core.money.cost import Cost
from app.core.usage import Usage, usage_of
from app.proxy.call import Call
from app.proxy.relay import LastWords, Stage
from app.proxy.tokens.budget_admission import reserved_nano
from app.wire.dialects.observers import Observer
from app.wire.usage.meter import Meter

LOOK_BYTES: Final = 1024
"""Of text between two looks at what it costs: some 256 tokens."""


class CutStage:
    """Stands behind what reads the usage. What a stream costs is an estimate before it tells it."""

    __slots__ = ("_asked_bytes", "_cost_of", "_is_over", "_look_at_bytes", "_meter", "_reserved_nano", "_words_for")

    def __init__(
        self,
        meter: Meter,
        cost_of: Callable[[Usage], Cost],
        reserved: int,
        asked_bytes: Callable[[], int],
        words_for: Callable[[GatewayError], LastWords | None] | None,
    ) -> None:
        """`words_for`: what the stream ends with; None where another stage says it, or nothing can be said."""
        self._meter = meter
        self._cost_of = cost_of
        self._reserved_nano = reserved
        self._asked_bytes = asked_bytes
        self._words_for = words_for
        self._look_at_bytes = 0
        self._is_over = False

    def feed(self, piece: bytes) -> Iterable[bytes]:
        """See relay.Stage."""
        if self._meter.text_bytes >= self._look_at_bytes:
            self._look_at_bytes = self._meter.text_bytes + LOOK_BYTES
            self._check()
        return (piece,)

    def _check(self) -> None:
        """Raises ApiError."""
        cost = self._cost_of(usage_of(self._meter.told(), self._asked_bytes))
        if cost.nano is not None and cost.nano > self._reserved_nano:
            self._is_over = True
            text = f"this answer has cost more than the {show_usd(self._reserved_nano)} USD that were held for it"
            raise ApiError(429, "budget_exceeded", f"{text} of the access token's budget", is_final=True)

    def idle(self) -> bytes:
        """See relay.Stage."""
        return b""

    def finish(self) -> bytes:
        """See relay.Stage."""
        return b""

    def fail(self, error: GatewayError) -> LastWords | None:
        """See relay.Stage. A stream that broke otherwise is not ours to end."""
        return self._words_for(error) if self._is_over and self._words_for is not None else None


def cut_stages(
    call: Call,
    observer: Observer | None,
    cost_of: Callable[[Usage], Cost],
    asked_bytes: Callable[[], int],
    words_for: Callable[[GatewayError], LastWords | None] | None = None,
) -> list[Stage]:
    """For an answer; none where it is no stream, or nothing was held for it."""
    reserved = reserved_nano(call)
    meter = observer.meter if observer is not None and observer.is_stream else None
    return [CutStage(meter, cost_of, reserved, asked_bytes, words_for)] if meter is not None and reserved >= 0 else []
