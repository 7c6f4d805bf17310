"""scripts/database_copy.py: which of Redis and the database counts, where both say something else."""

from __future__ import annotations

from collections.abc import Iterator
from os import environ
from pathlib import Path

import pytest

from app.storage.catalog import mappings
from app.storage.connections import CHANNEL_KEYS_LAST_ID, Redis, open_redis
from app.storage.copy.following import FollowingCopy
from app.storage.embedded import EmbeddedRedis
from app.storage.secrets import Secrets
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.migrating import bring_up_to_date
from scripts.database_copy import main
from tests.support.backups import Keeping
from tests.support.databases import sqlite_database

KEY = "a" * 43


@pytest.fixture
def database(tmp_path: Path, own_server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerDatabase]:
    """It has a copy of what a Redis held that is gone; in the one that the environment names somebody began anew."""
    database = sqlite_database(tmp_path)
    bring_up_to_date(database)
    for name, value in {
        "REDIS_URL": f"{own_server.url}?db=1",
        "ENCRYPTION_KEY": KEY,
        "SQLITE_PATH": database.url.name,
    }.items():
        monkeypatch.setenv(name, value)
    yield database
    database.close()


@pytest.fixture
def anew(own_redis: Redis, own_server: EmbeddedRedis, database: WorkerDatabase) -> Iterator[Redis]:
    Keeping(own_redis, KEY).say_something()
    FollowingCopy(own_redis, database, Secrets([KEY])).work()
    with open_redis(f"{own_server.url}?db=1") as client:
        client.flushdb()
        other = Keeping(client, KEY)
        other.add_keys(other.channel("mine"), [f"sk-mine-{number}" for number in range(400)])
        mappings.add(other.catalog, "/mine", "https://mine.example")
        yield client
        client.flushdb()


def test_it_shows_both_and_changes_nothing(anew: Redis, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    assert "Redis:    version 2, 0 settings, 1 mapping, 1 channel" in said
    assert "2 mappings, 2 channels, 1 outcome_rule, 1 access_token, 1 price, copied on 20" in said
    assert set(Keeping(anew, KEY).catalog.snapshot.mappings) == {"/mine"}


def test_the_copy_is_taken_whole(anew: Redis, database: WorkerDatabase) -> None:
    """With its keys; those of another channel that had the id of one go."""
    assert main(["--take"]) == 0
    back = Keeping(anew, KEY)
    assert set(back.catalog.snapshot.mappings) == {"/a", "/b"}
    assert {channel.name for channel in back.catalog.snapshot.channels} == {"one", "二"}
    assert back.secrets_of("1") == [f"sk-one-{number:03}" for number in range(300)]
    copy = FollowingCopy(anew, database, Secrets([KEY]))
    copy.work()
    assert copy.trouble == ""


def test_who_runs_hears_of_the_keys_that_are_taken_and_no_id_is_given_again(anew: Redis) -> None:
    """Though Redis has a longer history than the copy, with fewer keys."""
    runs = Keeping(anew, KEY)
    runs.pools.stored.drop("1", runs.pools.load())
    for number in range(10):
        runs.add_keys("1", [f"sk-{number}"])
        runs.pools.stored.drop("1", runs.pools.load())
    assert anew.set(CHANNEL_KEYS_LAST_ID, 5)
    assert main(["--take"]) == 0
    assert len(runs.secrets_of("1")) == 300
    runs.add_keys("1", [f"sk-later-{number}" for number in range(5)])
    assert len(Keeping(anew, KEY).secrets_of("1")) == 305


def test_keys_of_an_older_state_give_way_to_those_that_are_taken(own_redis: Redis, database: WorkerDatabase) -> None:
    """Of the same channel, though they were changed more often since."""
    web = Keeping(own_redis, KEY)
    one = web.channel("one")
    web.add_keys(one, ["sk-1"])
    older = {key: dump for key in own_redis.scan_iter() if (dump := own_redis.dump(key))}
    web.add_keys(one, ["sk-2", "sk-3"])
    mappings.add(web.catalog, "/x", "https://x.example")
    FollowingCopy(own_redis, database, Secrets([KEY])).work()
    with open_redis(environ["REDIS_URL"]) as client:
        for key, dump in older.items():
            client.restore(key, 0, dump)
        Keeping(client, KEY).add_keys(one, [f"sk-new-{number}" for number in range(6)])
        assert main(["--take"]) == 0
        FollowingCopy(client, database, Secrets([KEY])).work()
        assert Keeping(client, KEY).secrets_of(one) == ["sk-1", "sk-2", "sk-3"]
        client.flushdb()


def test_what_redis_holds_is_kept_and_copied(anew: Redis, database: WorkerDatabase, own_redis: Redis) -> None:
    copy = FollowingCopy(anew, database, Secrets([KEY]))
    copy.work()
    assert copy.trouble
    assert main(["--keep"]) == 0
    for _ in range(2):
        copy.work()
    assert copy.trouble == ""
    own_redis.flushdb()
    for _ in range(2):
        FollowingCopy(own_redis, database, Secrets([KEY])).work()
    back = Keeping(own_redis, KEY)
    assert set(back.catalog.snapshot.mappings) == {"/mine"}
    assert len(back.secrets_of("1")) == 400


def test_without_a_copy_it_says_so(
    own_redis: Redis, database: WorkerDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == 1
    assert "no copy" in capsys.readouterr().err
