"""Calls that have not ended: as the API tells them, and as the log has them whose process died."""

from __future__ import annotations

from typing import Any, Final

from app.core.said.shapes import OneOf, Shape, Text, Whole, YesOrNo
from app.core.statistics.events import INTERRUPTED, RequestEvent

WAITING: Final = "waiting"
STREAMING: Final = "streaming"

RUNNING_CALL: Final = Shape(
    {
        "id": Text(meaning="That of its request; its rows in the log will have the same"),
        "started_at_ms": Whole(),
        "token": Text(is_null=True, meaning="Name of the access token"),
        "client": Text(is_null=True),
        "mapping": Text(is_null=True),
        "channel": Text(is_null=True, meaning="Which one answers, or is asked now"),
        "key_hint": Text(is_null=True),
        "model": Text(is_null=True),
        "stream": YesOrNo(),
        "state": OneOf((WAITING, STREAMING), meaning="Whether its answer has begun"),
        "bytes": Whole(meaning="Of the answer, that were given to the client"),
        "attempts": Whole(),
        "process": Text(meaning="Host and pid of the process that has it"),
    },
    title="RunningCall",
)


def running_call(event: RequestEvent, process: str) -> dict[str, Any]:
    """What is told of a call. `event`: what would be told of it if it ended now."""
    api = event.api
    return {
        "id": event.request_id,
        "started_at_ms": started_at_ms(event),
        "token": (api.token if api is not None else "") or None,
        "client": event.client or None,
        "mapping": (api.mapping if api is not None else event.endpoint) or None,
        "channel": (api.channel if api is not None else "") or None,
        "key_hint": (api.key_hint if api is not None else "") or None,
        "model": (api.model if api is not None else "") or None,
        "stream": api is not None and api.is_stream,
        "state": WAITING if event.first_byte_ms is None else STREAMING,
        "bytes": event.response_bytes,
        "attempts": event.attempts,
        "process": process,
    }


def started_at_ms(event: RequestEvent) -> int:
    """When the call came, in ms since the epoch."""
    return int(event.ended_at_ms - event.duration_ms)


def interrupted(event: RequestEvent) -> RequestEvent:
    """How a call ended whose process died: of `event`, what was last known of it."""
    if event.api is not None:
        event.api.outcome = ""  # that an answer had begun well says no more
    return event._replace(error_code=INTERRUPTED)
