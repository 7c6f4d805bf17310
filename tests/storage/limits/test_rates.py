"""Rates: never above burst and rate over all processes, hardly below, and Redis is seldom asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import chain

import pytest

from app.storage.connections import RATES, Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.limits.rates import _FETCH, HOLD_S, Rates
from tests.support.crowd import Crowd
from tests.support.own_redis import kill, revive
from tests.support.waiting import wait_until

UP = "/up"
Grant = tuple[float, float]
"""The instants before and after a token was granted; the system's monotonic clock is one for all processes."""


@pytest.fixture
def client(own_server: EmbeddedRedis, own_redis: Redis) -> Iterator[Redis]:
    """As the gateway would open it: with a short timeout."""
    with open_redis(own_server.url, socket_timeout_s=0.3) as client:
        yield client


def questions(client: Redis) -> int:
    return int(client.info("commandstats").get("cmdstat_eval", {"calls": 0})["calls"])


def spend(rates: Rates, rate: float, burst: int, span_s: float, pause_s: float = 0.0) -> list[Grant]:
    """Takes for so long, as fast as it is let or with pauses."""
    grants = []
    end_s = time.monotonic() + span_s
    while (before_s := time.monotonic()) < end_s:
        refused_s = rates.take(UP, rate, burst)
        if refused_s == 0.0:
            grants.append((before_s, time.monotonic()))
        if pause_s or refused_s:
            time.sleep(max(pause_s, min(refused_s, 0.05)))
    return grants


def spend_together(
    client: Redis, together: Callable[[], None], rate: float, burst: int, span_s: float, pause_s: float
) -> list[Grant]:
    rates = Rates(client)
    together()
    return spend(rates, rate, burst, span_s, pause_s)


