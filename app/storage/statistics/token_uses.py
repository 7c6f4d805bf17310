"""How often each access token was used, as Redis keeps it: counted by the roll-up, in its one MULTI."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from app.core.statistics.token_use import TokenUse, read
from app.storage.connections import STATS_TOKENS, Redis


def uses(redis_client: Redis, token_ids: Collection[str]) -> dict[str, TokenUse]:
    """Of each of the tokens. Raises RedisError."""
    if not token_ids:
        return {}
    found: Any = redis_client.hmget(STATS_TOKENS, list(token_ids))
    return {
        token_id: read(text.decode("utf-8", "replace")) if text is not None else TokenUse()
        for token_id, text in zip(token_ids, found, strict=True)
    }


def added(redis_client: Redis, new: Mapping[str, TokenUse]) -> dict[str, TokenUse]:
    """What is to be stored of those that were used: what is there, and what is new. Raises RedisError."""
    before = uses(redis_client, new)
    return {token_id: before[token_id] + use for token_id, use in new.items()}


def write(pipe: Any, sums: Mapping[str, TokenUse]) -> None:
    if sums:
        pipe.hset(STATS_TOKENS, mapping={token_id: use.written() for token_id, use in sums.items()})


def forget(redis_client: Redis, token_id: str) -> None:
    """Of a token that is no more. Raises RedisError."""
    redis_client.hdel(STATS_TOKENS, token_id)
