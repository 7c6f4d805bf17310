"""Channels of a file are taken in one change with their keys: all of them, or nothing, whatever happens meanwhile."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import pytest

from app.core.channels.csv_keys import FileKey, KeyCells
from app.core.channels.csv_reading import ChannelRow, read_heading, read_row
from app.core.model import Channel
from app.core.settings import Limits, Settings
from app.storage.catalog import channels
from app.storage.catalog.catalog import Catalog
from app.storage.channel_import import ChannelImport
from app.storage.connections import Redis
from app.storage.health.stored import StoredHealth
from app.storage.keys.form import Edit
from app.storage.keys.listing import stored_in
from app.storage.keys.pools import KeyPools
from app.storage.secrets import Secrets
from app.wire.csv_files import read_records


def row(name: str, secrets: list[str], line: int = 2, **said: Any) -> ChannelRow:
    least = {"name": name, "dialects": ["openai"], "urls": [{"url": "https://one.example"}], "models": [{"name": "m"}]}
    return ChannelRow(line, name, least | said, (), KeyCells(secrets), ())


def nothing(channel: Channel | None = None) -> None:
    """Of no account."""


class Process:
    """What one process knows of a Redis."""

    def __init__(self, redis: Redis, pause: Callable[[], object] = nothing, encryption_key: str = "") -> None:
        self.catalog = Catalog(redis, Limits(), Settings())
        self.pools = KeyPools(redis, Secrets([encryption_key] if encryption_key else [], rounds=1))
        self.work = ChannelImport(self.catalog, self.pools, StoredHealth(redis, ""), nothing, pause)

    def keys(self) -> dict[str, list[FileKey]]:
        """All keys, by the names of the channels that there are."""
        self.pools.load()
        secrets = self.pools.stored.secrets
        return {
            channel.name: [
                FileKey(secrets.open(key.sealed, channel.id), key.note, key.models, key.enabled)
                for keys in stored_in(self.pools.of(channel.id))
                for key in keys
            ]
            for channel in self.catalog.load().channels
        }

    def priorities(self) -> dict[str, int]:
        return {channel.name: channel.priority for channel in self.catalog.load().channels}


class Killed(BaseException):
    """The process ends here."""


def killed_after(steps: int) -> Callable[[], None]:
    left = iter(range(steps))

    def pause() -> None:
        if next(left, None) is None:
            raise Killed

    return pause


def test_whoever_ends_at_any_step_has_changed_nothing(own_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written aside goes by itself."""
    before = Process(own_redis)
    before.work.take([row("old", ["k1", "k2"], priority=1)])
    rows = [row("old", ["k2", "k3"], 2, priority=2), row("new", [f"n{number}" for number in range(600)], 3)]
    monkeypatch.setattr("app.storage.keys.replacement.Replacement.forget", lambda self: None)
    for steps in range(100):
        try:
            Process(own_redis, killed_after(steps)).work.take(rows)
            break
        except Killed:
            seen = Process(own_redis)
            assert seen.priorities() == {"old": 1}
            assert seen.keys() == {"old": [FileKey("k1"), FileKey("k2")]}
    assert steps > 5
    after = Process(own_redis)
    assert after.priorities() == {"old": 2, "new": 0}
    assert after.keys()["old"] == [FileKey("k2"), FileKey("k3")]
    assert after.keys()["new"] == [FileKey(f"n{number}") for number in range(600)]
    asides = list(own_redis.scan_iter("apiproxy:{channels}:key*:*:*"))
    assert asides
    assert all(0 < own_redis.ttl(key) <= 3600 for key in asides)


def test_a_key_that_others_change_meanwhile_is_not_lost(own_redis: Redis) -> None:
    """It is decided anew on what is so then."""
    first = Process(own_redis)
    first.work.take([row("one", ["k1", "k2"])])
    [channel] = first.catalog.load().channels
    other = Process(own_redis)
    other.pools.load()
    changed: list[int] = []

    def change() -> None:
        if not changed:
            [[_, second]] = stored_in(other.pools.of(channel.id))
            edit = Edit(second, second._replace(note="theirs"))
            changed.append(other.pools.stored.change(channel.id, other.pools.load(), [edit]))

    Process(own_redis, change).work.take([row("one", ["k2", "k3"])])
    assert changed == [1]
    assert Process(own_redis).keys() == {"one": [FileKey("k2", "theirs"), FileKey("k3")]}


@pytest.mark.parametrize("lost", ["*", "*key_digests:*:*"], ids=["all", "digests alone"])
def test_what_redis_loses_of_it_meanwhile_is_written_again(own_redis: Redis, lost: str) -> None:
    """Also of the first file that a gateway is ever given."""
    process = Process(own_redis)
    aside, asides = process.pools.stored.write_aside, []

    def write_late(*arguments: Any) -> None:
        aside(*arguments)
        asides.append(arguments)
        if len(asides) == 3:
            own_redis.delete(*own_redis.scan_iter(lost))

    process.pools.stored.write_aside = write_late  # type: ignore[method-assign]
    process.work.take([row("one", [f"k{number}" for number in range(600)])])
    assert len(asides) > 3
    assert len(Process(own_redis).keys()["one"]) == 600


