"""What /stats/<window> says: as it is described, at once, whatever Redis does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from app.core.statistics.events import RequestEvent
from app.core.statistics.windows import DAY_MS, HOUR_MS, MINUTE_MS, PANEL_SPANS
from app.routes.openapi.public import PANEL
from app.storage.connections import STATS_IN_FLIGHT, STATS_PANEL, STATS_PANEL_OF, STATS_PROCESSES, Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.statistics.panels import PanelReader
from app.storage.statistics.stats import Heartbeat, Stats
from tests.support.envelopes import send_events
from tests.support.own_redis import kill, revive
from worker.roll_up import RollUp

NOW_MS = 1_790_000_000_000
SCHEMA = Draft202012Validator(PANEL.schema("answered"))


@pytest.fixture
def reader(own_server: EmbeddedRedis, own_redis: Redis) -> Iterator[PanelReader]:
    with open_redis(own_server.url, socket_timeout_s=0.3) as client:
        yield PanelReader(Stats(client))


def event(
    ended_at_ms: int = NOW_MS, endpoint: str = "/openai", status: int = 200, duration_ms: float = 120.0
) -> RequestEvent:
    return RequestEvent("a1", ended_at_ms, endpoint, "POST", status, "", 100, 2000, duration_ms, 40.0)


def roll_up(client: Redis, *events: RequestEvent, now_ms: int = NOW_MS) -> None:
    send_events(client, os.urandom(4).hex(), 1, events)
    RollUp(client).run(now_ms)


def read(reader: PanelReader, *prefixes: str, window: str = "24h", endpoint: str = "", now_ms: int = NOW_MS) -> Any:
    answer = orjson.loads(reader.read(window, endpoint, prefixes, now_ms))
    assert [error.message for error in SCHEMA.iter_errors(answer)] == []
    return answer


def beat(client: Redis, process_id: str, in_flight: int, age_ms: int = 0) -> None:
    seconds, microseconds = client.time()  # type: ignore[misc]
    beat_ms = seconds * 1000 + microseconds // 1000 - age_ms
    client.hset(STATS_PROCESSES, process_id, Heartbeat(50.25, 7, 30, beat_ms, in_flight).encode())


@pytest.mark.parametrize("window", PANEL_SPANS)
def test_before_the_first_roll_up_there_is_nothing(reader: PanelReader, window: str) -> None:
    """A frame, zeros, and a row for each endpoint that may be called."""
    answer = read(reader, "/openai", window=window)
    assert (answer["stale"], answer["generated_at_ms"], answer["total"]) == (True, None, 0)
    assert answer["traffic"]["figures"]["requests"] == 0
    assert [(row["endpoint"], row["state"]) for row in answer["endpoints"]] == [("/openai", "unused")]
    assert answer["problems"] == []


@pytest.mark.parametrize("window", PANEL_SPANS)
def test_every_window_is_told_as_the_document_says(own_redis: Redis, reader: PanelReader, window: str) -> None:
    """With calls in it and before it, of all and of each endpoint, called there or not."""
    ages = [0, 5 * MINUTE_MS, 70 * MINUTE_MS, 30 * HOUR_MS, 8 * DAY_MS, 40 * DAY_MS]
    roll_up(
        own_redis, *(event(NOW_MS - age, dice, status) for age in ages for dice, status in (("/a", 200), ("/b", 429)))
    )
    for endpoint in ("", "/a", "/b", "/never"):
        answer = read(reader, "/a", "/b", "/never", window=window, endpoint=endpoint)
        assert answer["endpoint"] == (endpoint or None)
        outcomes = answer["traffic"]["figures"]["outcomes"]
        assert (outcomes["ok"] > 0, outcomes["rate_limited"] > 0) == (endpoint in ("", "/a"), endpoint in ("", "/b"))


def test_the_rows_are_those_that_may_be_called_and_those_that_were(own_redis: Redis, reader: PanelReader) -> None:
    """Removed ones stay as long as the window has calls of theirs: the rows add up to the whole."""
    roll_up(own_redis, event(), event(endpoint="/removed"), event(NOW_MS - 2 * DAY_MS, "/long-removed"))
    rows = {row["endpoint"]: row for row in read(reader, "/openai", "/unused")["endpoints"]}
    states = {name: row["state"] for name, row in rows.items()}
    assert states == {"/openai": "ok", "/removed": "removed", "/unused": "unused"}
    assert rows["/openai"]["last_used_ms"] == NOW_MS
    assert rows["/unused"]["last_used_ms"] is None
    assert rows["/openai"]["p95_ms"] == pytest.approx(120, rel=0.05)
    assert sum(rows["/openai"]["segments"]["requests"]) == 1
    assert "/long-removed" in {row["endpoint"] for row in read(reader, "/openai", window="7d")["endpoints"]}


@pytest.mark.parametrize(
    ("good", "bad", "age_ms", "state"),
    [
        (1, 0, 0, "ok"),
        (200, 1, 0, "ok"),
        (50, 1, 0, "degraded"),
        (3, 1, 0, "failing"),
        (0, 1, 0, "failing"),
        (0, 5, 14 * MINUTE_MS, "failing"),
        (0, 5, 15 * MINUTE_MS, "idle"),
    ],
)
def test_a_state_is_that_of_the_latest_minutes(
    own_redis: Redis, reader: PanelReader, good: int, bad: int, age_ms: int, state: str
) -> None:
    """By the share of errors in 15 minutes; and it is the same in every window."""
    at_ms = NOW_MS - age_ms
    roll_up(own_redis, *[event(at_ms)] * good, *[event(at_ms, status=502)] * bad)
    for window in PANEL_SPANS:
        assert [row["state"] for row in read(reader, "/openai", window=window)["endpoints"]] == [state]


def test_the_change_is_that_to_the_span_before(own_redis: Redis, reader: PanelReader) -> None:
    """Requests and p95 as a share of what was, errors as the difference of the shares."""
    before_ms = NOW_MS - DAY_MS - 5 * HOUR_MS
    before = [event(before_ms), event(before_ms, status=500), event(before_ms), event(before_ms)]
    roll_up(own_redis, event(NOW_MS - 5 * DAY_MS), *before, *[event(duration_ms=240)] * 6)
    change = read(reader, "/openai")["traffic"]["change"]
    assert change == {"requests": 0.5, "error_share": -0.25, "p95_ms": pytest.approx(1.0, abs=0.1)}
    assert read(reader, "/openai", endpoint="/openai")["traffic"]["change"] == change


def test_there_is_no_change_to_a_time_before_all_requests(own_redis: Redis, reader: PanelReader) -> None:
    """A gateway that runs for 30 hours has no day before this one."""
    roll_up(own_redis, event(NOW_MS - 25 * HOUR_MS), event())
    assert read(reader)["traffic"]["before"]["requests"] == 1
    assert set(read(reader)["traffic"]["change"].values()) == {None}


def test_nor_to_hours_that_an_earlier_version_let_go(own_redis: Redis, reader: PanelReader) -> None:
    """Total and days tell of calls of 50 days ago, whose hours are not there."""
    roll_up(own_redis, event(NOW_MS - 70 * DAY_MS), event(NOW_MS - 40 * DAY_MS), event())
    assert set(read(reader, window="30d")["traffic"]["change"].values()) == {None}
    assert read(reader, window="7d")["traffic"]["change"]["requests"] is None  # there were none
    roll_up(own_redis, event(NOW_MS + 31 * DAY_MS), now_ms=NOW_MS + 31 * DAY_MS)
    assert read(reader, window="30d")["traffic"]["change"]["requests"] == 0


def test_calls_in_flight_are_those_of_all_living_processes(own_redis: Redis, reader: PanelReader) -> None:
    """Added up now, and their highest in each minute; a silent process has none."""
    beat(own_redis, "one", 3)
    beat(own_redis, "two", 4)
    beat(own_redis, "gone", 50, age_ms=11_000)
    own_redis.hset(STATS_IN_FLIGHT, f"m{NOW_MS // MINUTE_MS - 10}", 20)
    own_redis.hset(STATS_IN_FLIGHT, f"m{NOW_MS // MINUTE_MS - 70}", 30)
    roll_up(own_redis)
    in_flight = read(reader, window="1h")["in_flight"]
    assert (in_flight["now"], in_flight["highest"], in_flight["highest_before"]) == (7, 20, 30)
    assert (in_flight["points"][-1], in_flight["points"][-11]) == (7, 20)
    assert read(reader, window="24h")["in_flight"]["highest"] == 30
    assert len(read(reader, window="30d")["in_flight"]["points"]) == read(reader, window="30d")["traffic"]["points"]


def test_the_highest_in_flight_stays_and_old_ones_go(own_redis: Redis, reader: PanelReader) -> None:
    """A lower number later does not undo a peak; minutes and hours that no window covers leave Redis."""
    worker = RollUp(own_redis)
    for number in (2, 9, 1):
        beat(own_redis, "one", number)
        worker.run(NOW_MS)
    own_redis.delete(STATS_PROCESSES)
    assert own_redis.hgetall(STATS_IN_FLIGHT) == {
        b"m%d" % (NOW_MS // MINUTE_MS): b"9",
        b"h%d" % (NOW_MS // HOUR_MS): b"9",
    }
    worker.run(NOW_MS + 26 * HOUR_MS)
    assert list(own_redis.hgetall(STATS_IN_FLIGHT)) == [b"h%d" % (NOW_MS // HOUR_MS)]
    RollUp(own_redis).run(NOW_MS + 63 * DAY_MS)
    assert own_redis.hgetall(STATS_IN_FLIGHT) == {}


def test_the_same_bytes_come_until_there_is_something_new(own_redis: Redis, reader: PanelReader) -> None:
    """So that they can be told by a tag."""
    roll_up(own_redis, event())
    first = reader.read("24h", "", ["/openai"], NOW_MS)
    assert reader.read("24h", "", ["/openai"], NOW_MS + 1000) == first
    roll_up(own_redis, event())
    assert reader.read("24h", "", ["/openai"], NOW_MS) != first


def test_last_figures_while_redis_is_away(own_server: EmbeddedRedis, own_redis: Redis, reader: PanelReader) -> None:
    """They come marked stale, problems too; of an endpoint that nobody asked for before, zeros."""
    roll_up(own_redis, event(), event(status=500))
    assert read(reader, "/openai")["stale"] is False
    kill(own_server)
    try:
        answer = read(reader, "/openai")
        assert (answer["stale"], answer["total"], len(answer["problems"])) == (True, 2, 1)
        assert read(reader, "/openai", endpoint="/openai")["traffic"]["points"] == answer["traffic"]["points"]
        assert read(reader, "/openai", window="7d")["traffic"]["figures"]["requests"] == 0
    finally:
        revive(own_server)


@pytest.mark.parametrize("stored", [b"", b"rubbish", b"x\x9c\x03\x00\x00\x00\x00\x01"])
def test_a_panel_of_another_version_is_not_read(own_redis: Redis, reader: PanelReader, stored: bytes) -> None:
    """Web processes and worker are not always updated together: the figures are stale, and no error."""
    roll_up(own_redis, event())
    own_redis.set(STATS_PANEL + "24h", stored)
    own_redis.hset(STATS_PANEL_OF + "24h", "/openai", stored)
    answer = read(reader, "/openai", endpoint="/openai")
    assert (answer["stale"], answer["traffic"]["figures"]["requests"]) == (True, 0)


def test_parts_of_endpoints_that_have_nothing_any_more_go(own_redis: Redis) -> None:
    """The hash holds those only that a window, or the one before it, has calls of."""
    worker = RollUp(own_redis)
    send_events(own_redis, "p", 1, [event(endpoint="/a")])
    worker.run(NOW_MS)
    assert own_redis.hkeys(STATS_PANEL_OF + "1h") == [b"/a"]
    for minutes in (20, 40, 60, 80, 100, 125):
        worker.run(NOW_MS + minutes * MINUTE_MS)
    assert own_redis.hkeys(STATS_PANEL_OF + "1h") == []
    assert own_redis.hkeys(STATS_PANEL_OF + "24h") == [b"/a"]


@pytest.mark.parametrize("endpoint", [" ", "/a b", "</script>", "/ключ/中文", 'a\n\x00"b', ":", "None", "null"])
def test_an_endpoint_is_only_text(own_redis: Redis, reader: PanelReader, endpoint: str) -> None:
    """Any text can be an endpoint's name: it has its row and its traffic, and none of another's."""
    roll_up(own_redis, event(endpoint=endpoint, status=500), event(endpoint="/other"))
    answer = read(reader, endpoint, endpoint=endpoint)
    assert answer["endpoint"] == endpoint
    assert answer["traffic"]["figures"]["errors"] == answer["traffic"]["figures"]["requests"] == 1
    rows = {row["endpoint"]: (row["state"], row["errors"]) for row in answer["endpoints"]}
    assert rows == {endpoint: ("failing", 1), "/other": ("removed", 0)}
    assert [one["endpoint"] for one in answer["problems"]] == [endpoint]
