"""Bodies of calls in Redis: for their time, within a bound, and sealed where anything is."""

from __future__ import annotations

import os
from typing import Any

import pytest

from app.storage.connections import LOG_BODIES, LOG_BODIES_BYTES, LOG_BODIES_INDEX, Redis
from app.storage.request_log import bodies
from app.storage.request_log.bodies import StoredBodies
from app.storage.secrets import PREFIX, Secrets

NOW_MS = 1_790_000_000_000


def told(text: str = "hello") -> dict[str, Any]:
    return {"request": {"text": text}, "answer": {"text": text}}


def test_what_is_kept_is_found_until_its_time_is_over(own_redis: Redis) -> None:
    """By the id of its request; the key itself expires, and what is told of it goes with the next one."""
    stored = StoredBodies(own_redis, Secrets())
    stored.put("a", told(), NOW_MS, 60_000)
    assert stored.get("a") == told()
    assert stored.get("b") is None
    assert 0 < own_redis.pttl(LOG_BODIES + "a") <= 60_000
    stored.put("c", told(), NOW_MS + 60_000, 60_000)
    assert own_redis.llen(LOG_BODIES_INDEX) == 1
    assert own_redis.get(LOG_BODIES_BYTES) == str(own_redis.strlen(LOG_BODIES + "c")).encode()


def test_the_oldest_go_where_there_is_no_room(own_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """All together stay within the bound, whatever comes."""
    monkeypatch.setattr(bodies, "MOST_BYTES", 10_000)
    stored = StoredBodies(own_redis, Secrets())
    for number in range(20):
        stored.put(str(number), told(os.urandom(500).hex()), NOW_MS, 60_000)
    sizes = [own_redis.strlen(key) for key in own_redis.keys(LOG_BODIES + "*")]
    assert 5_000 < sum(sizes) <= 10_000
    assert own_redis.get(LOG_BODIES_BYTES) == str(sum(sizes)).encode()
    assert stored.get("19") is not None
    assert stored.get("0") is None
    stored.put("too long", told(os.urandom(20_000).hex()), NOW_MS, 60_000)
    assert own_redis.keys(LOG_BODIES + "*") == []


def test_an_encryption_key_seals_them(own_redis: Redis) -> None:
    """For its request alone; with another key nothing is told of them."""
    stored = StoredBodies(own_redis, Secrets(["one key"], rounds=1))
    stored.put("a", told(), NOW_MS, 60_000)
    kept = own_redis.get(LOG_BODIES + "a")
    assert kept is not None
    assert kept.startswith(PREFIX.encode())
    assert stored.get("a") == told()
    assert StoredBodies(own_redis, Secrets(["another"], rounds=1)).get("a") is None
