"""`scripts/encrypt_keys.py` brings stored keys in line with ENCRYPTION_KEY, whatever becomes of it on its way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from app.core.channels.keys import StoredKey
from app.storage.connections import CHANNEL_KEY_DIGESTS, CHANNEL_KEYS, CHANNELS_SET, Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.keys.encryption import KeysUnreadable, check, noted, sealed_by
from app.storage.keys.form import Known
from app.storage.keys.resealing import pieces, reseal
from app.storage.keys.stored import StoredKeys
from app.storage.secrets import Secrets
from scripts.encrypt_keys import main
from tests.support.dumped import dumped
from tests.support.environ import clean_environ
from tests.support.gateway import ROOT
from tests.support.own_redis import running_redis
from tests.support.waiting import wait_until

OLD, NEW = "0123456789abcdef" * 4, "fedcba9876543210" * 4
"""Spelled as random ones are, so that nothing is stretched."""
PLAIN_ONLY, OLD_ONLY, NEW_ONLY = Secrets(), Secrets([OLD]), Secrets([NEW])
SAID = {PLAIN_ONLY: "", OLD_ONLY: OLD, NEW_ONLY: NEW}


def secrets_of(channel_id: str, count: int) -> list[str]:
    return [f"sk-{channel_id}-{number:05}-of-an-account" for number in range(count)]


def add(client: Redis, secrets: Secrets, channel_id: str, texts: Iterable[str], name: str = "") -> int:
    """As a gateway with this ENCRYPTION_KEY does. How many were not there."""
    check(client, secrets)
    keys = [(text, StoredKey(0, "", f"note {text[:4]}", ("m",), enabled=False)) for text in texts]
    if name:
        client.hset(CHANNELS_SET, channel_id, orjson.dumps({"said": {"name": name}}))
    return StoredKeys(client, secrets).add(channel_id, Known(), keys)[0]


def readable(client: Redis, secrets: Secrets, channel_id: str) -> list[str]:
    """The texts of a channel's keys, each checked to be found by its digest and to be otherwise as it was said."""
    stored = StoredKeys(client, secrets)
    keys = {key.id: key for piece in pieces(stored, channel_id, Known()) for key in piece}
    ids = {digest.decode(): int(id) for digest, id in client.hgetall(CHANNEL_KEY_DIGESTS + channel_id).items()}
    texts = []
    for id in sorted(keys):
        texts.append(secrets.open(keys[id].sealed, channel_id))
        assert keys[id][2:] == (f"note {texts[-1][:4]}", ("m",), False)
        assert [ids[digest] for digest in secrets.digests(texts[-1]) if digest in ids] == [id]
    assert len(ids) == len(texts)
    return texts


def encrypt_keys(monkeypatch: pytest.MonkeyPatch, url: str, encryption_key: str, *arguments: str) -> int:
    for name, value in {"REDIS_URL": url, "ENCRYPTION_KEY": encryption_key}.items():
        monkeypatch.setenv(name, value)
    return main([*arguments])


@pytest.mark.parametrize(
    ("before", "said", "after"),
    [
        (PLAIN_ONLY, NEW, NEW_ONLY),
        (OLD_ONLY, f"{NEW},{OLD}", NEW_ONLY),
        (OLD_ONLY, f"off,{OLD}", PLAIN_ONLY),
    ],
    ids=["on", "over", "off"],
)
def test_all_keys_are_stored_as_it_says(
    own_server: EmbeddedRedis,
    own_redis: Redis,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    before: Secrets,
    said: str,
    after: Secrets,
) -> None:
    """Ids, notes and doubles stay; afterwards the new value alone opens them, and a second run has nothing to do."""
    first, second = secrets_of("1", 700), secrets_of("2", 3)
    add(own_redis, before, "1", first, "main")
    add(own_redis, before, "2", second)
    assert encrypt_keys(monkeypatch, own_server.url, said) == 0
    assert "main: 700 keys rewritten, 0 in line already\n2: 3 keys rewritten" in capsys.readouterr().out
    check(own_redis, after)
    assert readable(own_redis, after, "1") == first
    assert readable(own_redis, after, "2") == second
    assert noted(own_redis) == set(after.ids)
    assert add(own_redis, after, "1", ["sk-another", *first]) == 1
    held = dumped(own_redis)
    assert all((text.encode() in held) == (after is PLAIN_ONLY) for text in first + second)
    assert encrypt_keys(monkeypatch, own_server.url, SAID[after]) == 0
    assert "main: 0 keys rewritten, 701 in line already" in capsys.readouterr().out


