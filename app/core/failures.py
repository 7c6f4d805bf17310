"""How an attempt at an upstream fails: one table. What a failure means is decided by its row, and nowhere else."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Phase(Enum):
    """How far an attempt had come when it failed, and so what may be known of the request."""

    DIAL = "dial"
    """There was no connection: the upstream has seen nothing."""
    STALE = "stale"
    """A connection that was kept had ended by itself before it took any of the request."""
    WRITTEN = "written"
    """The upstream may have the request, or a part of it; nothing of an answer has come."""
    HEAD = "head"
    """In the head of the answer."""
    BODY = "body"
    """In the body of the answer."""


class Failure(Enum):
    """A row: the code that callers and statistics see, the status of an answer that has not begun yet, the phase."""

    UNREACHABLE = ("upstream_unreachable", 502, Phase.DIAL)
    STALE = ("upstream_stale", 502, Phase.STALE)
    STALE_WRITTEN = ("upstream_stale", 502, Phase.WRITTEN)
    """A connection that was kept ended when it had taken some of the request: nobody knows whether it was read."""
    NO_ANSWER = ("upstream_reset", 502, Phase.WRITTEN)
    NOT_TAKEN = ("idle_timeout", 504, Phase.WRITTEN)
    FIRST_BYTE_TIMEOUT = ("first_byte_timeout", 504, Phase.WRITTEN)
    TOTAL_TIMEOUT = ("total_timeout", 504, Phase.WRITTEN)
    """The call as a whole took too long, wherever it was."""
    CALLER_TIMEOUT = ("total_timeout", 504, Phase.BODY)
    """Longer than the caller itself allows, wherever it was: no fault of the upstream's."""
    HEAD_CUT_OFF = ("upstream_reset", 502, Phase.HEAD)
    NO_HTTP = ("upstream_protocol_error", 502, Phase.HEAD)
    CUT_OFF = ("upstream_reset", 502, Phase.BODY)
    MALFORMED = ("upstream_protocol_error", 502, Phase.BODY)
    SILENT = ("idle_timeout", 504, Phase.BODY)
    NOTHING_USEFUL = ("first_useful_timeout", 504, Phase.BODY)
    """The answer may have begun, but nothing that a caller waits for has come."""
    NO_END_MARKER = ("upstream_truncated", 502, Phase.BODY)
    """A stream ended in order for HTTP, but not for those who read it."""

    def __init__(self, code: str, status: int, phase: Phase) -> None:
        self.code: Final = code
        self.status: Final = status
        self.phase: Final = phase
