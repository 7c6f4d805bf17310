"""What travels between the door, the engine and an upstream: a request as it came, its body, and what goes back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from app.telemetry.bodies.kept import KeptBodies
from app.wire.http.headers import Headers
from app.wire.http.trace import TraceParent


class BodyReader(Protocol):
    """Where a request's body comes from."""

    length: int
    """Bytes, or CHUNKED."""

    def read1(self, size: int) -> bytes:
        """What has come, at most `size` bytes; waits for the first; b"" at the end.

        Raises GreenletExit when the client is gone, and HttpSyntaxError.
        """

    @property
    def at_end(self) -> bool:
        """True when `read1` is known to have nothing more."""


class Inbound:
    """A client's request as the door received it."""

    __slots__ = (
        "body", "client", "client_socket", "connection", "detach", "expects_continue", "headers", "kept", "method",
        "request_id", "trace", "upgrade",
    )  # fmt: skip

    def __init__(
        self,
        request_id: str,
        method: str,
        headers: Headers,
        connection: str,
        body: BodyReader,
        expects_continue: bool,
        client: str,
        trace: TraceParent | None,
        upgrade: str,
        detach: Callable[[], bytes] | None,
        client_socket: Any,
    ) -> None:
        self.request_id = request_id
        self.method = method
        self.headers = headers
        self.connection = connection
        """The value of the field `Connection`; empty when there is none."""
        self.body = body
        self.expects_continue = expects_continue
        self.client = client
        """The client's address; behind TRUSTED_PROXY_COUNT reverse proxies what they say of it."""
        self.trace = trace
        """Our step in the caller's trace; None when the caller sent none."""
        self.upgrade = upgrade
        """The protocol that the client asks to switch to; empty when it does not, and then no switch is accepted."""
        self.detach = detach
        """Gives what the client sent behind its request. None where the WSGI server cannot switch protocols."""
        self.client_socket = client_socket
        """None where the WSGI server does not show it; then a client that leaves is noticed at the next write."""
        self.kept: KeptBodies | None = None
        """Where its bodies are kept for a while."""


class Reply:
    """What goes to the client."""

    __slots__ = ("body", "headers", "reason", "status")

    def __init__(self, status: int, reason: str, headers: Headers, body: Iterable[bytes]) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body
        """A Relay, a Tunnel, or what wraps one; to be closed."""


class RequestBody:
    """A request's body: what is at hand, and where the rest comes from."""

    __slots__ = ("_begin_again", "at_hand", "length", "read_more")

    def __init__(
        self,
        length: int,
        at_hand: bytes = b"",
        read_more: Callable[[int], bytes] | None = None,
        begin_again: Callable[[], RequestBody] | None = None,
    ) -> None:
        """`length`: bytes, or CHUNKED. `read_more` reads up to n bytes more, b"" at the end; None: that was all."""
        self.length = length
        self.at_hand = at_hand
        self.read_more = read_more
        self._begin_again = begin_again

    def again(self) -> RequestBody | None:
        """The same body from its start; None where what was read of it is gone."""
        if self._begin_again is not None:
            return self._begin_again()
        return self if self.read_more is None else None
