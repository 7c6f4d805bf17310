"""Room for the calls of an access token: a rate and calls at once together, and what holds while Redis is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from app.core.model import AccessToken
from app.storage.connections import Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.limits.minutes import Minutes
from app.storage.limits.places import Place
from app.storage.limits.slots import Slots
from app.storage.limits.tokens import NoRoom, TokenLimit, TokenLimits
from tests.support.own_redis import kill, revive
from tests.support.waiting import wait_until

New = Callable[..., TokenLimits]


@pytest.fixture
def new_limits(own_server: EmbeddedRedis, own_redis: Redis) -> Iterator[New]:
    """Starts what one process would have."""
    closing: list[Callable[[], object]] = []

    def start(processes: int = 1) -> TokenLimits:
        client = open_redis(own_server.url, socket_timeout_s=0.2)
        slots = Slots(client)
        slots.start()
        limits = TokenLimits(slots, Minutes(client), processes)
        limits.start()
        closing.extend((limits.stop, slots.stop, client.close))
        return limits

    yield start
    for close in closing:
        close()


def take(limits: TokenLimits, token: AccessToken, *, goes_alone: bool = False) -> Place:
    place = limits.take(token, goes_alone=goes_alone)
    assert isinstance(place, Place), place
    return place


def why(limits: TokenLimits, token: AccessToken, *, goes_alone: bool = False) -> TokenLimit:
    place = limits.take(token, goes_alone=goes_alone)
    assert isinstance(place, NoRoom)
    return place.limit


def test_what_one_process_takes_another_has_not(new_limits: New) -> None:
    one, other = new_limits(), new_limits()
    token = AccessToken("1", "alice", requests_per_minute=4, max_concurrency=2)
    first = take(one, token)
    take(other, token).release()
    take(other, token)
    assert why(one, token) is TokenLimit.CONCURRENCY
    first.release()
    take(one, token).release()
    assert why(other, token) is TokenLimit.RATE


def test_the_rate_is_told_before_the_concurrency(new_limits: New) -> None:
    limits = new_limits()
    token = AccessToken("1", "alice", requests_per_minute=1, max_concurrency=1)
    take(limits, token)
    assert why(limits, token) is TokenLimit.RATE


def test_a_call_that_was_refused_after_all_counts_for_nothing(new_limits: New) -> None:
    """Whether for its concurrency, or by whoever was asked later."""
    limits = new_limits()
    token = AccessToken("1", "alice", requests_per_minute=2, max_concurrency=1)
    place = take(limits, token)
    for _ in range(3):
        assert why(limits, token) is TokenLimit.CONCURRENCY
    place.release()
    for _ in range(3):
        take(limits, token).cancel()
    take(limits, token).release()
    assert why(limits, token) is TokenLimit.RATE


def test_each_token_has_its_own(new_limits: New) -> None:
    limits = new_limits()
    for id in ("1", "2"):
        take(limits, AccessToken(id, "alice", requests_per_minute=1, max_concurrency=1))


@pytest.mark.own_server
@pytest.mark.parametrize(
    "token",
    [AccessToken("1", "alice", requests_per_minute=4), AccessToken("2", "bob", max_concurrency=4)],
    ids=["rate", "concurrency"],
)
def test_without_redis_a_process_stops_or_has_its_share(
    new_limits: New, own_server: EmbeddedRedis, token: AccessToken
) -> None:
    """As the operator says; and when Redis is back the whole limit holds again."""
    limits = new_limits(processes=2)
    take(limits, token).cancel()
    kill(own_server)
    wait_until(lambda: is_stopped(limits, token), "it is known that Redis is away")
    places = [take(limits, token, goes_alone=True) for _ in range(2)]
    assert isinstance(limits.take(token, goes_alone=True), NoRoom)
    for place in places:
        place.cancel()
    assert why(limits, token) is TokenLimit.STORAGE
    revive(own_server)
    wait_until(lambda: not is_stopped(limits, token), "it is known that Redis is back", timeout_s=10)
    places = [take(limits, token) for _ in range(4)]
    assert isinstance(limits.take(token, goes_alone=False), NoRoom)


def is_stopped(limits: TokenLimits, token: AccessToken) -> bool:
    place = limits.take(token, goes_alone=False)
    if isinstance(place, Place):
        place.cancel()
        return False
    return place.limit is TokenLimit.STORAGE
