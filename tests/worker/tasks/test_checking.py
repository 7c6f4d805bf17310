"""By the clock blacklisted keys are tried again, and channels where the operator wants it: each once when it is due."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import gevent
import pytest

from app.config import load_config
from app.core.channels.keys import KeyState
from app.core.model import Channel
from app.gateway import Gateway
from app.storage.catalog import channels
from app.storage.embedded import EmbeddedRedis
from app.storage.tasks.task import TaskState
from tests.support.channel_story import fails
from tests.support.tried_keys import INVALID, KeyedUpstream, Trying, add_keyed, claimed, do, hold, hours_of_others
from tests.support.waiting import wait_until
from worker.checks.clock import CHECK, KEYS_LOOK_S, REVALIDATE, Clock
from worker.tasks.kinds import KINDS

KEYS = [f"sk-{number:03d}" for number in range(1, 21)]
SOON = {"REVALIDATE_INTERVAL_S": "0.001"}
HOUR = {"REVALIDATE_INTERVAL_S": "3600", "CHECK_INTERVAL_S": "3600"}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def blacklist(house: Gateway, channel: Channel, keyed: KeyedUpstream, keys: list[str] = KEYS) -> None:
    """By a validation that finds them to be bad; they are not tried since."""
    keyed.answers = dict.fromkeys(keys, INVALID)
    do(house, "validate_keys", channel.id)
    keyed.tried.clear()


def blacklisted(house: Gateway, channel: Channel) -> list[str]:
    return house.key_edits.ids(channel.id, [KeyState.BLACKLISTED])


def wait_for_due(house: Gateway) -> None:
    """An interval of a millisecond has passed since whatever was before."""
    since = now_ms()
    wait_until(lambda: now_ms() > since + 2, "the clock moves")


def test_blacklisted_keys_that_work_again_come_back(trying: Trying, keyed: KeyedUpstream) -> None:
    """At most eight are tried at once, none that is disabled and no fit one; the others stay where they are."""
    house = trying(**SOON)
    channel = add_keyed(house, keyed, [*KEYS, "sk-good"])
    blacklist(house, channel, keyed)
    house.key_edits.enable(channel.id, ["20"], enabled=False)
    keyed.answers = {KEYS[4]: INVALID, KEYS[5]: fails(500, "boom")}
    wait_for_due(house)
    _, result = do(house, REVALIDATE)
    assert result == {"tried": 20, "outcomes": {"ok": 17, "invalid_key": 1, "server_error": 1, "not_blacklisted": 1}}
    assert sorted(keyed.tried) == KEYS[:19]
    assert keyed.most_at_once <= 8
    assert blacklisted(house, channel) == ["5", "6"]


def test_a_key_is_tried_once_in_an_interval(trying: Trying, keyed: KeyedUpstream) -> None:
    """Also where its failure said nothing of it, so that its own trouble does not tell when it was tried."""
    house = trying(**SOON)
    channel = add_keyed(house, keyed, KEYS[:2])
    blacklist(house, channel, keyed, KEYS[:2])
    keyed.answers = {KEYS[0]: INVALID, KEYS[1]: fails(500, "boom")}
    wait_for_due(house)
    do(house, REVALIDATE)
    assert sorted(keyed.tried) == KEYS[:2]
    lazy = trying(**HOUR)
    _, result = do(lazy, REVALIDATE)
    assert result["tried"] == 0


def test_an_upstream_that_says_nothing_of_keys_is_left_alone_for_an_interval(
    trying: Trying, keyed: KeyedUpstream
) -> None:
    """After twenty failures in a row that are no key's fault; other channels' keys are tried."""
    house = trying(**SOON)
    many = [f"sk-many-{number:03d}" for number in range(100)]
    broken, other = add_keyed(house, keyed, many, name="broken"), add_keyed(house, keyed, KEYS[:3], name="other")
    for channel, keys in ((broken, many), (other, KEYS[:3])):
        blacklist(house, channel, keyed, keys)
    keyed.answers = dict.fromkeys(many, fails(500, "boom"))
    wait_for_due(house)
    _, result = do(house, REVALIDATE)
    outcomes = result["outcomes"]
    assert 20 <= outcomes["server_error"] <= 28, "eight at once"
    assert outcomes["not_tried"] == 100 - outcomes["server_error"]
    assert outcomes["ok"] == 3
    assert do(trying(**HOUR), REVALIDATE)[1]["tried"] == 0


@pytest.mark.parametrize("why", ["enabled", "hours"])
def test_a_channel_that_may_not_serve_is_left_alone(trying: Trying, keyed: KeyedUpstream, why: str) -> None:
    said = {"enabled": False} if why == "enabled" else {"hours": hours_of_others()}
    house = trying(**SOON, CHECK_INTERVAL_S="1")
    channel = add_keyed(house, keyed, KEYS[:1], enabled=False, check_model="m")
    blacklist(house, channel, keyed, KEYS[:1])
    channels.update(house.catalog, {channel.id: {"enabled": True} | said})
    wait_for_due(house)
    for kind in (REVALIDATE, CHECK):
        assert do(house, kind)[1]["tried"] == 0
    assert not keyed.tried


def test_a_good_check_ends_rests_and_a_bad_one_is_judged_like_a_call(trying: Trying, keyed: KeyedUpstream) -> None:
    """With the check model, and none without; a channel is tried anew only when its interval is over."""
    house = trying(**HOUR)
    good = add_keyed(house, keyed, ["sk-good"], name="good", check_model="m-of-checks")
    bad = add_keyed(house, keyed, ["sk-bad"], name="bad", check_model="m")
    add_keyed(house, keyed, ["sk-none"], name="none")
    keyed.answers = {"sk-bad": INVALID}
    now = now_ms()
    house.choosing.health.rest(good.id, now - 1, now + 3_600_000)
    house.choosing.health.rest(good.id, now - 1, now + 3_600_000, key_id="1")
    wait_for_due(house)
    _, result = do(house, CHECK)
    assert result == {"tried": 2, "outcomes": {"ok": 1, "invalid_key": 1}}
    assert any(b'"m-of-checks"' in seen.body for seen in keyed.seen)
    assert not house.choosing.health.channel_rest(good).until_ms
    assert house.key_edits.ids(good.id, [KeyState.ACTIVE]) == ["1"]
    assert blacklisted(house, bad) == ["2"]
    assert do(house, CHECK)[1]["tried"] == 0


def test_what_an_operator_cancelled_is_due_an_interval_later(trying: Trying, keyed: KeyedUpstream) -> None:
    """Else it would begin again at the next look. What is under way is broken off, and blames nobody."""
    house, over = trying(**SOON), threading.Event()
    channel = add_keyed(house, keyed, KEYS)
    blacklist(house, channel, keyed)
    keyed.answers = dict.fromkeys(KEYS, hold(over))
    wait_for_due(house)
    running = claimed(house, house.tasks.order(REVALIDATE, "", {}))
    going = gevent.spawn(KINDS[REVALIDATE], running)
    wait_until(lambda: len(keyed.tried) == 8, "eight are tried", sleep=gevent.sleep)
    house.tasks.cancel(running.id)
    cancelled_s = time.monotonic()
    running.keep()
    try:
        assert going.get(timeout=10) == {"tried": 0, "outcomes": {}}
    finally:
        over.set()
    assert time.monotonic() - cancelled_s < 5
    running.finish(TaskState.CANCELLED, {})
    assert do(trying(**HOUR), REVALIDATE)[1]["tried"] == 0
    assert len(blacklisted(house, channel)) == len(KEYS)


# --- the clock that orders them ---


@pytest.fixture
def clock(own_server: EmbeddedRedis, house: Gateway) -> Callable[..., Clock]:
    def make(**environ: str) -> Clock:
        return Clock(house.redis, load_config({"REDIS_URL": own_server.url} | environ), lambda: True)

    return make


def ordered(house: Gateway) -> list[str]:
    return sorted(task.kind for task in house.tasks.list() if task.ended_at_ms is None)


def test_tasks_are_ordered_when_something_is_due(
    clock: Callable[..., Clock], trying: Trying, keyed: KeyedUpstream
) -> None:
    """One of a kind; none where nothing is due, or nothing is to be tried."""
    house = trying()
    channel = add_keyed(house, keyed, KEYS[:2], enabled=False, check_model="m")
    blacklist(house, channel, keyed, KEYS[:2])
    channels.update(house.catalog, {channel.id: {"enabled": True}})
    wait_until(lambda: len(list(house.stored_health.blacklisted())) == 2, "their troubles are stored")
    clock(REVALIDATE_INTERVAL_S="3600").look(0.0)
    clock(REVALIDATE_INTERVAL_S="0").look(0.0)
    assert ordered(house) == []
    eager = clock(REVALIDATE_INTERVAL_S="0.001", CHECK_INTERVAL_S="60")
    for now_s in (0.0, KEYS_LOOK_S):
        eager.look(now_s)
        assert ordered(house) == [CHECK, REVALIDATE]
