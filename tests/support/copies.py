"""A database that has a copy of what a Redis holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.storage.connections import Redis
from app.storage.copy.following import FollowingCopy
from app.storage.secrets import Secrets
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.migrating import bring_up_to_date
from tests.support.databases import sqlite_database

KEY = "a" * 43


@pytest.fixture
def database(tmp_path: Path) -> Iterator[WorkerDatabase]:
    database = sqlite_database(tmp_path)
    bring_up_to_date(database)
    yield database
    database.close()


def following(redis: Redis, database: WorkerDatabase, *keys: str) -> FollowingCopy:
    return FollowingCopy(redis, database, Secrets(keys, rounds=1))
