"""What rows add up to by what they agree in."""

from __future__ import annotations

from app.core.request_log.making import rows_of
from app.core.request_log.rows import LogRow
from app.core.statistics.sums.cells import (
    COST,
    ERRORS,
    ESTIMATES,
    GOODS,
    HOUR_MS,
    LONGEST_TEXT,
    MADE,
    MOST_NANO,
    MOST_TOKENS,
    OF_REQUESTS,
    QUARTER_MS,
    REPORTS,
    REQUESTS,
    USAGE,
    Dimensions,
    fold,
    hours_of,
)
from app.core.usage import ESTIMATED, REPORTED, Usage
from tests.support.log_rows import NOON_MS, called, failed_attempt, mapped, refused

NOON_QUARTER_MS = NOON_MS - NOON_MS % QUARTER_MS
FIRST = Dimensions("1", "7", "", "11", "m", "openai")
SECOND = Dimensions("2", "7", "", "22", "m", "openai")


def rows(*events: object) -> list[LogRow]:
    return [row for event in events for row in rows_of(event, event.ended_at_ms)]  # type: ignore[arg-type, attr-defined]


def test_calls_count_by_their_final_rows_and_attempts_where_they_were_made() -> None:
    """A call's attempts are known, too, where its last one was."""
    cells = fold(rows(called("1", failed_attempt(100.0), failed_attempt(200.0)), called("2")))[NOON_QUARTER_MS]
    assert set(cells) == {FIRST, SECOND}
    first, second = cells[FIRST].numbers, cells[SECOND].numbers
    assert (first[REQUESTS], first[MADE], first[OF_REQUESTS]) == (0, 2, 0)
    assert (second[REQUESTS], second[MADE], second[OF_REQUESTS]) == (2, 2, 4)


def test_clients_that_left_and_refused_calls_are_neither_good_nor_errors() -> None:
    events = (
        called("1"),
        called("2", use={"outcome": "timeout"}),
        called("3", use={"outcome": "client_gone"}),
        called("4", use={"outcome": "interrupted"}),
        called("5", use={"outcome": "answered_here"}),
    )
    (cell,) = fold(rows(*events))[NOON_QUARTER_MS].values()
    assert (cell.numbers[REQUESTS], cell.numbers[GOODS], cell.numbers[ERRORS]) == (5, 2, 1)
    (cell,) = fold(rows(refused()))[NOON_QUARTER_MS].values()
    assert (cell.numbers[REQUESTS], cell.numbers[GOODS], cell.numbers[ERRORS], cell.was_sent) == (1, 0, 0, False)


def test_usage_and_cost_are_added_as_far_as_they_can_be() -> None:
    """What an upstream makes up cannot stop who adds it up."""
    told = [Usage(1, 2, 3, 4, 5, None, REPORTED, {}), Usage(10**30, 0, 0, 0, 0, 7, ESTIMATED, {})]
    events = [called(str(n), use={"usage": one, "cost_nano": 10**30 * n}) for n, one in enumerate(told)]
    (cell,) = fold(rows(*events))[NOON_QUARTER_MS].values()
    assert cell.numbers[USAGE : USAGE + 6] == [1 + MOST_TOKENS, 2, 3, 4, 5, 7]
    assert (cell.numbers[REPORTS], cell.numbers[ESTIMATES], cell.numbers[COST]) == (1, 1, MOST_NANO)


def test_rows_count_in_the_quarter_in_which_they_begin() -> None:
    """And four quarters are an hour."""
    hour_ms = NOON_MS - NOON_MS % HOUR_MS
    made = rows(mapped())
    quarters = fold(row._replace(at_ms=hour_ms + later) for row in made for later in (0, QUARTER_MS - 1, QUARTER_MS))
    counts = {at_ms: [cell.numbers[REQUESTS] for cell in cells.values()] for at_ms, cells in quarters.items()}
    assert counts == {hour_ms: [2], hour_ms + QUARTER_MS: [1]}
    (hour,) = hours_of(quarters)[hour_ms].values()
    assert hour.numbers[REQUESTS] == 3
    assert hour.minutes == {(hour_ms // 60_000 + minute) * 2: 1 for minute in (0, 14, 15)}
    assert [cell.numbers[REQUESTS] for cell in quarters[hour_ms].values()] == [2]


def test_texts_are_as_every_database_takes_them() -> None:
    """Without NUL, which PostgreSQL refuses, and no longer than a column; rows that agree then count together."""
    (row,) = rows(called())
    (key,) = fold(row._replace(model=text) for text in ("a\0", "a"))[NOON_QUARTER_MS]
    assert key.model == "a"
    (key,) = fold([row._replace(model="x" * 1000)])[NOON_QUARTER_MS]
    assert key.model == "x" * LONGEST_TEXT


def test_an_id_is_of_all_texts_and_fits_into_63_bits() -> None:
    ids = {Dimensions(*("ab"[place == n] for place in range(6))).id for n in range(7)}
    assert len(ids) == 7
    assert all(0 <= id < 1 << 63 for id in ids)
    assert FIRST.id == Dimensions(*FIRST).id