def test_what_it_cannot_read_it_names_and_leaves(
    own_server: EmbeddedRedis, own_redis: Redis, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rest is brought in line. Only when it is told to it deletes what nobody can read, and nothing else."""
    add(own_redis, OLD_ONLY, "1", secrets_of("1", 300), "main")
    add(own_redis, Secrets([NEW, OLD]), "1", ["sk-new"])
    add(own_redis, Secrets([NEW, OLD]), "2", ["sk-other"])
    assert encrypt_keys(monkeypatch, own_server.url, NEW) == 1
    assert "does not open the keys of these channels: main (300)." in capsys.readouterr().err
    with pytest.raises(KeysUnreadable):
        check(own_redis, NEW_ONLY)
    assert sealed_by(own_redis, OLD_ONLY.ids) == {"main": {OLD_ONLY.first_id: 300}}
    assert encrypt_keys(monkeypatch, own_server.url, NEW, "--delete-unreadable") == 0
    assert "main: 300 keys deleted" in capsys.readouterr().out
    check(own_redis, NEW_ONLY)
    assert readable(own_redis, NEW_ONLY, "1") == ["sk-new"]
    assert readable(own_redis, NEW_ONLY, "2") == ["sk-other"]


def test_nothing_is_touched_without_the_key(
    own_server: EmbeddedRedis, own_redis: Redis, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add(own_redis, OLD_ONLY, "1", secrets_of("1", 3))
    before = dumped(own_redis)
    assert encrypt_keys(monkeypatch, own_server.url, "") == 1
    assert "ENCRYPTION_KEY is not set, and the keys of these channels are encrypted: 1 (3)" in capsys.readouterr().err
    assert dumped(own_redis) == before


def test_it_does_not_say_done_of_a_redis_that_was_emptied_meanwhile(
    own_server: EmbeddedRedis, own_redis: Redis, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For a gateway will write its keys back, as they were."""
    add(own_redis, OLD_ONLY, "1", secrets_of("1", 600))
    reseal_late, done = StoredKeys.reseal, []

    def emptied(self: StoredKeys, *arguments: Any) -> int:
        done.append(reseal_late(self, *arguments))
        own_redis.flushall()
        return done[-1]

    monkeypatch.setattr(StoredKeys, "reseal", emptied)
    assert encrypt_keys(monkeypatch, own_server.url, f"{NEW},{OLD}") == 1
    assert "Redis was emptied" in capsys.readouterr().err


def test_a_key_that_is_changed_meanwhile_stays_as_it_was_said(own_redis: Redis) -> None:
    add(own_redis, PLAIN_ONLY, "1", ["sk-1", "sk-2"])
    stored = StoredKeys(own_redis, NEW_ONLY)
    keys = [(key.sealed, key) for piece in pieces(stored, "1", Known()) for key in piece]
    changed = orjson.dumps({"value": "sk-1", "note": "by hand"})
    own_redis.hset(CHANNEL_KEYS + "1", keys[0][1].id, changed)
    assert stored.reseal("1", Known(), keys) == 1
    assert own_redis.hget(CHANNEL_KEYS + "1", str(keys[0][1].id)) == changed


def test_the_embedded_redis_is_started_for_the_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it works while the gateway is stopped; while one runs it works on that one's. No file holds what was."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    text = "sk-0123456789-of-an-account"

    def written() -> bool:
        return any(text.encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())

    with running_redis(tmp_path) as server, open_redis(server.url) as client:
        add(client, PLAIN_ONLY, "1", [text])
    assert written()
    assert encrypt_keys(monkeypatch, "", OLD) == 0
    assert not written()
    with running_redis(tmp_path) as server, open_redis(server.url) as client:
        assert readable(client, OLD_ONLY, "1") == [text]
        assert encrypt_keys(monkeypatch, "", f"{NEW},{OLD}") == 0
        assert readable(client, NEW_ONLY, "1") == [text]


@pytest.mark.parametrize("options", [{}, {"appendonly": "no", "save": "3600 1"}], ids=["append-only", "dump"])
def test_no_file_of_redis_holds_what_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, str]
) -> None:
    """Also where a run that was killed had rewritten the last key already."""
    text = b"sk-0123456789-of-an-account"

    def written() -> bool:
        return any(text in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())

    with running_redis(tmp_path) as server, open_redis(server.url) as client:
        for name, value in options.items():
            client.config_set(name, value)
        add(client, PLAIN_ONLY, "1", [text.decode()])
        client.save()
        wait_until(written, "a file holds it", 5)
        reseal(StoredKeys(client, OLD_ONLY), "1", Known(), lambda counts: None)
        if options:
            for file in tmp_path.rglob("appendonly*/*"):  # of before it was switched off
                file.unlink()
        else:
            (server.directory / "dump.rdb").unlink()  # of the save above
        assert encrypt_keys(monkeypatch, server.url, OLD) == 0
        assert not written()


@pytest.mark.soak
def test_killed_at_any_moment_it_goes_on_when_it_is_started_again(own_server: EmbeddedRedis, own_redis: Redis) -> None:
    """kill -9 in the middle: each key opens and is found all the same, and in the end none is lost or twice there."""
    count, dice = 1500, Random(7)
    texts = {channel_id: secrets_of(channel_id, count) for channel_id in ("1", "2")}
    for channel_id, of in texts.items():
        add(own_redis, OLD_ONLY, channel_id, of)
    environ = clean_environ(REDIS_URL=own_server.url, ENCRYPTION_KEY=f"{NEW},{OLD}")
    both, kills = Secrets([NEW, OLD]), 0

    def rewritten() -> int:
        return sum(of.get(NEW_ONLY.first_id, 0) for of in sealed_by(own_redis, NEW_ONLY.ids).values())

    while (begun := rewritten()) < 2 * count:
        goal = begun + dice.randrange(count // 4, count // 2)
        command = [sys.executable, str(ROOT / "scripts/encrypt_keys.py")]
        process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
        wait_until(lambda: process.poll() is not None or rewritten() > goal, "it is in the middle", 30)  # noqa: B023
        kills += process.poll() is None
        process.kill()
        process.wait()
        for channel_id, of in texts.items():
            assert readable(own_redis, both, channel_id) == of
    assert kills >= 2
    check(own_redis, NEW_ONLY)
    for channel_id, of in texts.items():
        assert readable(own_redis, NEW_ONLY, channel_id) == of
