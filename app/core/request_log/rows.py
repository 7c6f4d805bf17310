"""The rows of the request log: what is kept of each attempt of a call. core/request_log/making.py makes them.

The rows of a call lie end to end in time: the first begins with the request's head, each other where the one before it
ended, and the last ends with the call. So an attempt's times hold what was waited for before it, and their sum is what
the caller waited for.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from app.core.judging.outcome import Outcome

UNKNOWN_CREDENTIALS: Final = frozenset({"access_token_invalid", "access_token_required"})
"""Reasons of calls that anybody can make."""


class LogRow(NamedTuple):
    """One attempt, or a call of which none was made.

    A text that is not known is empty; the API says null.
    """

    at_ms: int
    """Its start."""
    request_id: str
    attempt: int
    """1, 2, 3, ... within its call; 0: nothing was sent."""
    final: bool = False
    """The attempt whose answer the caller got: one of each call."""
    token_id: str = ""
    token: str = ""
    """The access token's name at that time."""
    client: str = ""
    method: str = ""
    path: str = ""
    """Without the query; only where its API is known, as paths of others may hold their keys."""
    mapping: str = ""
    channel_id: str = ""
    channel: str = ""
    key_id: str = ""
    key_hint: str = ""
    dialect: str = ""
    model: str = ""
    upstream_model: str = ""
    status: int = 0
    """Of a final row what the caller was told, else of the upstream's answer; 0 where there was none."""
    outcome: str = ""
    reason: str = ""
    stream: bool = False
    first_byte_ms: float | None = None
    first_content_ms: float | None = None
    duration_ms: float = 0.0
    usage: list[Any] | None = None
    """A `core.usage.Usage` as a list; None where it is absent."""
    cost_nano: int | None = None
    unpriced: bool = False
    price_version: str = ""
    request_bytes: int = 0
    response_bytes: int = 0
    trace_id: str = ""
    user_agent: str = ""
    attempts: int = 0
    """Of a final row: how many its call had. Nobody is told; statistics need it, which see one row at a time."""

    @property
    def is_refused(self) -> bool:
        """Nobody was asked, as we did not want to."""
        return self.attempt == 0 and self.outcome == Outcome.REFUSED.value

    @property
    def is_of_a_stranger(self) -> bool:
        return self.is_refused and self.reason in UNKNOWN_CREDENTIALS
