"""What is known of one finished request. Born in the relay, shipped by the recorder, folded by the worker."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from app.core.usage import Usage

CLIENT_GONE: Final = "client_gone"
"""Error code of a request whose client left: it blames nobody and counts as no error."""
ENDED_BY_OPERATOR: Final = "ended_by_operator"
"""The same of one that the operator ended."""
INTERRUPTED: Final = "interrupted"
"""The same of one whose process died; nobody was told."""
BLAMELESS: Final = frozenset({CLIENT_GONE, ENDED_BY_OPERATOR, INTERRUPTED})
"""Error codes that count as no error."""

VALUE_FAULTS: Final = (
    ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError, struct.error,
)  # fmt: skip
"""What is raised where an event is not what it should be."""


class FailedAttempt(NamedTuple):
    """What became of an attempt that others followed. Fields are only ever added at the end."""

    ended_ms: float
    """Milliseconds from the request's head to its end, where the next one's time begins."""
    channel_id: str
    channel: str
    key_id: str
    key_hint: str
    upstream_model: str
    status: int
    """Of the upstream's answer; 0 where none came."""
    outcome: str
    """A label of `core.judging.outcome`."""
    reason: str
    first_byte_ms: float | None = None
    """From the request's head to the head of that answer."""
    request_bytes: int = 0
    usage: Usage | None = None
    """None: nothing is known of it, as of most that fail."""
    cost_nano: int | None = None
    unpriced: bool = False
    price_version: str = ""


class ApiUse:
    """What is known besides of a call to channels, or of one that showed an access token of ours.

    It is filled in while the call goes on, and no more once its event is told. What attempts have of their own is
    that of the last one. No NamedTuple: a compiled class costs a fifth of it. storage/statistics/envelopes.py says how
    it travels.
    """

    __slots__ = (
        "channel", "channel_id", "cost_nano", "dialect", "failed", "first_content_ms", "is_stream", "key_hint",
        "key_id", "mapping", "model", "outcome", "path", "price_version", "reason", "seen_attempt", "token", "token_id",
        "unpriced", "upstream_model", "usage", "user_agent",
    )  # fmt: skip

    def __init__(
        self,
        channel: str = "",
        key_hint: str = "",
        model: str = "",
        upstream_model: str = "",
        outcome: str = "",
        dialect: str = "",
        mapping: str = "",
        path: str = "",
        user_agent: str = "",
    ) -> None:
        self.channel = channel
        """The name of the one that answered, or was tried last; empty when none was tried."""
        self.key_hint = key_hint
        self.model = model
        """As the client asked for it."""
        self.upstream_model = upstream_model
        self.outcome = outcome
        """A label of `core.judging.outcome`; empty where the event's status says it."""
        self.dialect = dialect
        self.mapping = mapping
        """The prefix of the mapping that led to the channel; empty where none did."""
        self.path = path
        """As it was asked for, without its query; bounded, as the next is."""
        self.user_agent = user_agent
        self.channel_id = self.key_id = ""
        self.is_stream = False
        self.reason = ""
        """Why it is no better outcome, in words: a code of ours or what the upstream said, short and masked."""
        self.first_content_ms: float | None = None
        """From the request's head to the first useful content; None where nobody looked for it."""
        self.token_id = ""
        self.token = ""
        """Id and name at that time of the access token that was shown; one of AUTH_KEY has no id."""
        self.usage: Usage | None = None
        """None: nobody looked for it."""
        self.cost_nano: int | None = None
        """In nano-dollars; None when unpriced, or the usage is not known."""
        self.unpriced = False
        self.price_version = ""
        self.failed: list[FailedAttempt] = []
        """Those before the last, in order."""
        self.seen_attempt = 0
        """Which attempt's answer the caller got; 0: the last one's."""


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
    """Of calls to channels, and of those that showed an access token of ours."""

    @property
    def is_error(self) -> bool:
        """True for a status of 400 and above or a broken body, but never where nobody is to blame."""
        return self.error_code not in BLAMELESS and (self.status >= 400 or bool(self.error_code))
