"""Keys are validated by a task: each is tried once, and what comes of it holds as after any call."""

from __future__ import annotations

import re
import threading
import time

import pytest

from app.core.channels.keys import KeyState
from app.core.money.amounts import NANO
from app.gateway import Gateway
from app.storage.catalog.settings import change as change_settings
from tests.support.channel_story import fails
from tests.support.forward_proxy import HttpProxy
from tests.support.tried_keys import INVALID, KeyedUpstream, Trying, add_keyed, claimed, do, hold, hours_of_others
from tests.support.waiting import wait_until
from worker.tasks.kinds import KINDS
from worker.tasks.running import TaskFailed

KEYS = [f"sk-{number:04d}" for number in range(1, 1001)]


def states(house: Gateway, channel_id: str, *wanted: KeyState) -> list[str]:
    return list(house.key_edits.ids(channel_id, wanted))


def test_a_thousand_keys_are_tried_once_each(trying: Trying, keyed: KeyedUpstream) -> None:
    """Bad ones are blacklisted, good ones come back from the blacklist and from rest; all count, in all processes."""
    house, other = trying(), trying()
    channel = add_keyed(house, keyed, KEYS)
    keyed.answers = dict.fromkeys(KEYS[::10], INVALID) | {KEYS[1]: fails(429, "rate_limit_exceeded")}
    do(house, "validate_keys", channel.id, ids=["1", "2", "11"])
    house.choosing.health.rest(channel.id, 0, 2**50, key_id="3")
    assert states(house, channel.id, KeyState.BLACKLISTED, KeyState.RESTING) == ["1", "2", "3", "11"]
    keyed.answers.pop(KEYS[0])
    keyed.tried.clear()

    running, result = do(house, "validate_keys", channel.id, concurrency=50)
    assert result == {"tried": 1000, "outcomes": {"ok": 900, "invalid_key": 99, "rate_limited": 1}}
    assert (running.done, running.total) == (1000, 1000)
    assert running.message == "ok 900, invalid_key 99, rate_limited 1"
    assert sorted(keyed.tried) == KEYS
    assert keyed.most_at_once <= 50
    bad = [str(number) for number in range(11, 1001, 10)]
    assert states(house, channel.id, KeyState.BLACKLISTED) == bad
    assert states(house, channel.id, KeyState.RESTING) == ["2"]

    other.choosing.pools.load()
    wait_until(lambda: states(other, channel.id, KeyState.BLACKLISTED) == bad, "another process hears of it")
    house.health_keeper.stop()
    usage = house.stored_health.key_usage(channel.id, ["1", "11", "4"])
    assert [(one.requests, one.errors) for one in usage.values()] == [(2, 1), (2, 2), (1, 0)]


@pytest.mark.parametrize(
    ("which", "tried"),
    [({"ids": ["4", "2"]}, [2, 4]), ({"state": "disabled"}, [3]), ({"state": "blacklisted"}, [1]), ({}, [1, 2, 3, 4])],
)
def test_those_are_tried_that_are_meant(
    trying: Trying, keyed: KeyedUpstream, which: dict[str, object], tried: list[int]
) -> None:
    """A disabled key stays disabled, also where it is good."""
    house = trying()
    channel = add_keyed(house, keyed, KEYS[:4])
    keyed.answers = {KEYS[0]: INVALID}
    do(house, "validate_keys", channel.id, ids=["1"])
    house.key_edits.enable(channel.id, ["3"], enabled=False)
    keyed.tried.clear()
    keyed.answers.clear()
    do(house, "validate_keys", channel.id, concurrency=1, **which)
    assert keyed.tried == [KEYS[number - 1] for number in tried]
    assert states(house, channel.id, KeyState.DISABLED) == ["3"]


