"""The log is read page by page, whole, while rows come in, and without holding anybody up."""

from __future__ import annotations

import time
from typing import Any

import pytest

from app.core.request_log.filters import LogFilter
from app.storage.connections import LOG_ROWS, Redis
from app.storage.request_log import reading
from app.storage.request_log.packed import packed, unpacked
from app.storage.request_log.reading import RequestLog, is_place
from tests.support.log_rows import ALL, NOON_MS, book, called, failed_attempt, kept, mapped


def fill(client: Redis, count: int, *, at_ms: int = NOON_MS, seq: int = 1, step_ms: int = 1) -> None:
    events = (mapped(f"{seq}-{n}", ended_at_ms=at_ms + n * step_ms + 500, status=200 + n % 2) for n in range(count))
    book(client, *events, seq=seq)


def test_pages_follow_each_other_while_rows_come_in(own_redis: Redis) -> None:
    """Each row that was there at the first page is on one page, once; those that come later are on none."""
    fill(own_redis, 1_000)
    log = RequestLog(own_redis)
    rows, after = log.page(ALL, "", 70)
    seq = 2
    while after:
        fill(own_redis, 30, at_ms=NOON_MS + 100_000, seq=seq)
        seq += 1
        more, after = log.page(ALL, after, 70)
        rows += more
    assert [one.row.request_id for one in rows] == [f"1-{n}" for n in range(999, -1, -1)]


@pytest.mark.parametrize("limit", [1, 199, 200, 201, 500])
def test_rows_of_one_moment_are_paged_too(own_redis: Redis, limit: int) -> None:
    """By their ids: more of them than are read at once are neither lost nor told twice."""
    fill(own_redis, 450, step_ms=0)
    log = RequestLog(own_redis)
    found, after = log.page(ALL, "", limit)
    while after:
        assert is_place(after)
        more, after = log.page(ALL, after, limit)
        found += more
    assert [one.row.request_id for one in found] == [f"1-{n}" for n in range(449, -1, -1)]


def test_the_last_page_says_that_it_is_the_last(own_redis: Redis) -> None:
    """Also where as many rows are left as a page holds, and none fits."""
    log = RequestLog(own_redis)
    assert log.page(ALL, "", 5) == ([], "")
    fill(own_redis, 5)
    rows, after = log.page(ALL, "", 5)
    assert (len(rows), after) == (5, "")
    assert log.page(LogFilter(q="nowhere"), "", 5) == ([], "")


def test_a_span_of_time_is_half_open(own_redis: Redis) -> None:
    """From its first moment to before its last, on every page."""
    fill(own_redis, 100)
    wanted = LogFilter(from_ms=NOON_MS + 10, to_ms=NOON_MS + 20, statuses=frozenset({200}))
    found = [one.row.at_ms - NOON_MS for one in kept(own_redis, wanted)]
    assert found == [18, 16, 14, 12, 10]
    log = RequestLog(own_redis)
    first, after = log.page(wanted, "", 2)
    second, after = log.page(wanted, after, 2)
    assert [one.row.at_ms - NOON_MS for one in first + second] == [18, 16, 14, 12]
    assert log.count(wanted) == 5
    assert log.count(ALL) == 100


def test_a_call_is_found_by_its_id(own_redis: Redis) -> None:
    """All of its attempts in order, wherever they stand; nothing of one that only mentions it."""
    fill(own_redis, 300)
    call = called("wanted", failed_attempt(100_000.0), failed_attempt(200_000.0), duration_ms=300_000.0)
    book(own_redis, call._replace(ended_at_ms=NOON_MS + 300_000), mapped("other", client="wanted"), seq=2)
    fill(own_redis, 300, at_ms=NOON_MS + 150_000, seq=3)
    log = RequestLog(own_redis)
    assert [(one.row.request_id, one.row.attempt) for one in log.of_request("wanted")] == [
        ("wanted", 1),
        ("wanted", 2),
        ("wanted", 3),
    ]
    assert log.of_request("want") == []


def test_no_step_of_a_search_takes_long(own_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 rows are looked through in pieces of less than 5 ms of CPU, after each of which others have their turn."""
    events = [called(str(n), use={"user_agent": "u" * 200, "reason": "r" * 300}) for n in range(10_000)]
    book(own_redis, *events)
    steps: list[float] = []
    marks = [time.thread_time()]

    def note() -> None:
        steps.append(time.thread_time() - marks[-1])
        marks.append(time.thread_time())

    monkeypatch.setattr(reading, "give_way", note)
    marks.append(time.thread_time())
    assert RequestLog(own_redis).count(LogFilter(q="nowhere")) == 0
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


@pytest.mark.parametrize("text", ["", "1", "a" * 30, "٣" * 30, "-" * 30, "1" * 31])
def test_what_was_never_told_is_no_place(text: str) -> None:
    """Only what a page said as its next is one."""
    assert not is_place(text)
