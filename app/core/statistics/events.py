"""What is known of one finished request. Born in the relay, shipped by the recorder, folded by the worker."""

from __future__ import annotations

from typing import Final, NamedTuple

CLIENT_GONE: Final = "client_gone"
"""Error code of a request whose client left: it blames nobody and counts as no error."""


class ApiUse(NamedTuple):
    """What is known besides of a call to channels. Fields are only ever added at the end."""

    channel: str
    """The name of the one that answered, or was tried last; empty when none was tried."""
    key_hint: str
    model: str
    """As the client asked for it."""
    upstream_model: str
    outcome: str
    """A label of `core.outcome`."""


class RequestEvent(NamedTuple):
    """One finished request. A tuple, because it is made on the request path. Fields are only ever added at the end."""

    request_id: str
    ended_at_ms: int
    """Milliseconds since the epoch at which the last piece was there for the client."""
    endpoint: str
    """The mapping's prefix, such as `/openai`."""
    method: str
    status: int
    """The status sent to the client; 499 when the client left before one was sent."""
    error_code: str
    """Why it failed (`upstream_unreachable`, `idle_timeout`, `client_gone`, ...); empty when it did not."""
    request_bytes: int
    """Bytes of the request's body that went to the upstream."""
    response_bytes: int
    """Bytes of the response's body that were given to the client."""
    duration_ms: float
    """From the request's head to the end of the response."""
    first_byte_ms: float | None
    """From the request's head to the upstream's head; None when there was none."""
    trace_id: str = ""
    """Of the caller's `traceparent`, or of ours; empty when there is none."""
    client: str = ""
    """The address that the connection came from."""
    upstream: str = ""
    """Host and port of the upstream."""
    attempts: int = 1
    """How often the upstream was tried: 0 when the call was refused here, 2 when a stale connection was replaced."""
    span_id: str = ""
    """Our step in that trace, which the upstream is given as its parent."""
    parent_span_id: str = ""
    """The caller's step that ours belongs to; empty when ours is the first."""

    api: ApiUse | None = None
    """Of calls to channels alone."""

    @property
    def is_error(self) -> bool:
        """True for a status of 400 and above or a broken body, but never for a client that left."""
        return self.error_code != CLIENT_GONE and (self.status >= 400 or bool(self.error_code))
