"""What the operator said is copied into the database, and comes back into a Redis that has lost it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from app.config import Config, load_config
from app.core.channels.keys import StoredKey
from app.storage.backup.passphrase import new_cipher
from app.storage.catalog import channels, mappings
from app.storage.catalog.seeding import seed_first_time
from app.storage.connections import CHANNEL_KEYS, MAPPINGS_UPDATES, Redis, open_redis
from app.storage.copy import at_start
from app.storage.copy.restoring import CopyUnreadable
from app.storage.embedded import EmbeddedRedis
from app.storage.keys.form import Edit, Known
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.migrating import bring_up_to_date
from tests.support.backups import PASSPHRASE, SECRETS, Keeping
from tests.support.copies import KEY, database, following

OTHER = "b" * 43

__all__ = ["database"]


@pytest.fixture(autouse=True, scope="module")
def quick_scrypt() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.storage.backup.passphrase.SCRYPT", {"n": 1 << 4, "r": 8, "p": 1})
        yield


@pytest.fixture
def empty(own_server: EmbeddedRedis) -> Iterator[Redis]:
    """Another Redis, which holds nothing."""
    with open_redis(f"{own_server.url}?db=1") as client:
        client.flushdb()
        yield client
        client.flushdb()


def config_of(database: WorkerDatabase, *keys: str) -> Config:
    return load_config({"SQLITE_PATH": database.url.name, "ENCRYPTION_KEY": ",".join(keys), "REDIS_PATIENCE": "1"})


def started(redis: Redis, database: WorkerDatabase, *keys: str) -> list[str]:
    """What a start of the web part says that seeds after it has asked the database."""
    said: list[str] = []
    config = config_of(database, *keys)
    if seed_first_time(redis, {"/default": "https://d.example"}, lambda: at_start.restore(redis, config, said.append)):
        said.append("seeded")
    return said


def test_an_empty_redis_gets_all_back_before_anything_is_seeded(
    own_redis: Redis, empty: Redis, database: WorkerDatabase
) -> None:
    """Whatever was said of each noun, keys with it; what stands in the database has no secret."""
    first = Keeping(own_redis, KEY)
    first.say_something()
    following(own_redis, database, KEY).work()
    text = b"".join(path.read_bytes() for path in Path(database.url.name).parent.iterdir()).decode("latin-1")
    assert "https://a.example/v1" in text
    assert not [secret for secret in SECRETS if secret in text]
    [said] = started(empty, database, KEY)
    assert "2 channels, 301 keys and all else were restored" in said
    again = Keeping(empty, KEY)
    assert without_blacklist(again.opened()) == without_blacklist(first.opened())
    assert started(empty, database, KEY) == []
    mappings.add(again.catalog, "/later", "https://later.example")
    again.add_keys("2", ["sk-later"])
    assert list(again.pools.of("2").ids)[-1] > 301


def without_blacklist(opened: dict[str, Any]) -> dict[str, Any]:
    """That is observed, and not said."""
    for entry in opened["keys"]:
        for key in entry["keys"]:
            key.pop("blacklisted", None)
    return opened


def test_each_change_is_copied(own_redis: Redis, empty: Redis, database: WorkerDatabase) -> None:
    """Of one key among many, of channels that go, of what is edited by hand without a version."""
    first, copy = Keeping(own_redis, KEY), following(own_redis, database, KEY)
    copy.work()
    first.say_something()
    copy.work()
    first.change_key("1", 9, note="later")
    pool = first.pools.of("1")
    first.pools.stored.change("1", first.pools.load(), [Edit(pool.stored_at(pool.place_of(10)), None)])
    first.add_keys("2", ["sk-two-001", "sk-two-002"])
    gone = first.channel("gone")
    first.add_keys(gone, ["sk-gone"])
    copy.work()
    channels.delete(first.catalog, [gone])
    first.pools.stored.drop(gone, first.pools.load())
    own_redis.hset("apiproxy:mappings", "/by-hand", "https://h.example")
    own_redis.publish(MAPPINGS_UPDATES, "x")
    following(own_redis, database, KEY).work()  # another worker, which knows nothing but the copy
    started(empty, database, KEY)
    first.catalog.load()
    assert without_blacklist(Keeping(empty, KEY).opened()) == without_blacklist(first.opened())
    assert Keeping(empty, KEY).secrets_of(gone) == []


def test_without_an_encryption_key_no_key_is_copied(own_redis: Redis, empty: Redis, database: WorkerDatabase) -> None:
    """All else comes back; and what was copied before goes."""
    sealed = Keeping(own_redis, KEY)
    sealed.say_something()
    following(own_redis, database, KEY).work()
    plain = Keeping(own_redis)
    plain.add_keys("2", ["sk-two-plain"])
    following(own_redis, database).work()
    text = Path(database.url.name).read_bytes() + Path(f"{database.url.name}-wal").read_bytes()
    assert b"sk-two-plain" not in text
    with closing(sqlite3.connect(database.url.name)) as reader:
        assert reader.execute("SELECT count(*) FROM gateway_catalogue_keys").fetchone() == (0,)
    started(empty, database)
    back = Keeping(empty)
    assert [channel.name for channel in back.catalog.snapshot.channels] == ["二", "one"]
    assert back.secrets_of("1") == []


def test_another_encryption_key_opens_nothing_and_loses_nothing(
    own_redis: Redis, empty: Redis, database: WorkerDatabase
) -> None:
    """A start says what would do, and seeds nothing in the place of what is there."""
    Keeping(own_redis, KEY).say_something()
    following(own_redis, database, KEY).work()
    with pytest.raises(CopyUnreadable, match="ENCRYPTION_KEY"):
        started(empty, database, OTHER)
    assert empty.dbsize() == 0
    with pytest.raises(CopyUnreadable):
        following(empty, database, OTHER).work()
    assert started(empty, database, OTHER, KEY)
    assert len(Keeping(empty, OTHER, KEY).secrets_of("1")) == 300


def test_defaults_that_were_seeded_meanwhile_give_way(own_redis: Redis, empty: Redis, database: WorkerDatabase) -> None:
    """The database did not answer when the web part began."""
    Keeping(own_redis, KEY).say_something()
    following(own_redis, database, KEY).work()
    assert seed_first_time(empty, {"/default": "https://d.example"})
    worker = following(empty, database, KEY)
    for _ in range(2):
        worker.work()
    back = Keeping(empty, KEY)
    assert set(back.catalog.snapshot.mappings) == {"/a", "/b"}
    assert len(back.secrets_of("1")) == 300


def test_newer_words_are_never_overwritten(own_redis: Redis, empty: Redis, database: WorkerDatabase) -> None:
    """What is said after the copy was made stays, and is copied. An older state that came back is not, whatever is said
    then: the copy stays what it is until the operator says which one counts."""
    first = Keeping(own_redis, KEY)
    first.say_something()
    copy = following(own_redis, database, KEY)
    copy.work()
    old = own_redis.dump("apiproxy:mappings"), own_redis.get("apiproxy:mappings:version")
    for number in range(3):
        mappings.add(first.catalog, f"/newer/{number}", "https://n.example")
    copy.work()
    own_redis.restore("apiproxy:mappings", 0, old[0], replace=True)
    own_redis.set("apiproxy:mappings:version", old[1])
    behind = Keeping(own_redis, KEY)
    mappings.add(behind.catalog, "/edited", "https://e.example")
    copy.work()
    assert "scripts/database_copy.py" in copy.trouble
    started(empty, database, KEY)
    assert "/newer/2" in Keeping(empty, KEY).catalog.snapshot.mappings
    assert set(Keeping(own_redis, KEY).catalog.snapshot.mappings) == {"/a", "/b", "/edited"}


def test_a_kill_between_catalogue_and_keys_loses_none(
    own_redis: Redis, empty: Redis, database: WorkerDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker finds that keys are missing, and brings them back."""
    Keeping(own_redis, KEY).say_something()
    following(own_redis, database, KEY).work()
    with monkeypatch.context() as patch:
        patch.setattr(
            "app.storage.copy.restoring.Copy.put_keys_back", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            started(empty, database, KEY)
    assert Keeping(empty, KEY).secrets_of("1") == []
    following(empty, database, KEY).work()
    assert len(Keeping(empty, KEY).secrets_of("1")) == 300


def test_keys_go_to_no_other_channel_of_the_same_id(own_redis: Redis, empty: Redis, database: WorkerDatabase) -> None:
    """Somebody began anew before the copy was there: his channel gets none of the keys of the one that was."""
    Keeping(own_redis, KEY).say_something()
    following(own_redis, database, KEY).work()
    other = Keeping(empty, KEY)
    for number in range(20):
        mappings.add(other.catalog, f"/other/{number}", "https://o.example")
    assert other.channel("mine") == "1"
    for _ in range(3):
        following(empty, database, KEY).work()
    assert other.secrets_of("1") == []
    assert not empty.exists(f"{CHANNEL_KEYS}1")


def test_a_database_that_is_away_holds_up_a_start_for_a_while(empty: Redis) -> None:
    """Then it begins with the defaults, and says so."""
    config = load_config({"DATABASE_URL": "mysql://u:p@127.0.0.1:9/gw", "REDIS_PATIENCE": "1"})
    said: list[str] = []
    assert seed_first_time(empty, {"/d": "https://d.example"}, lambda: at_start.restore(empty, config, said.append))
    assert "trying for 1 s" in said[0]
    assert "comes back when it answers" in said[1]


def test_a_start_that_finds_something_asks_no_database(own_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor where SQLite has no file: so nobody imports SQLAlchemy for that."""
    monkeypatch.setattr("app.storage.copy.at_start.WorkerDatabase", None)
    config = load_config({"DATABASE_URL": "mysql://u:p@127.0.0.1:9/gw"})
    Keeping(own_redis).say_something()
    at_start.restore(own_redis, config, print)
    own_redis.flushall()
    at_start.restore(own_redis, load_config({"SQLITE_PATH": "/nowhere/gateway.db"}), print)


def test_backups_and_copies_agree(own_redis: Redis, empty: Redis, database: WorkerDatabase) -> None:
    """What came back from the database is backed up as what it is a copy of."""
    first = Keeping(own_redis, KEY)
    first.say_something()
    following(own_redis, database, KEY).work()
    started(empty, database, KEY)
    cipher = new_cipher(PASSPHRASE)
    decision = Keeping(empty, KEY).restore(first.backup(cipher), cipher).decide()
    assert (decision.edits, decision.key_counts) == ([], {"added": 0, "changed": 0, "removed": 0})


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_100_000_keys_are_copied_and_come_back(own_redis: Redis, empty: Redis, database: WorkerDatabase) -> None:
    """And a change of one of them copies that one."""
    first, copy = Keeping(own_redis, KEY), following(own_redis, database, KEY)
    channel = first.channel("many")
    for begin in range(0, 100_000, 1_000):
        new = [(f"sk-{number:040}", StoredKey(0, "")) for number in range(begin, begin + 1_000)]
        first.pools.stored.add(channel, Known(), new)
    first.pools.load()
    moments = [time.monotonic()]
    for act in (
        lambda: [copy.work() for _ in range(3)],
        lambda: first.change_key(channel, 50_000, note="one"),
        copy.work,
        lambda: started(empty, database, KEY),
    ):
        act()
        moments.append(time.monotonic())
    copied_s, _, changed_s, restored_s = (after - before for before, after in pairwise(moments))
    print(f"copied {copied_s:.1f} s, one change {changed_s * 1000:.0f} ms, restored {restored_s:.1f} s")
    assert changed_s < min(1, copied_s / 10)
    back = Keeping(empty, KEY)
    assert len(back.pools.of(channel)) == 100_000
    assert back.pools.of(channel).note_at(back.pools.of(channel).place_of(50_000)) == "one"


def test_a_database_that_was_made_anew_gets_the_copy_without_a_change(
    own_redis: Redis, empty: Redis, database: WorkerDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where somebody deletes the file of SQLite to have its room."""
    monkeypatch.setattr("app.storage.copy.following.COMPARE_S", 0)
    Keeping(own_redis, KEY).say_something()
    copy = following(own_redis, database, KEY)
    copy.work()
    for file in Path(database.url.name).parent.glob("gateway.db*"):
        file.unlink()
    bring_up_to_date(database)
    copy.work()
    assert "2 channels, 301 keys and all else were restored" in started(empty, database, KEY)[0]
