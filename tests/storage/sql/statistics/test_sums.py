"""Statistics add up to what the rows of the request log add up to, however they come and are told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import combinations
from random import Random
from typing import Any

import pytest

from app.core.request_log.rows import LogRow
from app.core.statistics.ranges import Range
from app.core.statistics.sums.cells import HOUR_MS, QUARTER_MS
from app.core.statistics.sums.question import BY, Question, TooMuch
from app.core.statistics.sums.spans import DAY_MS
from app.core.statistics.tallies import RELATIVE_ERROR
from app.storage.request_log.kept_row import KeptRow
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.statistics import reading
from tests.support.added_up import FIELDS, added_up, percentile, told
from tests.support.databases import add_rows, row
from tests.support.log_rows import NOON_MS

NOW_MS = NOON_MS - NOON_MS % HOUR_MS + 40 * 60_000
SPAN = Range(NOW_MS - NOW_MS % HOUR_MS - 7 * HOUR_MS, NOW_MS - NOW_MS % HOUR_MS + HOUR_MS)
OUTCOMES = ("ok", "ok", "ok", "server_error", "timeout", "client_gone", "refused", "interrupted", "answered_here")


def add(database: WorkerDatabase, rows: Sequence[KeptRow], at_once: int = 5_000) -> None:
    for at in range(0, len(rows), at_once):
        database.run(partial(add_rows, rows=rows[at : at + at_once]))


def sums(database: WorkerDatabase, *by: str, **changes: Any) -> reading.Answered:
    asked = Question(**{"span": SPAN, "now_ms": NOW_MS, "by": by, "limit": 500, **changes})
    return database.run(lambda connection: reading.sums(connection, asked), writes=False)


def random_calls(random: Random, count: int) -> list[KeptRow]:
    """Calls with one to three attempts, of which any may be the final one, in the hours of SPAN."""
    rows: list[LogRow] = []
    for number in range(count):
        attempts = random.choice((0, 1, 1, 1, 2, 3))
        final = random.randint(1, attempts) if attempts else 0
        at_ms = random.randrange(SPAN.from_ms, NOW_MS)
        call = {
            "request_id": f"r{number}",
            "token_id": random.choice(("", "1", "2")),
            "mapping": random.choice(("", "/up")),
            "model": random.choice(("", "m", "M", "other")),
            "dialect": random.choice(("openai", "gemini")),
        }
        for attempt in range(min(attempts, 1), attempts + 1):
            cost_nano = random.choice((None, 0, random.randrange(10**10)))
            usage = random.choice((None, [random.randrange(1000) for _ in range(5)] + [None, "reported", {}]))
            made = {
                "at_ms": at_ms + attempt * random.randrange(1000),
                "attempt": attempt,
                "final": attempt == final,
                "attempts": attempts if attempt == final else 0,
                "channel_id": random.choice(("1", "2")) if attempt else "",
                "key_id": random.choice(("", "11", "12")) if attempt else "",
                "outcome": random.choice(OUTCOMES),
                "duration_ms": random.lognormvariate(5, 2),
                "first_byte_ms": random.choice((None, random.lognormvariate(4, 1))),
            }
            rows.append(row(1, **call, **made, usage=usage, cost_nano=cost_nano).row)
    return [KeptRow(id, one) for id, one in enumerate(rows, 1)]


@pytest.fixture
def rows(database: WorkerDatabase) -> list[LogRow]:
    """Written in small batches, which cut calls apart."""
    rows = random_calls(Random(14), 300)
    add(database, rows, at_once=97)
    return [kept.row for kept in rows]


def test_sums_equal_those_of_the_log_by_whatever_they_are_told_apart(
    database: WorkerDatabase, rows: list[LogRow]
) -> None:
    """Each row, and the totals."""
    for by in (by for count in (0, 1, 2, len(BY)) for by in combinations(BY, count)):
        if "key" in by and "channel" not in by:
            continue
        wanted = {group: sum for group, sum in added_up(rows, by).items() if sum["requests"] or sum["attempts"]}
        found = sums(database, *by)
        made_there = bool({"channel", "key"} & {*by})
        if by:
            shown = {group: told(sum.answer(made_there=made_there)) for group, _, sum in found.groups}
            assert {tuple(one or None for one in group): sum for group, sum in shown.items()} == wanted
            best = sums(database, *by, limit=1)
            ((group, _, sum),) = best.groups
            assert group == next(iter(shown))
            assert told(sum.answer(made_there=made_there)) == shown[group]
            assert (best.count, best.totals.numbers) == (found.count, found.totals.numbers)
        assert found.count == (len(wanted) if by else 0)
        (all_rows,) = added_up(rows, ()).values()
        assert told(found.totals.answer(made_there=made_there)) == all_rows


def test_filters_leave_out_what_the_log_would_leave_out(database: WorkerDatabase, rows: list[LogRow]) -> None:
    """Upper and lower case are different models. The attempts of a row by model are those of its requests."""
    for name in FIELDS.values():
        for value in {getattr(one, name) for one in rows} - {""}:
            filters = {name: value}
            wanted = added_up(rows, ("model",), filters)
            found = sums(database, "model", filters=filters)
            shown = {(group[0] or None,): told(sum.answer(made_there=False)) for group, _, sum in found.groups}
            assert shown == wanted


def test_percentiles_and_health_are_those_of_the_rows(database: WorkerDatabase, rows: list[LogRow]) -> None:
    answer = sums(database).totals.answer(made_there=False)
    for name in ("duration_ms", "first_byte_ms"):
        values = [value for one in rows if one.final and (value := getattr(one, name)) is not None]
        for share in (50, 95, 99):
            exact = percentile(values, share)
            assert abs(answer[name][f"p{share}"] - exact) <= exact * RELATIVE_ERROR + 0.1
    length_ms = (SPAN.to_ms - SPAN.from_ms) // 48
    wanted = Counter((one.at_ms - SPAN.from_ms) // length_ms for one in rows if one.final)
    assert [slice["requests"] for slice in answer["health"]] == [wanted[place] for place in range(48)]


def test_points_of_a_series_add_up_to_its_sums(database: WorkerDatabase, rows: list[LogRow]) -> None:
    for point_ms in (QUARTER_MS, HOUR_MS, 2 * HOUR_MS):
        compare_series(database, rows, point_ms)


def compare_series(database: WorkerDatabase, rows: list[LogRow], point_ms: int) -> None:
    begins = range(SPAN.from_ms, SPAN.to_ms, point_ms)
    asked = Question(SPAN, NOW_MS, ("channel",))
    found = database.run(lambda connection: reading.series(connection, asked, begins), writes=False)
    counts = {
        (group[0], begin): sum.point()["requests"]
        for group, _, points in found.groups
        for begin, sum in zip(begins, points, strict=True)
        if sum is not None and sum.point()["requests"]
    }
    wanted = Counter((one.channel_id, one.at_ms - (one.at_ms - SPAN.from_ms) % point_ms) for one in rows if one.final)
    assert counts == wanted
    assert [len(points) for _, _, points in found.groups] == [len(begins)] * 3


def test_a_span_that_begins_and_ends_within_hours_counts_its_quarters(
    database: WorkerDatabase, rows: list[LogRow]
) -> None:
    span = Range(SPAN.from_ms + QUARTER_MS, SPAN.to_ms - 3 * QUARTER_MS)
    wanted = sum(1 for one in rows if one.final and span.from_ms <= one.at_ms < span.to_ms)
    assert sums(database, span=span).totals.answer(made_there=False)["requests"] == wanted


def test_the_rows_with_the_most_requests_are_told_and_all_are_counted(database: WorkerDatabase) -> None:
    add(database, [row(id, model=f"m{min(id, 9)}", at_ms=NOW_MS) for id in range(1, 13)])
    found = sums(database, "model", limit=2)
    assert [(group, sum.numbers[0]) for group, _, sum in found.groups] == [(("m9",), 4), (("m1",), 1)]
    assert (found.count, found.totals.numbers[0]) == (9, 12)


def test_rows_are_called_as_they_were_called_last(database: WorkerDatabase) -> None:
    """In the last hour that counted them."""
    add(database, [row(1, channel="old", at_ms=NOW_MS - HOUR_MS), row(2, channel="new", at_ms=NOW_MS)])
    add(database, [row(3, channel="older", at_ms=NOW_MS - 2 * HOUR_MS)])
    ((_, names, _),) = sums(database, "channel").groups
    assert names.channel == "new"


def test_a_span_that_holds_too_much_is_refused_at_once(
    database: WorkerDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not after a minute. One filter may make it small enough."""
    monkeypatch.setattr(reading, "MOST_ROWS", 1)
    add(database, [row(1, model="a", at_ms=NOW_MS), row(2, model="b", at_ms=NOW_MS)])
    with pytest.raises(TooMuch, match="2"):
        sums(database)
    assert sums(database, filters={"model": "a"}).totals.numbers[0] == 1


def test_old_hours_are_told_when_their_quarters_are_gone(database: WorkerDatabase) -> None:
    old_ms = NOW_MS - NOW_MS % DAY_MS - 30 * DAY_MS
    add(database, [row(1, at_ms=old_ms + 5), row(2, at_ms=old_ms + HOUR_MS + 5)])
    found = sums(database, span=Range(old_ms, old_ms + DAY_MS))
    assert found.totals.numbers[0] == 2
