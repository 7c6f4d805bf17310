"""The sums that anybody may ask for cost one reading of the log in a few seconds, whoever asks how often."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from app.core.request_log.filters import LogFilter
from app.core.request_log.rows import LogRow
from app.storage.connections import Redis
from app.storage.request_log import booking, latest_rows
from app.storage.request_log.latest_rows import LatestRows
from app.storage.request_log.latest_sums import KEPT_MS, PAUSE_MS, LatestSums
from tests.support.log_rows import NOON_MS, book, called


class Counted(LatestRows):
    """Tells how often it was read; may be away."""

    readings = 0
    is_away = False

    def whole_since_ms(self) -> int:
        self.readings += 1
        if self.is_away:
            raise redis.ConnectionError("away")
        return super().whole_since_ms()

    def each(self, wanted: LogFilter) -> Iterator[LogRow]:
        return super().each(wanted)


def test_all_who_ask_at_once_are_told_what_one_found(own_redis: Redis) -> None:
    """And for a few seconds after that; then it is read anew."""
    book(own_redis, called("1"))
    log = Counted(own_redis)
    sums = LatestSums(log)
    gate = threading.Barrier(8)

    def ask(_: int) -> int:
        gate.wait()
        return sum(part.good for part in sums.read(NOON_MS).between(0, NOON_MS * 2).values())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [1] * 8
    assert log.readings == 1
    book(own_redis, called("2"), seq=2)
    assert sums.read(NOON_MS + KEPT_MS - 1).now_ms == NOON_MS
    assert sums.read(NOON_MS + KEPT_MS).between(0, NOON_MS * 2)["openai"].good == 2
    assert log.readings == 2


def test_while_redis_is_away_it_is_asked_once_a_second(own_redis: Redis) -> None:
    """The others are told so at once."""
    log = Counted(own_redis)
    log.is_away = True
    sums = LatestSums(log)
    for later_ms in (0, 1, PAUSE_MS - 1):
        with pytest.raises(redis.ConnectionError):
            sums.read(NOON_MS + later_ms)
    assert log.readings == 1
    log.is_away = False
    assert sums.read(NOON_MS + PAUSE_MS).between(0, NOON_MS) == {}


def test_it_is_known_from_when_on_the_log_is_whole(own_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that went are missing in the sums."""
    book(own_redis, called("1"))
    assert LatestSums(LatestRows(own_redis)).read(NOON_MS).whole_since_ms == 0
    monkeypatch.setattr(booking, "MOST_ROWS", 2)
    monkeypatch.setattr(latest_rows, "MOST_ROWS", 2)
    events = [called(str(place), ended_at_ms=NOON_MS + 500 + place) for place in range(2, 5)]
    book(own_redis, *events, seq=2)
    assert LatestSums(LatestRows(own_redis)).read(NOON_MS).whole_since_ms == NOON_MS + 3
