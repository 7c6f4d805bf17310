"""A backup taken by an empty gateway makes it the same; one that cannot be taken changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from app import waiting
from app.core.backup.form import BackupRefused
from app.core.channels.keys import StoredKey
from app.storage.backup import writing
from app.storage.backup.passphrase import cipher_of, new_cipher
from app.storage.backup.reading import read
from app.storage.backup.restoring import Decision
from app.storage.backup.writing import Backup
from app.storage.catalog import channels, mappings, settings
from app.storage.connections import Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.keys.form import Edit, Known
from tests.support.backups import PASSPHRASE, SECRETS, Keeping, document_of, nothing
from tests.support.turns import steps_of


@pytest.fixture(autouse=True, scope="module")
def quick_scrypt() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.storage.backup.passphrase.SCRYPT", {"n": 1 << 4, "r": 8, "p": 1})
        yield


def names(decision: Decision) -> dict[str, tuple[list[str], list[str], list[str]]]:
    return {one.noun: (one.added, one.changed, one.removed) for one in decision.nouns if one}


@pytest.fixture
def other_redis(own_server: EmbeddedRedis) -> Any:
    """Of another gateway: a database of its own on the same server."""
    with open_redis(f"{own_server.url}?db=1") as client:
        client.flushdb()
        yield client
        client.flushdb()


@pytest.mark.parametrize("encryption_keys", [[], ["a" * 43]])
def test_an_empty_gateway_becomes_the_same(own_redis: Redis, other_redis: Redis, encryption_keys: list[str]) -> None:
    """Whatever seals the keys of either, with ids, notes, models, the blacklist; and its backup is equal."""
    first = Keeping(own_redis, "b" * 43)
    first.say_something()
    cipher = new_cipher(PASSPHRASE)
    told = first.backup(cipher)
    second = Keeping(other_redis, *encryption_keys)
    second.restore(told, cipher_of(told["encryption"], PASSPHRASE)).take()
    assert Keeping(other_redis, *encryption_keys).opened() == first.opened()
    blacklisted = [(channel, id) for channel, id, _ in second.health.blacklisted()]
    assert blacklisted == [("1", "7")]
    again = Keeping(other_redis, *encryption_keys).restore(told, cipher).decide()
    assert (names(again), again.edits, again.key_counts) == ({}, [], {"added": 0, "changed": 0, "removed": 0})


def test_who_comes_after_has_ids_of_his_own(own_redis: Redis, other_redis: Redis) -> None:
    """No id that the backup gave is given again, of keys, channels, access tokens."""
    first, second = Keeping(own_redis), Keeping(other_redis)
    first.say_something()
    cipher = new_cipher(PASSPHRASE)
    second.restore(first.backup(cipher), cipher).take()
    assert second.channel("three") == "3"
    second.add_keys("3", ["sk-three"])
    assert list(second.pools.of("3").ids) == [302]


def test_a_preview_says_what_would_change_and_changes_nothing(own_redis: Redis) -> None:
    """By noun and name; of keys how many. The restore then does just that."""
    process = Keeping(own_redis)
    process.say_something()
    cipher = new_cipher(PASSPHRASE)
    told, before = process.backup(cipher), process.opened()
    mappings.delete(process.catalog, "/a")
    mappings.add(process.catalog, "/c", "https://c.example")
    channels.update(process.catalog, {"2": {"priority": 8}})
    third = process.channel("three")
    process.add_keys(third, ["sk-three"])
    process.add_keys("2", ["sk-two-001"])
    process.change_key("1", 3, note="yours")
    for id in (1, 2):
        pool = process.pools.of("1")
        process.pools.stored.change("1", process.pools.load(), [Edit(pool.stored_at(pool.place_of(id)), None)])
    there = process.opened()
    decision = process.restore(told, cipher).decide()
    assert names(decision) == {"mappings": (["/a"], [], ["/c"]), "channels": ([], ["二"], ["three"])}
    assert decision.key_counts == {"added": 2, "changed": 1, "removed": 2}
    assert process.opened() == there
    process.restore(told, cipher).take()
    after = process.opened()
    assert after["tables"].pop("channels:last_id") == {"last": "3"}
    before["tables"].pop("channels:last_id")
    assert after == before
    assert process.secrets_of(third) == []


def test_without_a_passphrase_no_secret_stands_in_it_and_none_is_lost(own_redis: Redis, other_redis: Redis) -> None:
    """A restore leaves what is known of them as it is, and says what is missing where nothing is known."""
    first = Keeping(own_redis)
    first.say_something()
    told = first.backup(None)
    text = json.dumps(told)
    for secret in SECRETS:
        assert secret not in text
    before = first.opened()
    channels.update(first.catalog, {"1": {"priority": 8}})
    first.restore(told, None).take()
    assert first.opened() == before
    second = Keeping(other_redis)
    decision = second.restore(told, None).take()
    assert second.secrets_of("1") == []
    assert len(second.catalog.snapshot.channels) == 2
    assert sum("lacks secrets" in note for note in decision.notes) == 2
    assert any("keys" in note for note in decision.notes)


def test_keys_that_its_gateway_could_not_open_come_back_where_they_can_be(own_redis: Redis, other_redis: Redis) -> None:
    """As they are sealed; a gateway that cannot open them either takes nothing, and says what would do."""
    old, cipher = Keeping(own_redis, "a" * 43), new_cipher(PASSPHRASE)
    old.add_keys(old.channel("one"), ["sk-of-old"])
    told = Keeping(own_redis, "b" * 43).backup(cipher)
    with pytest.raises(BackupRefused, match="Put that behind a comma in ENCRYPTION_KEY") as refused:
        Keeping(other_redis, "b" * 43).restore(told, cipher).take()
    assert refused.value.code == "key_unreadable"
    assert list(other_redis.scan_iter("apiproxy:{channels}:keys:*")) == []
    able = Keeping(other_redis, "b" * 43, "a" * 43)
    able.restore(told, cipher).take()
    assert able.secrets_of("1") == ["sk-of-old"]


DAMAGES: list[tuple[str, Callable[[dict[str, Any]], object], str]] = [
    ("no form", lambda told: told.pop("backup"), "backup_damaged"),
    ("newer", lambda told: told.update(backup=2, product="9.9"), "backup_newer"),
    ("no encryption", lambda told: told.pop("encryption"), "backup_damaged"),
    (
        "another table",
        lambda told: told["entries"].append({"table": "x", "field": "y", "value": "z"}),
        "backup_damaged",
    ),
    ("a key of nobody", lambda told: told["entries"].append({"channel": "9", "keys": []}), "backup_damaged"),
    ("a key twice", lambda told: told["entries"].append(told["entries"][-1]), "backup_damaged"),
    ("a secret elsewhere", lambda told: swap(told["entries"]), "backup_damaged"),
]


def swap(entries: list[dict[str, Any]]) -> None:
    keys = next(entry["keys"] for entry in entries if "keys" in entry)
    keys[0]["secret"], keys[1]["secret"] = keys[1]["secret"], keys[0]["secret"]


@pytest.mark.parametrize(("damage", "code"), [one[1:] for one in DAMAGES], ids=[one[0] for one in DAMAGES])
def test_what_is_damaged_is_refused_and_changes_nothing(
    own_redis: Redis, damage: Callable[[dict[str, Any]], object], code: str
) -> None:
    process = Keeping(own_redis)
    process.say_something()
    cipher = new_cipher(PASSPHRASE)
    told, before = process.backup(cipher), process.opened()
    damage(told)
    with pytest.raises(BackupRefused, match="nothing was changed") as refused:
        process.restore(told, cipher).take()
    assert refused.value.code == code
    assert process.opened() == before


def test_another_passphrase_opens_nothing() -> None:
    with pytest.raises(BackupRefused) as refused:
        cipher_of(new_cipher(PASSPHRASE).told, b"another one")
    assert refused.value.code == "passphrase_wrong"


def test_a_document_cannot_ask_for_more_memory_than_there_is() -> None:
    told = new_cipher(PASSPHRASE).told | {"n": 1 << 40}
    with pytest.raises(BackupRefused, match="too much"):
        cipher_of(told, PASSPHRASE)


def test_it_is_one_change(own_redis: Redis, other_redis: Redis) -> None:
    """What others say in between is seen: it is decided anew, so nothing stays half."""
    first, cipher = Keeping(own_redis), new_cipher(PASSPHRASE)
    first.say_something()
    told = first.backup(cipher)
    second, other = Keeping(other_redis), Keeping(other_redis)
    work = second.restore(told, cipher)
    decide, decided = work._decide, []

    def meanwhile() -> Any:
        found = decide()
        if not decided:
            mappings.add(other.catalog, "/a", "https://theirs.example")
        decided.append(found)
        return found

    work._decide = meanwhile  # type: ignore[method-assign]
    version = other.catalog.load().version
    work.take()
    assert len(decided) == 2
    assert Keeping(other_redis).opened() == first.opened()
    assert other.catalog.load().version == version + 2


def test_a_setting_that_lets_anybody_in_is_not_taken_where_anybody_comes(own_redis: Redis, other_redis: Redis) -> None:
    first, second = Keeping(own_redis), Keeping(other_redis)
    settings.change(first.catalog, {"anonymous_channels": True})
    decision = second.restore(first.backup(None), None, only_here=False).take()
    assert not second.catalog.snapshot.settings.anonymous_channels
    assert any("anonymous_channels" in note for note in decision.notes)


def test_it_is_written_in_short_pieces(own_redis: Redis) -> None:
    process = Keeping(own_redis)
    process.say_something()
    pieces = list(
        Backup(process.catalog, process.pools, process.health, new_cipher(PASSPHRASE), nothing).written("", 1)
    )
    assert len(pieces) > 2
    assert max(map(len, pieces)) < 3 * writing.PIECE_BYTES


@pytest.mark.timing
def test_others_have_their_turns(own_redis: Redis, other_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """CPU time of one step of a backup and a restore of very many keys, where a machine is three times slower."""
    longest_ms = _longest_step_ms(own_redis, other_redis, monkeypatch, 3_000)
    assert longest_ms < 15


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_100_000_keys_go_out_and_in_while_others_have_their_turns(
    own_redis: Redis, other_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest_ms = _longest_step_ms(own_redis, other_redis, monkeypatch, 100_000)
    assert longest_ms < 15


def _longest_step_ms(redis: Redis, other: Redis, monkeypatch: pytest.MonkeyPatch, count: int) -> float:
    first, second, cipher = Keeping(redis, "a" * 43), Keeping(other, "b" * 43), new_cipher(PASSPHRASE)
    channel = first.channel("one")
    for begin in range(0, count, 1_000):
        new = [(f"sk-{number:040}", StoredKey(0, "")) for number in range(begin, begin + 1_000)]
        first.pools.stored.add(channel, Known(), new)

    def pause() -> None:
        waiting.give_way()

    first.pools.load()
    with steps_of(monkeypatch, waiting) as steps:
        pieces = list(Backup(first.catalog, first.pools, first.health, cipher, pause).written("0.1.0", 1))
        pause()
        took = list(steps)
    told = json.loads(b"".join(pieces))
    document = document_of({**told, "entries": []}, cipher)
    entries = pieces_of(pieces)
    with steps_of(monkeypatch, waiting) as steps:
        document = read(document.heading, cipher, entries, pause)
        second.restoring(document, pause).take()
        pause()
        took += steps
    assert second.secrets_of("1") == [f"sk-{number:040}" for number in range(count)]
    return 1000 * max(took)


def pieces_of(document: list[bytes]) -> list[bytes]:
    """The text of its entries as it comes by a connection."""
    text = b"".join(document)
    text = text[text.index(b"[") : text.rindex(b"]") + 1]
    return [text[begin : begin + 65_536] for begin in range(0, len(text), 65_536)]