def test_it_goes_on_behind_the_last_key_before_which_all_are_through(trying: Trying, keyed: KeyedUpstream) -> None:
    """As after a kill: what was found until then counts on."""
    house = trying()
    channel = add_keyed(house, keyed, KEYS[:10])
    running = claimed(house, house.tasks.order("validate_keys", channel.id, {}))
    running.save({"after": 6, "outcomes": {"ok": 5, "invalid_key": 1}})
    assert KINDS["validate_keys"](running) == {"tried": 10, "outcomes": {"ok": 9, "invalid_key": 1}}
    assert sorted(keyed.tried) == KEYS[6:10]
    assert (running.done, running.total) == (10, 10)


def test_who_takes_too_long_is_no_bad_key_and_no_bad_channel(trying: Trying, keyed: KeyedUpstream) -> None:
    """How long it may take is an argument, else a setting."""
    house = trying()
    over = threading.Event()
    channel = add_keyed(house, keyed, KEYS[:2])
    keyed.answers = {KEYS[0]: hold(over)}
    change_settings(house.catalog, {"validate_timeout_s": 1, "validate_concurrency": 1})
    try:
        for arguments in ({"timeout_s": 1.0}, {}):
            _, result = do(house, "validate_keys", channel.id, **arguments)
            assert result["outcomes"] == {"timeout": 1, "ok": 1}
    finally:
        over.set()
    assert len(states(house, channel.id, KeyState.ACTIVE)) == 2
    assert not house.choosing.health.channel_rest(channel).until_ms


def test_the_limits_of_the_channel_hold(trying: Trying, keyed: KeyedUpstream) -> None:
    house = trying()
    channel = add_keyed(house, keyed, KEYS[:30], max_concurrency=3)
    _, result = do(house, "validate_keys", channel.id, concurrency=20)
    assert result == {"tried": 30, "outcomes": {"ok": 30}}
    assert keyed.most_at_once <= 3


@pytest.mark.parametrize("why", ["hours", "models", "cost_per_day_usd"])
def test_what_may_not_be_asked_is_not_tried(trying: Trying, keyed: KeyedUpstream, why: str) -> None:
    said, text = {
        "hours": (hours := hours_of_others(), f"the channel serves at {hours} only"),
        "models": ([{"name": "*"}], "the channel serves all models and names none: set its check_model"),
        "cost_per_day_usd": ("1", "the channel has spent what it may cost in a day"),
    }[why]
    house = trying()
    channel = add_keyed(house, keyed, KEYS[:2], **{why: said})
    house.choosing.costs.add(channel.id, 2 * NANO, time.time_ns() // 1_000_000)
    with pytest.raises(TaskFailed, match=re.escape(f"2 keys not tried: {text}")):
        do(house, "validate_keys", channel.id)
    assert not keyed.tried


def test_it_ends_where_only_the_upstream_is_to_blame(trying: Trying, keyed: KeyedUpstream) -> None:
    """More failures would only keep the channel at rest for longer."""
    house = trying()
    channel = add_keyed(house, keyed, KEYS)
    keyed.answers = dict.fromkeys(KEYS, fails(500, "boom"))
    with pytest.raises(TaskFailed, match=r"server_error 2\d; 97\d keys not tried: the last 20 answers say nothing of"):
        do(house, "validate_keys", channel.id, concurrency=4)
    assert len(keyed.tried) <= 24
    assert len(states(house, channel.id, KeyState.ACTIVE)) == 1000


def test_the_guard_of_addresses_holds(trying: Trying, keyed: KeyedUpstream) -> None:
    house = trying(EGRESS_ALLOW="")
    channel = add_keyed(house, keyed, KEYS[:2])
    _, result = do(house, "validate_keys", channel.id)
    assert result["outcomes"] == {"unreachable": 2}
    assert not keyed.tried


def test_the_way_out_of_the_channel_is_taken(trying: Trying, keyed: KeyedUpstream) -> None:
    proxy = HttpProxy()
    try:
        channel = add_keyed(house := trying(), keyed, KEYS[:2], proxy_url=proxy.url("http"))
        _, result = do(house, "validate_keys", channel.id)
    finally:
        proxy.close()
    assert result["outcomes"] == {"ok": 2}
    assert len(proxy.asked) == 2
