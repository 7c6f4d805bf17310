"""A channel whose keys are those of a file, whatever becomes of file, channel and keys."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.channels.keys import KeyState
from app.storage.catalog import channels
from app.storage.connections import CHANNEL_KEYS, CHANNEL_KEYS_FILE, CHANNEL_KEYS_FILE_TURN, Redis
from app.storage.embedded import EmbeddedRedis
from app.storage.secrets import Secrets
from tests.support.channels import said_of_channel
from tests.support.keys_file import Machine, fine
from tests.support.own_redis import kill, revive
from tests.support.waiting import wait_until

New = Callable[..., Machine]


@pytest.fixture(autouse=True)
def two_looks_are_far_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is the same at the second rests."""
    monkeypatch.setattr("app.storage.keys_file.keeper.RESTED_S", 0.0)


def test_its_keys_are_those_of_the_file_in_its_order(new_machine: New) -> None:
    """They come and go as the file changes; those that stay are the same as before."""
    one = new_machine()
    assert one.say("# mine", "sk-b", "sk-a", "sk-b") == ["sk-b", "sk-a"]
    channel = one.channels["keys-file"]
    assert (channel.dialects, [entry.name for entry in channel.models]) == ({"openai", "responses"}, ["*"])
    assert [url.url for url in channel.urls] == ["https://one.example"]
    [kept] = [key.id for key in one.edits.page(channel.id, q="sk-a").keys]
    assert one.say("sk-a", "sk-c") == ["sk-a", "sk-c"]
    assert one.edits.reveal(channel.id, kept) == "sk-a"
    assert one.say("# none any more") == []


def test_a_file_that_says_nothing_new_is_not_taken_again(new_machine: New) -> None:
    """Neither by another process nor after a restart: a key that was deleted by hand stays away till it changes."""
    one = new_machine()
    one.say("sk-a", "sk-b")
    channel_id = one.channels["keys-file"].id
    one.edits.delete(channel_id, one.edits.ids(channel_id)[:1])
    other = new_machine()
    assert one.look()
    assert other.look()
    assert one.keys() == ["sk-b"]
    assert other.say("sk-a", "sk-b", "sk-c") == ["sk-b", "sk-a", "sk-c"]


def test_who_asks_has_it_as_it_stands(new_machine: New) -> None:
    """Although it was changed this moment, and also where it says nothing new."""
    one = new_machine()
    assert one.keeper_of_file.read_again() == "", "there is no file"
    one.say("sk-a")
    one.write("sk-b", "sk c", age_s=0)
    told = one.keeper_of_file.read_again()
    assert told.startswith("one.txt: 1 key: 1 added, 1 removed; left out as no keys: line 2")
    channel_id = one.channels["keys-file"].id
    one.edits.delete(channel_id, one.edits.ids(channel_id))
    one.keeper_of_file.read_again()
    assert one.keys() == ["sk-b"]
    one.file.unlink()
    assert one.keeper_of_file.read_again() == "one.txt is not there; its keys stay"