def most_over(grants: list[Grant], rate: float, burst: int) -> float:
    """By how many tokens the worst of all spans is above `burst + rate * span`."""
    worst = -float(burst)
    ends = sorted((after_s, before_s) for before_s, after_s in grants)
    for start_s in sorted({before_s for before_s, _ in grants})[:: max(1, len(grants) // 400)]:
        count = 0
        for after_s, before_s in ends:
            if before_s >= start_s:
                count += 1
                worst = max(worst, count - burst - rate * (after_s - start_s))
    return worst


@pytest.mark.timing
@pytest.mark.parametrize(
    ("rate", "burst", "pauses_s"),
    [
        (400.0, 200, [0.0, 0.0, 0.0, 0.0]),
        (400.0, 20, [0.0, 0.0, 0.0, 0.0]),
        (400.0, 200, [0.0, 0.002, 0.005, 0.05]),
        (50.0, 1, [0.0, 0.0, 0.0, 0.0]),
    ],
    ids=["hasty", "small-burst", "unequal", "one-by-one"],
)
def test_exact_over_processes(
    own_server: EmbeddedRedis, own_redis: Redis, crowd: Crowd, rate: float, burst: int, pauses_s: list[float]
) -> None:
    """Four processes want more than there is: no span has more than burst and rate allow, the whole hardly less."""
    span_s = 0.8
    each = [(rate, burst, span_s, pause_s) for pause_s in pauses_s]
    grants = sorted(chain(*crowd.act(own_redis, own_server.url, spend_together, each)))
    assert most_over(grants, rate, burst) <= 0
    granted_s = grants[-1][1] - grants[0][0]
    assert granted_s > 0.7 * span_s
    share = 0.95 if burst > 1 else 0.75  # with a burst of 1 every lateness of the asker is a loss
    assert len(grants) >= share * (rate * granted_s + burst - 1)


@pytest.mark.timing
def test_a_steady_caller_gets_the_rate(client: Redis) -> None:
    """Who asks just as often as he may is hardly ever refused."""
    rate, burst, span_s = 200.0, 20, 1.0
    rates, began_s, granted, asked = Rates(client), time.monotonic(), 0, 0
    while (now_s := time.monotonic()) < began_s + span_s:
        if asked >= (now_s - began_s) * rate:
            time.sleep(0.001)
            continue
        asked += 1
        granted += rates.take(UP, rate, burst) == 0.0
    assert asked >= 0.9 * rate * span_s
    assert granted >= 0.95 * asked


def test_the_burst_is_there_at_once_and_no_more(client: Redis) -> None:
    """After a rest a burst is granted whole, also to several processes together; then the rate holds."""
    three = [Rates(client) for _ in range(3)]
    answers = [three[number % 3].take(UP, 0.5, 12) for number in range(15)]
    assert answers[:12] == [0.0] * 12
    assert all(0 < seconds <= 2.0 for seconds in answers[12:])


def test_blocks_make_questions_rare(client: Redis) -> None:
    """At a high rate one question fetches what is needed for a tenth of a second."""
    rates = Rates(client)
    before = questions(client)
    assert all(rates.take(UP, 1e6, 1_000_000) == 0.0 for _ in range(20_000))
    assert questions(client) - before < 30


@pytest.mark.timing
def test_a_refusal_is_remembered(client: Redis) -> None:
    """Nobody is asked again before the token is due; then it is there."""
    rates = Rates(client)
    assert rates.take(UP, 5.0, 1) == 0.0
    refused_s = rates.take(UP, 5.0, 1)
    before = questions(client)
    answers = [rates.take(UP, 5.0, 1) for _ in range(100)]
    assert questions(client) == before
    assert 0.1 < refused_s <= 0.2
    assert answers == sorted(answers, reverse=True)
    time.sleep(answers[-1])
    assert rates.take(UP, 5.0, 1) == 0.0


def test_unused_tokens_go_back(client: Redis) -> None:
    """What one process fetched and did not spend is there for another as soon as the first has asked again."""
    one, two = Rates(client), Rates(client)
    assert [one.take(UP, 40.0, 100) for _ in range(4)] == [0.0] * 4  # it has fetched 1, 2 and 4
    assert one.take(UP, 40.0, 101) == 0.0  # a change makes it ask
    assert sum(two.take(UP, 40.0, 101) == 0.0 for _ in range(110)) >= 95


@pytest.mark.timing
def test_tokens_expire(client: Redis) -> None:
    """What was fetched ahead is not saved up: after its time the next token costs a question."""
    rates = Rates(client)
    assert [rates.take(UP, 40.0, 100) for _ in range(4)] == [0.0] * 4  # it has fetched 1, 2 and 4
    before = questions(client)
    assert rates.take(UP, 40.0, 100) == 0.0
    assert questions(client) == before
    time.sleep(HOLD_S)
    assert rates.take(UP, 40.0, 100) == 0.0
    assert questions(client) == before + 1


def test_tokens_that_are_held_take_up_room(client: Redis) -> None:
    """While a process may still spend what it fetched, the bucket fills only to the burst less that."""

    def fetch(wanted: int, span: bytes, held: int, returned: int) -> tuple[int, bytes]:
        granted, span, *_ = client.eval(_FETCH, 1, RATES + UP, 1000, 40, wanted, 900_000, span, held, returned)
        return int(granted), span

    granted, span = fetch(10, b"0", 0, 0)
    time.sleep(0.1)  # time for a hundred tokens
    assert (granted, fetch(31, b"0", 0, 0)) == (10, (31, span))
    time.sleep(0.1)
    assert fetch(5, b"0", 0, 0)[0] == 1  # 9 and 30 are held, so no more than 1 of 40 came in
    time.sleep(0.1)
    assert fetch(40, span, 30, 0)[0] == 31  # the second has spent its 30


def test_keys_have_nothing_to_do_with_each_other(client: Redis) -> None:
    rates = Rates(client)
    assert rates.take("/one", 0.1, 1) == 0.0
    assert rates.take("/one", 0.1, 1) > 0
    assert rates.take("/two", 0.1, 1) == 0.0


@pytest.mark.timing
def test_a_changed_rate_holds_at_once(client: Redis) -> None:
    """Higher: a refusal under the old rate is forgotten. Lower: what was fetched under the old one is not spent."""
    rates = Rates(client)
    assert rates.take(UP, 0.1, 1) == 0.0
    assert rates.take(UP, 0.1, 1) > 5
    assert 0 < rates.take(UP, 20.0, 5) <= 0.05
    time.sleep(0.25)
    granted = sum(rates.take(UP, 20.0, 5) == 0.0 for _ in range(6))
    assert granted == 5
    time.sleep(0.25)
    assert rates.take(UP, 20.0, 5) == 0.0
    assert sum(rates.take(UP, 0.1, 2) == 0.0 for _ in range(4)) <= 2


def test_an_idle_bucket_leaves_redis(client: Redis) -> None:
    """A full bucket need not be remembered: its key expires soon after it would be full."""
    Rates(client).take(UP, 10.0, 20)
    assert 2000 < client.pttl(RATES + UP) <= 3100


@pytest.mark.timing
def test_without_redis_each_process_keeps_the_rate(own_server: EmbeddedRedis, client: Redis) -> None:
    """Killed in the middle: nobody waits or fails; the same rate and burst hold here; back again, Redis decides."""
    rates = Rates(client)
    assert rates.take(UP, 100.0, 10) == 0.0
    kill(own_server)
    try:
        began_s = time.monotonic()
        grants = spend(rates, 100.0, 10, 0.5)
        assert time.monotonic() - began_s < 0.7
        assert most_over(grants, 100.0, 10) <= 10 * 0.25  # and what was fetched before
        assert len(grants) >= 0.9 * 50 + 10
    finally:
        revive(own_server)
    before = questions(client)
    wait_until(lambda: rates.take(UP, 100.0, 10) >= 0 and questions(client) > before, "it asks again")


@pytest.mark.timing
def test_a_redis_that_hangs_costs_its_timeout_once(own_redis: Redis, client: Redis) -> None:
    """The first one waits for the client's timeout, those after it do not."""
    rates = Rates(client)
    assert rates.take(UP, 10.0, 10) == 0.0
    own_redis.execute_command("CLIENT", "PAUSE", "500", "ALL")
    began_s = time.monotonic()
    assert sum(rates.take(UP, 10.0, 10) == 0.0 for _ in range(12)) >= 10
    assert time.monotonic() - began_s < 0.45
    time.sleep(max(0.0, began_s + 0.5 - time.monotonic()))
