"""Ends a stream that has cost more than was held for it, where the operator wants that (`budget_cut_streams`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from app.core.choosing.matching import Candidate
from app.core.errors import ApiError, GatewayError
from app.core.money.amounts import show_usd
from app.core.money.prices import Prices
from app.core.usage import usage_of
from app.proxy.call import Call
from app.proxy.relay import LastWords, Stage
from app.proxy.tokens.budget_admission import reserved_nano
from app.wire.dialects.observers import Observer
from app.wire.usage.meter import Meter

LOOK_BYTES: Final = 1024
"""Of text between two looks at what it costs: some 256 tokens."""


class CutStage:
    """Stands behind what reads the usage. What a stream costs is an estimate before it tells it."""

    __slots__ = ("_asked_bytes", "_began_ms", "_candidate", "_look_at_bytes", "_meter", "_prices", "_reserved_nano")

    def __init__(
        self,
        meter: Meter,
        prices: Prices,
        candidate: Candidate,
        reserved: int,
        asked_bytes: Callable[[], int],
    ) -> None:
        self._meter = meter
        self._prices = prices
        self._candidate = candidate
        self._reserved_nano = reserved
        self._asked_bytes = asked_bytes
        self._began_ms = int(time.time() * 1000)
        self._look_at_bytes = 0

    def feed(self, piece: bytes) -> Iterable[bytes]:
        """See relay.Stage."""
        if self._meter.text_bytes >= self._look_at_bytes:
            self._look_at_bytes = self._meter.text_bytes + LOOK_BYTES
            self._check()
        return (piece,)

    def _check(self) -> None:
        """Raises ApiError."""
        usage = usage_of(self._meter.told(), self._asked_bytes)
        channel = self._candidate.channel
        cost = self._prices.cost(usage, self._candidate.upstream_model, channel.cost_multiplier_nano, self._began_ms)
        if cost.nano is not None and cost.nano > self._reserved_nano:
            text = f"this answer has cost more than the {show_usd(self._reserved_nano)} USD that were held for it"
            raise ApiError(429, "budget_exceeded", f"{text} of the access token's budget", is_final=True)

    def idle(self) -> bytes:
        """See relay.Stage."""
        return b""

    def finish(self) -> bytes:
        """See relay.Stage."""
        return b""

    def fail(self, error: GatewayError) -> LastWords | None:
        """See relay.Stage."""
        return None


def cut_stages(
    call: Call, candidate: Candidate, observer: Observer | None, prices: Prices, asked_bytes: Callable[[], int]
) -> list[Stage]:
    """For an answer; none where it is no stream, or nothing was held for it."""
    reserved = reserved_nano(call)
    meter = observer.meter if observer is not None and observer.is_stream else None
    return [CutStage(meter, prices, candidate, reserved, asked_bytes)] if meter is not None and reserved >= 0 else []
