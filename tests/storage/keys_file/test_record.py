"""What Redis knows of keys files."""

from __future__ import annotations

import time
from array import array

from app.storage.connections import CHANNEL_KEYS_FILE, Redis
from app.storage.keys_file.record import REMEMBERED_MS, RENEWED_MS, KeysFileRecord, Known


def test_each_source_knows_what_it_said_and_all_know_the_rest(own_redis: Redis) -> None:
    one, other = KeysFileRecord(own_redis, "one /keys.txt"), KeysFileRecord(own_redis, "other /keys.txt")
    assert (one.look(), list(one.ids())) == (Known("", "", ""), [])
    one.note("7", "https://one.example", array("Q", [2**63, 1]), "digest")
    assert one.look() == Known("7", "https://one.example", "digest")
    assert other.look() == Known("7", "https://one.example", "")
    assert list(other.ids()) == [2**63, 1]


def test_sources_that_are_long_gone_are_forgotten(own_redis: Redis) -> None:
    """Those that still look are not, though they have said nothing for long."""
    now_ms = time.time_ns() // 1_000_000
    quiet, gone = now_ms - RENEWED_MS - 1, now_ms - REMEMBERED_MS - 1
    own_redis.hset(CHANNEL_KEYS_FILE, mapping={"source quiet": f"digest {quiet}", "source gone": f"digest {gone}"})
    assert KeysFileRecord(own_redis, "quiet").look().said == "digest"
    assert int((own_redis.hget(CHANNEL_KEYS_FILE, "source quiet") or b"").split()[1]) >= now_ms
    KeysFileRecord(own_redis, "new").note("7", "", array("Q"), "digest")
    assert {b"source quiet", b"source new"} < set(own_redis.hkeys(CHANNEL_KEYS_FILE))
    assert own_redis.hget(CHANNEL_KEYS_FILE, "source gone") is None


def test_a_turn_ends_for_whoever_has_it(own_redis: Redis) -> None:
    one, other = KeysFileRecord(own_redis, "one"), KeysFileRecord(own_redis, "other")
    assert one.take_turn("a")
    assert not other.take_turn("b")
    other.end_turn("b")
    assert not other.take_turn("b")
    one.end_turn("a")
    assert other.take_turn("b")