def test_a_channel_that_others_change_meanwhile_keeps_their_change(own_redis: Redis) -> None:
    first = Process(own_redis)
    first.work.take([row("one", ["k1"])])
    [channel] = first.catalog.load().channels
    changed: list[object] = []

    def change() -> None:
        if not changed:
            changed.append(channels.update(Process(own_redis).catalog, {channel.id: {"note": "theirs"}}))

    Process(own_redis, change).work.take([row("one", ["k2"], priority=7)])
    [after] = Process(own_redis).catalog.load().channels
    assert (after.said["note"], after.priority) == ("theirs", 7)
    assert Process(own_redis).keys() == {"one": [FileKey("k2")]}


def test_kept_keys_keep_their_ids_and_what_is_not_said_of_them(own_redis: Redis) -> None:
    process = Process(own_redis)
    cells = KeyCells(["k1", "k2", "k3"], ["one", "two", "three"], [("m",), (), ()], [False, True, True])
    process.work.take([row("one", [])._replace(keys=cells)])
    [channel] = process.catalog.load().channels
    ids = [key.id for keys in stored_in(process.pools.of(channel.id)) for key in keys]
    process.work.take([row("one", [])._replace(keys=KeyCells(["k4", "k3", "k1"], notes=["four", "", "1"]))])
    assert process.keys() == {
        "one": [FileKey("k1", "1", ("m",), enabled=False), FileKey("k3"), FileKey("k4", "four")],
    }
    kept = [key.id for keys in stored_in(process.pools.of(channel.id)) for key in keys][:2]
    assert kept == [ids[0], ids[2]]


def test_keys_are_sealed_and_found_again(own_redis: Redis) -> None:
    process = Process(own_redis, encryption_key="a key of our own")
    process.work.take([row("one", ["sk-very-secret", "sk-other-secret"])])
    assert not any(b"secret" in value for key in own_redis.scan_iter("*key*") for value in _values(own_redis, key))
    assert process.work.take([row("one", ["sk-very-secret", "sk-other-secret"])]).count("unchanged") == 1
    assert process.keys() == {"one": [FileKey("sk-very-secret"), FileKey("sk-other-secret")]}


def _values(own_redis: Redis, key: bytes) -> list[bytes]:
    return own_redis.hvals(key) if own_redis.type(key) == b"hash" else []


def test_a_second_time_changes_nothing(own_redis: Redis) -> None:
    process = Process(own_redis)
    rows = [row("one", ["k1"]), row("two", ["k2"], 3)]
    process.work.take(rows)
    before = {key: own_redis.dump(key) for key in own_redis.scan_iter("*")}
    assert process.work.take(rows).count("unchanged") == 2
    assert {key: own_redis.dump(key) for key in own_redis.scan_iter("*")} == before


def test_a_masked_password_of_a_proxy_is_that_which_is_there_or_none(own_redis: Redis) -> None:
    """An export without secrets changes no channel that is there, and makes none that could reach nobody."""
    process = Process(own_redis)
    process.work.take([row("one", ["k1"], proxy_url="http://u:secret@proxy.example:3128")])
    masked = "http://u:***@proxy.example:3128"
    decision = process.work.take([row("one", ["k1"], proxy_url=masked), row("two", ["k2"], 3, proxy_url=masked)])
    assert decision.count("unchanged") == 1
    assert [(error.line, "masked" in error.message) for error in decision.errors] == [(3, True)]
    assert list(process.priorities()) == ["one"]


@pytest.mark.timing
def test_others_have_their_turns_while_many_keys_are_taken(own_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """CPU time of one step, from the file's bytes to keys that serve, where a machine is three times slower."""
    took: list[float] = []
    began_s = 0.0

    def give_way() -> None:
        nonlocal began_s
        took.append(time.thread_time() - began_s)
        began_s = time.thread_time()

    monkeypatch.setattr("app.waiting.give_way", give_way)
    process = Process(own_redis, give_way)
    process.work.take([row("other", ["k"])])
    secrets = [f"sk-{number:040}" for number in range(8_000)]
    text = f'name,api_key,url,models\none,"{",".join(secrets)}",https://one.example,m\n'
    gc.collect()
    gc.disable()
    try:
        began_s = time.thread_time()
        took.clear()
        heading, line = read_records(text.encode(), give_way)
        process.work.take([read_row(read_heading(heading), line, give_way)])
        give_way()
    finally:
        gc.enable()
    assert process.keys()["one"] == [FileKey(secret) for secret in secrets]
    assert max(took) < 0.015
