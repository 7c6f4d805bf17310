"""The latest rows in Redis are read piece by piece, and whatever stands among them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from app.core.request_log.filters import LogFilter
from app.storage.connections import LOG_ROWS, Redis
from app.storage.request_log import latest_rows
from app.storage.request_log.latest_rows import LatestRows
from app.storage.request_log.packed import packed, unpacked
from tests.support.log_rows import NOON_MS, book, called, kept, mapped


def fill(client: Redis, count: int, *, at_ms: int = NOON_MS, seq: int = 1, step_ms: int = 1) -> None:
    events = (mapped(f"{seq}-{n}", ended_at_ms=at_ms + n * step_ms + 500, status=200 + n % 2) for n in range(count))
    book(client, *events, seq=seq)


def test_a_span_of_time_is_half_open(own_redis: Redis) -> None:
    """From its first moment to before its last."""
    fill(own_redis, 100)
    wanted = LogFilter(from_ms=NOON_MS + 10, to_ms=NOON_MS + 20, statuses=frozenset({200}))
    found = [one.row.at_ms - NOON_MS for one in kept(own_redis, wanted)]
    assert found == [18, 16, 14, 12, 10]


def test_no_step_of_a_search_takes_long(own_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 rows are looked through in pieces of less than 5 ms of CPU, after each of which others have their turn."""
    events = [called(str(n), use={"user_agent": "u" * 200, "reason": "r" * 300}) for n in range(10_000)]
    book(own_redis, *events)
    steps: list[float] = []
    marks = [time.thread_time()]

    def note() -> None:
        steps.append(time.thread_time() - marks[-1])
        marks.append(time.thread_time())

    monkeypatch.setattr(latest_rows, "give_way", note)
    marks.append(time.thread_time())
    assert list(LatestRows(own_redis).each(LogFilter(q="nowhere"))) == []
    assert len(steps) >= 49
    assert sorted(steps)[-3] < 0.005, sorted(steps)[-5:]


def test_rows_of_other_versions_are_read() -> None:
    """What an older one lacks is not known, what a newer one adds is passed over, and what is none is no row."""
    row = kept_row = unpacked(packed(_row(), 7))
    assert kept_row is not None
    assert (row and row.id, kept_row.row) == (7, _row())
    member = packed(_row(), 7)
    assert unpacked(member.removesuffix(b"]") + b',"new"]') == kept_row
    shorter = unpacked(member.replace(b',"curl/8",1]', b"]"))
    assert shorter is not None
    assert shorter.row == _row()._replace(user_agent="", attempts=0)
    assert [unpacked(bad) for bad in (b"", b"x", member[:40], b"0" * 30 + b"{}")] == [None] * 4


def _row() -> Any:
    from app.core.request_log.rows import rows_of

    return rows_of(called(), NOON_MS + 500)[0]


def test_nonsense_in_the_log_is_passed_over(own_redis: Redis) -> None:
    """Somebody's hand may have written there."""
    fill(own_redis, 3)
    own_redis.zadd(LOG_ROWS, {b"nonsense": 0, b"2" * 30: 0, b"2" * 30 + b"[]x": 0})
    assert len(kept(own_redis)) == 3
