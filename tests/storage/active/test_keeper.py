"""What a process tells Redis of its calls, and how all processes are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.storage.active import asking as asking_module
from app.storage.active import keeper as keeper_module
from app.storage.active.asking import NEWEST, ActiveCalls, ProcessSilent
from app.storage.active.keeper import ActiveKeeper, Place
from app.storage.connections import ACTIVE, ACTIVE_NEWS, ACTIVE_OF, Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.statistics.envelopes import encode
from tests.support.log_rows import NOON_MS, mapped
from tests.support.own_redis import kill, revive
from tests.support.waiting import wait_until


class Calls:
    """Calls that go on for as long as a test lets them, each a millisecond younger than the one before."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.ended: list[str] = []

    def begin(self, *ids: str) -> None:
        self.places += [(NOON_MS + len(self.places) + number, id) for number, id in enumerate(ids)]

    def finish(self, *ids: str) -> None:
        self.places = [place for place in self.places if place[1] not in ids]

    # --- keeper.LocalCalls ---

    def count(self) -> int:
        return len(self.places)

    def older_than(self, age_s: float, known: set[str]) -> list[Place]:
        return [place for place in self.places if place[1] not in known]

    def before(self, place: Place, most: int) -> list[Place]:
        return sorted((one for one in self.places if one < place), reverse=True)[:most]

    def place_of(self, call: Place) -> Place:
        return call

    def goes_on(self, call: Place) -> bool:
        return call in self.places

    def entry(self, call: Place) -> bytes | None:
        """One that is called `brief` ends while it is told."""
        if call not in self.places:
            return None
        if call[1] == "brief":
            self.finish("brief")
        return encode(mapped(call[1], ended_at_ms=call[0] + 500))

    def end(self, request_id: str) -> bytes | None:
        self.ended.append(request_id)
        return next((self.entry(place) for place in self.places if place[1] == request_id), None)


Begin = Callable[..., Calls]


