"""A channel as Redis keeps it: what was said of it, as JSON, and when."""

from __future__ import annotations

import orjson

from app.core.channels.definition import parse_channel
from app.core.errors import InvalidChannel
from app.core.model import Channel
from app.core.settings import Limits


def written(channel: Channel) -> str:
    stored = {"said": channel.said, "created_at_ms": channel.created_at_ms, "updated_at_ms": channel.updated_at_ms}
    return orjson.dumps(stored).decode()


def read(channel_id: str, text: str, limits: Limits) -> Channel:
    """What `written` wrote, over the gateway's `limits`. Raises InvalidChannel, UnknownField."""
    try:
        stored = orjson.loads(text)
        said, created_at_ms, updated_at_ms = stored["said"], int(stored["created_at_ms"]), int(stored["updated_at_ms"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise InvalidChannel("it is not stored as a channel") from None
    return parse_channel(channel_id, said, limits, created_at_ms=created_at_ms, updated_at_ms=updated_at_ms)
