"""What endpoints did in the course of a span: what a count by hand finds, read in steps."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from app.core.statistics.events import RequestEvent
from app.core.statistics.windows import DAY_MS, HOUR_MS, MINUTE_MS
from app.storage.connections import Redis
from app.storage.statistics.course import STEP_TALLIES, Courses
from tests.support.envelopes import send_events
from worker.roll_up import RollUp

NOON_MS = 1_790_000_000_000 // DAY_MS * DAY_MS + DAY_MS // 2


def call(dice: random.Random, at_ms: int) -> RequestEvent:
    status, endpoint = dice.choice([200, 200, 502]), dice.choice("aab")
    return RequestEvent("id", at_ms, endpoint, "GET", status, "", 1, 2, dice.lognormvariate(5, 1), None)


def points_of(courses: Courses, begins: Any, to_ms: int, unit_ms: int, endpoint: str) -> list[dict[str, Any]]:
    (course,) = courses.read(begins, to_ms, unit_ms, [endpoint])
    assert course.endpoint == endpoint
    points: list[dict[str, Any]] = orjson.loads(orjson.dumps(course.points))
    return points


@pytest.mark.parametrize(
    ("step_ms", "length_ms", "unit_ms"),
    [
        (MINUTE_MS, 2 * HOUR_MS, MINUTE_MS),
        (5 * MINUTE_MS, DAY_MS, MINUTE_MS),
        (HOUR_MS, 3 * DAY_MS, HOUR_MS),
        (DAY_MS, 40 * DAY_MS, HOUR_MS),
    ],
)
def test_a_course_is_what_a_count_by_hand_finds(own_redis: Redis, step_ms: int, length_ms: int, unit_ms: int) -> None:
    """Each point what ended in it, zeros too, and times where there are any."""
    dice = random.Random(step_ms)
    from_ms = NOON_MS - length_ms
    events = [call(dice, dice.randrange(from_ms - step_ms, NOON_MS)) for _ in range(300)]
    send_events(own_redis, "p", 1, events)
    RollUp(own_redis).run(NOON_MS)
    begins = range(from_ms, NOON_MS, step_ms)
    for endpoint in "ab":
        mine = [one for one in events if one.endpoint == endpoint and one.ended_at_ms >= from_ms]
        points = points_of(Courses(own_redis, lambda: None), begins, NOON_MS, unit_ms, endpoint)
        assert [point["at_ms"] for point in points] == list(begins)
        for point in points:
            inside = [one for one in mine if point["at_ms"] <= one.ended_at_ms < point["at_ms"] + step_ms]
            assert (point["requests"], point["errors"]) == (len(inside), sum(one.is_error for one in inside))
            assert (point["usage"], point["cost_usd"]) == (None, None)
            assert point["first_byte_ms"] == {"p50": None, "p95": None, "p99": None}
            assert (point["duration_ms"]["p50"] is None) == (not inside)
            if inside:
                assert point["duration_ms"]["p99"] == pytest.approx(max(one.duration_ms for one in inside), rel=0.05)


def test_an_hour_counts_to_the_point_in_which_it_begins(own_redis: Redis) -> None:
    """Where a day of the time zone begins with no full hour; what lies before the first point is left out."""
    begins = [NOON_MS - 30 * MINUTE_MS, NOON_MS + 30 * MINUTE_MS]
    times = (NOON_MS - 10 * MINUTE_MS, NOON_MS, NOON_MS + 50 * MINUTE_MS, NOON_MS + HOUR_MS)
    send_events(own_redis, "p", 1, [RequestEvent("id", at, "a", "GET", 200, "", 1, 2, 5.0, None) for at in times])
    RollUp(own_redis).run(NOON_MS + HOUR_MS)
    points = points_of(Courses(own_redis, lambda: None), begins, NOON_MS + 90 * MINUTE_MS, HOUR_MS, "a")
    assert [point["requests"] for point in points] == [2, 1]


def test_the_busiest_endpoints_of_a_span_are_found(own_redis: Redis) -> None:
    """By their requests in its hours, and none that had none."""
    times = {"a": (0,), "b": (0, 1, 2), "c": (50, 51, 52, 53), "d": (0, 1)}
    events = [
        RequestEvent("id", NOON_MS - hours * HOUR_MS, name, "GET", 200, "", 1, 2, 5.0, None)
        for name, ages in times.items()
        for hours in ages
    ]
    send_events(own_redis, "p", 1, events)
    RollUp(own_redis).run(NOON_MS)
    courses = Courses(own_redis, lambda: None)
    assert courses.busiest(NOON_MS - 5 * HOUR_MS, NOON_MS + 1) == ["b", "d", "a"]
    assert courses.busiest(NOON_MS - 60 * HOUR_MS, NOON_MS + 1) == ["c", "b", "d", "a"]


def test_others_run_between_the_steps(own_redis: Redis) -> None:
    """However many endpoints there are, some hundreds of tallies at once."""
    names = [f"/{number}" for number in range(50)]
    send_events(
        own_redis, "p", 1, [RequestEvent("id", NOON_MS, name, "GET", 200, "", 1, 2, 5.0, None) for name in names]
    )
    RollUp(own_redis).run(NOON_MS)
    pauses: list[None] = []
    courses = Courses(own_redis, lambda: pauses.append(None))
    courses.read(range(NOON_MS - HOUR_MS, NOON_MS + 1, MINUTE_MS), NOON_MS + 1, MINUTE_MS, names)
    assert len(pauses) >= 61 * len(names) / STEP_TALLIES