def test_a_file_that_is_being_written_is_waited_for(new_machine: New) -> None:
    """Half a file takes no key away and half a line adds none. Only the start of a process waits for nothing, and then
    nothing is taken away before the file rests."""
    one = new_machine()
    one.say("sk-a", "sk-b")
    assert one.say("sk-a", "sk-hal", age_s=0) == ["sk-a", "sk-b"]
    assert one.say("sk-a", "sk-half", age_s=0) == ["sk-a", "sk-b"]
    one.look()
    assert one.keys() == ["sk-a", "sk-half"], "it has not changed since the look before"
    other = new_machine()
    assert other.say("sk-c", age_s=0) == ["sk-a", "sk-half", "sk-c"]
    other.look()
    assert other.keys() == ["sk-c"]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda file: file.unlink(), "one.txt is not there; its keys stay until it is back"),
        (lambda file: file.write_bytes(b""), "one.txt is empty; its keys stay. To be without any"),
        (lambda file: file.write_bytes(b"two words"), "one.txt holds no key: one in a line"),
        (lambda file: file.write_bytes("sk-x".encode("utf-16")), "one.txt is no text in UTF-8; what was read last"),
        (lambda file: file.write_bytes(b"PK\3\4\0\0\nsk-x\n"), "one.txt is no text in UTF-8; what was read last"),
        (lambda file: (file.unlink(), file.mkdir()), "one.txt is no file; its keys stay"),
        (lambda file: (file.unlink(), os.mkfifo(file)), "one.txt is no file; its keys stay"),
        (lambda file: (file.unlink(), file.symlink_to(file)), "one.txt cannot be read: Too many levels"),
    ],
)
def test_keys_stay_where_the_file_is_none_and_it_is_said_once(
    new_machine: New, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], object], told: str
) -> None:
    """A file that is back is taken, and a second trouble is told again."""
    one = new_machine()
    one.say("sk-a")
    for _ in range(2):
        caplog.clear()
        spoil(one.file)
        for _ in range(4):
            one.look()
        said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert len(said) == 1
        assert said[0].startswith(told)
        assert one.keys() == ["sk-a"]
        one.file.rmdir() if one.file.is_dir() else one.file.unlink(missing_ok=True)
        assert one.say("sk-a", "sk-b") == ["sk-a", "sk-b"]
        assert one.say("sk-a") == ["sk-a"]