@pytest.fixture
def begin(own_server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Starts a keeper that renews often; gives its calls."""
    monkeypatch.setattr(keeper_module, "TICK_S", 0.02)
    monkeypatch.setattr(keeper_module, "RENEWED_S", 0.1)
    monkeypatch.setattr(keeper_module, "AWAY_S", 0.05)
    started = []

    def start(name: str | None = "p") -> Calls:
        calls = Calls()
        client = open_redis(own_server.url)
        keeper = ActiveKeeper(client, calls, name, lambda: None)
        keeper.start()
        started.append((keeper, client))
        return calls

    yield start
    for keeper, client in started:
        keeper.stop()
        client.close()


def told(client: Redis, process: str = "p") -> set[str]:
    return {id.decode() for id in client.hkeys(ACTIVE_OF + process)}


def listening(client: Redis, count: int) -> None:
    wait_until(lambda: client.pubsub_numsub(ACTIVE_NEWS)[0][1] == count, "all listen")


def test_redis_knows_the_calls_that_go_on(own_redis: Redis, begin: Begin) -> None:
    """Each soon, and no longer than it goes on; of a process without calls nothing stays."""
    calls = begin()
    calls.begin("a", "b")
    wait_until(lambda: told(own_redis) == {"a", "b"}, "it knows them")
    calls.finish("a")
    wait_until(lambda: told(own_redis) == {"b"}, "it forgets what has ended")
    calls.finish("b")
    wait_until(lambda: not own_redis.exists(ACTIVE, ACTIVE_OF + "p"), "nothing is left")


def test_a_call_that_ends_while_it_is_told_leaves_nothing(
    own_redis: Redis, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its event may be booked by then, so nobody else would take it away if the process died now."""
    monkeypatch.setattr(keeper_module, "RENEWED_S", 60.0)
    calls = begin()
    calls.begin("a", "brief")
    wait_until(lambda: told(own_redis) == {"a"} and calls.count() == 1, "only that one is left")


def test_a_process_counts_for_twenty_seconds_from_its_latest_renewal(own_redis: Redis, begin: Begin) -> None:
    begin().begin("a")
    wait_until(lambda: told(own_redis), "it knows it")
    [(_, first)] = own_redis.zrange(ACTIVE, 0, -1, withscores=True)
    assert 19_000 < first - own_redis.time()[0] * 1000 <= 21_000
    wait_until(lambda: own_redis.zrange(ACTIVE, 0, -1, withscores=True)[0][1] > first, "it is renewed")


@pytest.mark.parametrize("loss", ["all", "the process"])
def test_what_redis_lost_is_told_again(own_redis: Redis, begin: Begin, loss: str) -> None:
    """Also by a process that was taken for dead."""
    calls = begin()
    calls.begin("a")
    wait_until(lambda: told(own_redis), "it knows it")
    own_redis.delete(ACTIVE_OF + "p", *([ACTIVE] if loss == "all" else []))
    calls.begin("b")
    wait_until(lambda: told(own_redis) == {"a", "b"}, "it knows both")


def test_what_could_not_be_told_is_told_when_redis_is_back(
    own_server: EmbeddedRedis, own_redis: Redis, begin: Begin
) -> None:
    calls = begin()
    listening(own_redis, 1)
    kill(own_server)
    calls.begin("a")
    revive(own_server)
    wait_until(lambda: told(own_redis) == {"a"}, "it knows it")


def test_at_its_end_a_process_leaves_what_goes_on(own_server: EmbeddedRedis, own_redis: Redis) -> None:
    """That is cut off then, and told of as interrupted when its entry expires."""
    calls = Calls()
    keeper = ActiveKeeper(own_redis, calls, "p", lambda: None)
    keeper.start()
    calls.begin("a", "b")
    wait_until(lambda: told(own_redis) == {"a", "b"}, "it knows them")
    calls.finish("a")
    keeper.stop()
    assert told(own_redis) == {"b"}
    assert own_redis.zcard(ACTIVE) == 1


def test_all_processes_are_asked(own_redis: Redis, begin: Begin) -> None:
    """Newest first, page by page; each answers for as many as fit. Those without statistics tell nothing beforehand."""
    first, second = begin("p"), begin(None)
    first.begin(*"ace")
    second.begin(*"bdf")
    listening(own_redis, 2)
    active = ActiveCalls(own_redis)
    whole = active.page(NEWEST, 50)
    assert [call.event.request_id for call in whole.calls] == list("fedcba"), whole
    assert (whole.total, whole.following) == (6, None)
    page = active.page(NEWEST, 4)
    assert [call.event.request_id for call in page.calls] == list("fedc")
    assert page.following is not None
    rest = active.page(page.following, 4)
    assert ([call.event.request_id for call in rest.calls], rest.total, rest.following) == (["b", "a"], 6, None)
    ended = active.end("b")
    assert ended is not None
    assert ended.event.request_id == "b"
    assert not active.end("x")
    assert "b" in second.ended
    assert own_redis.hlen(ACTIVE_OF + "p") <= 3


def test_of_who_does_not_answer_it_is_shown_what_he_told(
    own_redis: Redis, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking_module, "ANSWERED_S", 0.2)
    calls = begin()
    calls.begin("a")
    wait_until(lambda: told(own_redis), "it knows it")
    own_redis.zadd(ACTIVE, {"frozen host:9": 10**13})
    own_redis.hset(ACTIVE_OF + "frozen", "z", encode(mapped("z")))
    active = ActiveCalls(own_redis)
    page = active.page(NEWEST, 50)
    assert {(call.event.request_id, call.process == "host:9") for call in page.calls} == {("a", False), ("z", True)}
    assert page.total == 2
    with pytest.raises(ProcessSilent):
        active.end("z")


def test_strange_questions_end_nothing(own_redis: Redis, begin: Begin) -> None:
    """Anybody with access to Redis can say anything; the next question is answered all the same."""
    calls: Any = begin()
    calls.begin("a")
    listening(own_redis, 1)
    for strange in (b"{", b"[]", b'["list"]', b"\xff"):
        own_redis.publish(ACTIVE_NEWS, strange)
    active = ActiveCalls(own_redis)
    wait_until(lambda: active.page(NEWEST, 5).total == 1, "it answers", 10)
