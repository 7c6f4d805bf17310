"""Why the copy in the database does not follow, as the worker tells it to web processes."""

from __future__ import annotations

from typing import Any

from app.storage.connections import COPY_TROUBLE, Redis


def copy_trouble(client: Redis) -> str:
    """Empty: there is none. Raises RedisError."""
    told: Any = client.get(COPY_TROUBLE)
    return (told or b"").decode("utf-8", "replace")