def test_bad_lines_are_told_once_by_their_numbers_and_never_shown(
    new_machine: New, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = new_machine(), new_machine()
    assert one.say("sk-a", "sk-secret with a blank", "sk-b", age_s=0) == ["sk-a", "sk-b"]
    for machine in (one, other, one):
        machine.look()
    [said] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "left out as no keys: line 2 " in said
    assert "secret" not in caplog.text


def test_what_the_operator_says_of_the_channel_stays(new_machine: New) -> None:
    """Its name and all else, keys that he added, and whether a key is enabled; other urls are followed once."""
    one = new_machine()
    one.say("sk-a")
    channel_id = one.channels["keys-file"].id
    changes = {"name": "mine", "enabled": False, "priority": 7, "urls": [{"url": "https://two.example"}]}
    channels.update(one.catalog, {channel_id: changes}, fine)
    one.edits.add(channel_id, ["sk-hand"])
    one.edits.enable(channel_id, one.edits.ids(channel_id)[:1], False)
    one.write("sk-a", "sk-b")
    one.look()
    assert one.keys("mine") == ["sk-a", "sk-hand", "sk-b"]
    assert len(one.edits.ids(channel_id, [KeyState.DISABLED])) == 1
    [channel] = one.channels.values()
    assert (channel.enabled, channel.priority, channel.urls[0].url) == (False, 7, "https://two.example")
    moved = new_machine("one", "https://three.example", "https://four.example")
    moved.look()
    assert [url.url for url in moved.channels["mine"].urls] == ["https://three.example", "https://four.example"]


def test_a_channel_that_was_deleted_comes_back_with_its_keys(
    new_machine: New, caplog: pytest.LogCaptureFixture
) -> None:
    """As long as there is the file, and it is said what to do. Without the file nothing comes."""
    one = new_machine()
    one.say("sk-a")
    for lines, expected in ((("sk-a",), ["sk-a"]), ((), [])):
        channel_id = one.channels["keys-file"].id
        channels.delete(one.catalog, [channel_id])
        one.edits.drop(channel_id)
        if not lines:
            one.file.unlink()
        one.look()
        assert list(one.channels) == ["keys-file"] * bool(expected)
        assert not expected or one.keys() == expected
    assert caplog.text.count("is gone and made again") == 1


def test_keys_go_to_no_channel_that_leads_elsewhere(new_machine: New, caplog: pytest.LogCaptureFixture) -> None:
    """One of that name that was there before is left alone, and told, until it has another name."""
    one = new_machine()
    theirs = channels.add(one.catalog, said_of_channel("Keys-File", urls=[{"url": "https://strange.example"}]), fine)
    one.edits.add(theirs.id, ["sk-theirs"])
    one.write("sk-a")
    for _ in range(3):
        assert one.look()
    assert one.keys("Keys-File") == ["sk-theirs"]
    [said] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "https://strange.example. Give that channel another name" in said
    assert said in one.keeper_of_file.read_again()
    channels.update(one.catalog, {theirs.id: {"name": "theirs"}}, fine)
    one.look()
    assert (one.keys("theirs"), one.keys()) == (["sk-theirs"], ["sk-a"])


def test_a_channel_of_that_name_and_those_urls_is_taken_over(new_machine: New, own_redis: Redis) -> None:
    """As after a loss of what Redis knew of the file: no second one, and no key of somebody else's is deleted."""
    one = new_machine()
    one.say("sk-a", "sk-b")
    own_redis.delete(CHANNEL_KEYS_FILE)
    assert one.say("sk-b") == ["sk-a", "sk-b"]
    assert one.say("sk-c") == ["sk-a", "sk-c"]
    assert list(one.channels) == ["keys-file"]


def test_an_address_that_is_refused_is_told(new_machine: New, caplog: pytest.LogCaptureFixture) -> None:
    one = new_machine("one", "https://refused.example")
    one.write("sk-a")
    assert one.look()
    assert one.channels == {}
    assert "serve nothing: OPENAI_BASE_URL: refused.example may not be dialled: see EGRESS_ALLOW" in caplog.text


def test_of_several_machines_the_file_that_changed_last_has_its_way(new_machine: New) -> None:
    """And no other takes it back, neither by looking nor by a restart. Who has no file says nothing."""
    one, two, none = new_machine("one"), new_machine("two"), new_machine("none")
    one.say("sk-a", "sk-b")
    assert two.say("sk-b", "sk-c") == ["sk-b", "sk-c"]
    for machine in (one, none, new_machine("one"), two):
        assert machine.look()
    assert one.keys() == ["sk-b", "sk-c"]
    assert one.say("sk-d") == ["sk-d"]
    assert two.look()
    assert two.keys() == ["sk-d"]


def test_a_process_that_was_killed_in_between_leaves_nothing_undone(
    new_machine: New, own_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one takes the file as soon as the other's turn has run out: no key twice, none lost."""
    one, other = new_machine(), new_machine()
    one.say("sk-a", "sk-old")
    lines = [f"sk-{number}" for number in range(2_500)]
    one.write("sk-a", *lines)
    added = one.edits.add

    def die(channel_id: str, secrets: list[str]) -> object:
        added(channel_id, secrets)
        raise KeyboardInterrupt

    monkeypatch.setattr(one.edits, "add", die)
    monkeypatch.setattr(one.taking._record, "end_turn", lambda holder: None)
    with pytest.raises(KeyboardInterrupt):
        one.look()
    assert own_redis.pttl(CHANNEL_KEYS_FILE_TURN) in range(1, 5_001)
    assert not other.look(), "it is the other's turn still"
    own_redis.delete(CHANNEL_KEYS_FILE_TURN)
    assert other.look()
    assert other.keys() == ["sk-a", *lines]


def test_a_redis_that_refuses_is_told(new_machine: New, own_redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    """Once; when it takes what it is given again, the file is taken."""
    one = new_machine()
    one.say("sk-a")
    one.write("sk-a", "sk-b")
    own_redis.config_set("maxmemory", "1")
    try:
        for _ in range(3):
            assert not one.look()
    finally:
        own_redis.config_set("maxmemory", "0")
    assert caplog.text.count("one.txt cannot be taken: Redis refuses: its memory is full") == 1
    assert one.look()
    assert one.keys() == ["sk-a", "sk-b"]


def test_two_processes_at_once_add_no_key_twice(new_machine: New, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though both believe that it is their turn."""
    machines = [new_machine() for _ in range(3)]
    lines = [f"sk-{number}" for number in range(1_200)]
    machines[0].write(*lines)
    for machine in machines:
        monkeypatch.setattr(machine.taking._record, "take_turn", lambda holder: True)
    threads = [threading.Thread(target=machine.look) for machine in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(machines[0].keys()) == sorted(lines)
    assert list(machines[0].channels) == ["keys-file"]


def test_keys_are_known_again_under_another_encryption_key(new_machine: New, own_redis: Redis) -> None:
    """A line stays the same key when ENCRYPTION_KEY is turned on and over; what is added is sealed."""
    plain = new_machine()
    plain.say("sk-a")
    channel_id = plain.channels["keys-file"].id
    sealing = new_machine(secrets=Secrets(["old"], 1))
    assert sealing.say("sk-a", "sk-b") == ["sk-a", "sk-b"]
    assert b"sk-b" not in b"".join(own_redis.hvals(CHANNEL_KEYS + channel_id))
    turned = new_machine(secrets=Secrets(["new", "old"], 1))
    assert turned.keeper_of_file.read_again() == "one.txt: 2 keys: 0 added, 0 removed"
    assert turned.say("sk-b") == ["sk-b"]


def test_looks_in_quick_succession_are_no_proof_of_rest(new_machine: New, monkeypatch: pytest.MonkeyPatch) -> None:
    one = new_machine()
    one.say("sk-a", "sk-b")
    monkeypatch.setattr("app.storage.keys_file.keeper.RESTED_S", 60.0)
    for _ in range(3):
        assert one.say("sk-half", age_s=0) == ["sk-a", "sk-b"]
        assert not one.look()


def test_a_change_is_found_that_leaves_no_mark(new_machine: New) -> None:
    """Where it is changed twice within a tick of the disk's clock; so what was changed this moment is read again."""
    one = new_machine()
    one.say("sk-a")
    one.write("sk-b", age_s=0)
    one.keeper_of_file.read_again()
    stamp = one.file.stat().st_mtime_ns
    one.file.write_text("sk-c\n")
    os.utime(one.file, ns=(stamp, stamp))
    assert not one.look(), "it may still be written"
    assert one.look()
    assert one.keys() == ["sk-c"]


def test_a_start_waits_for_its_keys_and_then_watches(new_machine: New, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is there is served with the first call; one that comes later is found."""
    monkeypatch.setattr("app.storage.keys_file.keeper.LOOK_S", 0.05)
    one, later = new_machine(), new_machine("later")
    one.write("sk-a", age_s=0)
    try:
        one.keeper_of_file.start()
        assert one.keys() == ["sk-a"]
        later.keeper_of_file.start()
        later.write("sk-b")
        wait_until(lambda: later.keys() == ["sk-b"], "it was found")
    finally:
        one.keeper_of_file.stop()
        later.keeper_of_file.stop()


def test_a_redis_that_is_away_is_waited_for(new_machine: New, own_server: EmbeddedRedis) -> None:
    """The file is taken when it is back, whatever it was before."""
    one = new_machine()
    one.say("sk-a")
    one.write("sk-b")
    kill(own_server)
    assert not one.look()
    revive(own_server)
    wait_until(one.look, "it is taken")
    assert one.keys() == ["sk-b"]


def test_who_waits_for_another_process_reads_the_file_once(
    new_machine: New, own_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long file is not read again and again while somebody else takes it."""
    one = new_machine()
    one.write("sk-a")
    reads = []
    read = one.keeper_of_file._file.read
    monkeypatch.setattr(one.keeper_of_file._file, "read", lambda: reads.append(1) or read())
    own_redis.set(CHANNEL_KEYS_FILE_TURN, "another")
    for _ in range(5):
        assert not one.look()
    assert len(reads) == 1
    own_redis.delete(CHANNEL_KEYS_FILE_TURN)
    assert one.look()
    assert one.keys() == ["sk-a"]
