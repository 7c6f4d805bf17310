"""A database that has a copy of what a Redis holds."""

from __future__ import annotations

from app.storage.connections import Redis
from app.storage.copy.following import FollowingCopy
from app.storage.secrets import Secrets
from app.storage.sql.database import WorkerDatabase
from tests.support.each_database import file_database as database

__all__ = ["KEY", "database", "following"]

KEY = "a" * 43


def following(redis: Redis, database: WorkerDatabase, *keys: str) -> FollowingCopy:
    return FollowingCopy(redis, database, Secrets(keys, rounds=1))
