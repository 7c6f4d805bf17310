"""One try of one upstream."""

from __future__ import annotations

from app.core.model import Upstream
from app.proxy.admission import Admission
from app.proxy.upstream.exchange import Exchange
from app.proxy.upstream.transport import OutboundRequest, Transport
from app.storage.limits.slots import Slot


class Attempt:
    """What one try holds, from its place among the upstream's calls to its exchange; `end` lets go of all of it."""

    __slots__ = ("_request", "_slot", "upstream")

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self._request: OutboundRequest | None = None
        self._slot: Slot | None = None

    def take_slot(self, admission: Admission, endpoint: str) -> None:
        """Raises Busy. A client that leaves while it waits for a slot leaves the queue."""
        self._slot = admission.take_slot(endpoint, self.upstream.limits)

    def send(self, transport: Transport, request: OutboundRequest, deadline_s: float) -> Exchange:
        """Returns when the head of the answer is there. Raises as Transport.send does."""
        self._request = request
        return transport.send(request, deadline_s)

    @property
    def connections(self) -> int:
        """On how many the request was sent, or should have been: 2 when a stale one was replaced, 0 when refused."""
        return self._request.attempts if self._request is not None else 0

    @property
    def sent_body_bytes(self) -> int:
        """How much of the request's body the upstream took, of the latest connection."""
        exchange = self._request.exchange if self._request is not None else None
        return exchange.sent_body_bytes if exchange is not None else 0

    def end(self) -> None:
        """Closes what is not complete and gives the slot back."""
        if self._request is not None and self._request.exchange is not None:
            self._request.exchange.close()
        slot, self._slot = self._slot, None
        if slot is not None:
            slot.release()
