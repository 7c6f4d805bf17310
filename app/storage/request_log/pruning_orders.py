"""That the request log be pruned now: ordered by a web process, done by the worker, whose database it is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from uuid import uuid4

import orjson

from app.storage.connections import LOG_PRUNED, LOG_PRUNING, Redis
from app.storage.sql.errors import DatabaseAway

PATIENCE_S: Final = 60.0
LOOK_S: Final = 2
"""Shorter than a connection's own patience."""


class Pruned(NamedTuple):
    removed: int
    """Rows."""
    bytes: int
    """What the log takes now, with its journal."""


class PruningOrders:
    """Both ends. Each method raises redis.RedisError."""

    def __init__(self, redis_client: Redis) -> None:
        self._redis: Any = redis_client

    def order(self) -> Pruned:
        """What the worker then did. Raises DatabaseAway where it did nothing in time."""
        order = uuid4().hex
        self._redis.rpush(LOG_PRUNING, order)
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            if found := self._redis.blpop([LOG_PRUNED + order], timeout=LOOK_S):
                removed, size = orjson.loads(found[1])
                return Pruned(removed, size)
        raise DatabaseAway(f"the worker did not prune the log within {PATIENCE_S:g} s; its log says why")

    def take(self) -> list[bytes]:
        """For the worker: all that nobody has taken."""
        found: list[bytes] = self._redis.lpop(LOG_PRUNING, 100) or []
        return found

    def answer(self, orders: Sequence[bytes], pruned: Pruned) -> None:
        for order in orders:
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.rpush(LOG_PRUNED + order.decode(), orjson.dumps(tuple(pruned)))
                pipe.expire(LOG_PRUNED + order.decode(), int(PATIENCE_S))
                pipe.execute()
