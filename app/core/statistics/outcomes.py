"""What became of a request, as charts tell it apart: by what its client was told.

Labels of `core.judging.outcome` say what became of an attempt, and know only calls to channels well. These say less,
of every request: how it ended for whoever called. A refusal of ours counts by its status, as the caller sees no
difference between ours and an upstream's. What an operator ended, and what ended with its process, is nobody's error.
"""

from __future__ import annotations

from typing import Final

from app.core.failures import Failure
from app.core.statistics.events import BLAMELESS, CLIENT_GONE, RequestEvent

TIMEOUTS: Final = frozenset(
    failure.code
    for failure in (
        Failure.NOT_TAKEN,
        Failure.FIRST_BYTE_TIMEOUT,
        Failure.TOTAL_TIMEOUT,
        Failure.CALLER_TIMEOUT,
        Failure.SILENT,
        Failure.NOTHING_USEFUL,
    )
)
"""Error codes of requests that took too long; an upstream's own 504 is a server's error like others."""

COUNTED: Final = ("rate_limited", "client_errors", "server_errors", "timeouts", "client_gone", "ended")
"""What a tally counts besides its requests and errors."""
RATE_LIMITED, CLIENT_ERROR, SERVER_ERROR, TIMEOUT, LEFT, ENDED = range(len(COUNTED))
OK: Final = -1
"""None of those: it ended well."""
ERRORS: Final = 4
"""So many of COUNTED, from the first on, are errors."""
OUTCOMES: Final = ("ok", *COUNTED, "unknown")
"""All, as they are told. `unknown` are errors that were counted by a version that did not tell them apart."""


def outcome_of(event: RequestEvent) -> int:
    """The place in COUNTED, or OK."""
    code = event.error_code
    status = event.status
    if not code:
        if status < 400:
            return OK
    elif code in BLAMELESS:
        return LEFT if code == CLIENT_GONE else ENDED
    elif code in TIMEOUTS:
        return TIMEOUT
    if status == 429:
        return RATE_LIMITED
    # A good status with a code: the body broke off.
    return CLIENT_ERROR if 400 <= status < 500 else SERVER_ERROR
