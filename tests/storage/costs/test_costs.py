"""What attempts of a channel cost in a day: over all processes, in the days of the gateway's time zone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from app.core.money.amounts import NANO
from app.storage.connections import COSTS_UNPRICED, DAY_COSTS, Redis, RedisError, open_redis
from app.storage.costs.costs import MOST_UNPRICED, Costs
from app.storage.costs.keeper import CostsKeeper
from app.storage.costs.stored import StoredCosts
from app.storage.embedded import EmbeddedRedis
from tests.support.keeping import channel, now_ms
from tests.support.waiting import wait_until

LIMITED = channel("1", cost_per_day_nano=10 * NANO)
FREE = channel("2")
NOWHERE = "redis://127.0.0.1:1"
DAY_MS = 86_400_000


class Process:
    """`start` it, and `end` it as a process ends that is not killed."""

    def __init__(self, redis_url: str) -> None:
        self.redis = open_redis(redis_url, socket_timeout_s=0.5)
        self.costs = Costs()
        self.keeper = CostsKeeper(self.redis, self.costs, lambda: (LIMITED, FREE))

    def start(self) -> Process:
        self.keeper.start()
        return self

    def end(self) -> None:
        self.keeper.stop()
        self.redis.close()

    @property
    def is_over(self) -> bool:
        return self.costs.over_until_ms(LIMITED, now_ms()) > 0


NewProcess = Callable[[], Process]


@pytest.fixture
def new(own_server: EmbeddedRedis, own_redis: Redis) -> Iterator[NewProcess]:
    assert own_redis.ping(), "it is emptied"
    processes: list[Process] = []

    def begin() -> Process:
        processes.append(Process(own_server.url))
        return processes[-1].start()

    yield begin
    for process in processes:
        process.end()


def at(text: str, zone: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


# --- one process ---


def test_a_channel_is_over_its_limit_when_it_has_cost_that_much_until_the_day_turns() -> None:
    costs = Costs()
    noon_ms = at("2026-03-05T12:00", "UTC")
    costs.add("1", 10 * NANO - 1, noon_ms)
    assert costs.over_until_ms(LIMITED, noon_ms) == 0
    costs.add("1", 1, noon_ms)
    assert costs.over_until_ms(LIMITED, noon_ms) == at("2026-03-06T00:00", "UTC")
    assert costs.over_until_ms(LIMITED, at("2026-03-06T00:00", "UTC")) == 0


def test_a_channel_without_a_limit_is_never_over_it() -> None:
    costs = Costs()
    costs.add("2", 10**18, now_ms())
    assert costs.over_until_ms(FREE, now_ms()) == 0


@pytest.mark.parametrize(
    ("zone", "last", "first"),
    [
        ("Asia/Kathmandu", "2026-05-01T23:59", "2026-05-02T00:00"),
        ("America/New_York", "2026-11-01T23:59", "2026-11-02T00:00"),  # a day of 25 hours
        ("America/Santiago", "2026-09-05T23:59", "2026-09-06T01:00"),  # midnight does not exist
    ],
)
def test_days_turn_by_the_clock_on_the_wall_of_the_gateways_time_zone(zone: str, last: str, first: str) -> None:
    costs = Costs()
    costs.time_zone = zone
    last_ms, first_ms = at(last, zone), at(first, zone)
    costs.add("1", 10 * NANO, last_ms)
    assert costs.over_until_ms(LIMITED, last_ms) == first_ms
    assert costs.over_until_ms(LIMITED, first_ms - 1) == first_ms
    assert costs.over_until_ms(LIMITED, first_ms) == 0


def test_what_began_before_midnight_counts_for_the_day_before() -> None:
    costs = Costs()
    midnight_ms = at("2026-03-06T00:00", "UTC")
    assert costs.over_until_ms(LIMITED, midnight_ms) == 0
    costs.add("1", 10 * NANO, midnight_ms - 1)
    assert costs.over_until_ms(LIMITED, midnight_ms) == 0
    assert costs.take().costs == {(midnight_ms - DAY_MS, "1"): 10 * NANO}


def test_another_time_zone_has_other_days_from_now_on() -> None:
    costs = Costs()
    noon_ms = at("2026-03-05T12:00", "UTC")
    costs.add("1", 10 * NANO, noon_ms)
    costs.time_zone = "Asia/Tokyo"
    assert costs.over_until_ms(LIMITED, noon_ms) == 0


def test_of_models_without_a_price_so_many_are_remembered() -> None:
    costs = Costs()
    for number in range(MOST_UNPRICED + 10):
        costs.lacked_price(f"m{number}", 1, "v")
    assert len(costs.take().unpriced) == MOST_UNPRICED


# --- several ---


def test_what_others_spent_is_known_within_a_second(new: NewProcess) -> None:
    """And by who starts later."""
    one, other = new(), new()
    one.costs.add("1", 6 * NANO, now_ms())
    other.costs.add("1", 4 * NANO, now_ms())
    wait_until(lambda: one.is_over and other.is_over, "both know of both")
    assert new().is_over


def test_nothing_is_lost_or_counted_twice_while_many_spend(new: NewProcess) -> None:
    processes = [new() for _ in range(4)]
    for number in range(400):
        processes[number % 4].costs.add(str(number % 5), number, now_ms())
    for process in processes:
        process.keeper.stop()
    key = f"{DAY_COSTS}{processes[0].costs.day_of(now_ms())}"
    stored = processes[0].redis.hgetall(key)
    assert {name.decode(): int(nano) for name, nano in stored.items()} == {
        str(rest): sum(range(rest, 400, 5)) for rest in range(5)
    }


def test_what_is_sent_again_after_a_lost_answer_counts_once(new: NewProcess) -> None:
    process = new()
    store, answered = process.keeper._stored.store, []

    def loses_its_first_answer(*arguments: object) -> list[int]:
        found = store(*arguments)  # type: ignore[arg-type]
        answered.append(found)
        if len(answered) == 1:
            raise RedisError("the answer was lost")
        return found

    process.keeper._stored.store = loses_its_first_answer  # type: ignore[method-assign]
    process.costs.add("1", 7, now_ms())
    wait_until(lambda: len(answered) > 1, "it is sent again")
    assert answered[0] == answered[1] == [7]


def test_while_redis_is_away_a_process_goes_on_alone() -> None:
    process = Process(NOWHERE).start()
    process.costs.add("1", 10 * NANO, now_ms())
    assert process.is_over
    process.end()


def test_what_redis_lost_is_put_back(new: NewProcess) -> None:
    one = new()
    one.costs.add("1", 10 * NANO, now_ms())
    wait_until(lambda: one.redis.keys(f"{DAY_COSTS}*"), "it is stored")
    one.redis.flushall()
    wait_until(lambda: one.redis.keys(f"{DAY_COSTS}*"), "it is there again")
    assert new().is_over


def test_without_spending_and_limits_redis_is_not_asked(own_server: EmbeddedRedis) -> None:
    redis = open_redis(own_server.url)
    keeper = CostsKeeper(redis, Costs(), lambda: (FREE,))
    before = redis.info("stats")["total_commands_processed"]
    keeper._round()
    assert redis.info("stats")["total_commands_processed"] == before + 1
    redis.close()


def test_calls_without_a_price_are_counted_over_all_processes(new: NewProcess) -> None:
    one, other = new(), new()
    for process, at_ms in ((one, 5), (other, 9), (one, 7)):
        process.costs.lacked_price("gpt-x", at_ms, "prices 1, overrides 2")
    other.costs.lacked_price("a model with blanks", 3, "prices 1")
    stored = StoredCosts(one.redis, "")
    wait_until(lambda: sum(found.requests for found in stored.unpriced()) == 4, "all are stored")
    first, second = stored.unpriced()
    assert (first.model, first.requests, first.version) == ("gpt-x", 3, "prices 1, overrides 2")
    assert first.last_at_ms in (7, 9)
    assert tuple(second) == ("a model with blanks", 1, 3, "prices 1")


def test_where_there_are_too_many_without_a_price_those_go_that_were_not_seen_for_the_longest_time(
    new: NewProcess,
) -> None:
    one = new()
    one.redis.hset(COSTS_UNPRICED, mapping={f"m{number}": f"1 {number} v" for number in range(MOST_UNPRICED)})
    one.costs.lacked_price("new", 10**6, "v")
    stored = StoredCosts(one.redis, "")
    wait_until(lambda: any(found.model == "new" for found in stored.unpriced()), "it is told of")
    assert {f"m{number}" for number in range(1, MOST_UNPRICED)} | {"new"} == {one.model for one in stored.unpriced()}
