"""Who may be tried for a call, by channels, keys and what is known of their health."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any, Final

import pytest
import redis

from app.core.choosing.matching import Serving
from app.core.errors import ApiError
from app.core.judging.outcome import Blame, Outcome, Verdict
from app.core.model import Channel, Snapshot
from app.core.settings import Settings
from app.proxy.api.affinity import Affinity
from app.proxy.api.choices import ChannelChoices, Choosing, KeyTurn
from app.proxy.api.request import ApiRequest
from app.proxy.held_body import HeldBody
from app.proxy.messages import Inbound
from app.servers.body import RequestInput
from app.storage.affinity.conversations import Conversations
from app.storage.affinity.given_ids import GivenIds
from app.storage.costs.costs import Costs
from app.storage.health.channel import Attempt
from app.storage.health.observed import Health
from app.storage.keys.pools import KeyPools
from app.storage.limits.channels import ChannelLimits
from app.storage.limits.minutes import Minutes
from app.storage.limits.slots import Slots
from app.wire.dialects.asked import dialect_of
from tests.support.keeping import PLAIN, put_keys
from tests.support.standing import channel

NOBODY: Final = SimpleNamespace(buffer=b"")

LIMITED = Verdict(Outcome.RATE_LIMITED, Blame.KEY)
TOLD = Verdict(Outcome.RATE_LIMITED, Blame.KEY, told_rest_s=30.0)


class Room:
    """Two keys of one channel, and no Redis."""

    def __init__(self, **said: Any) -> None:
        self.channel: Channel = channel("1", **said)
        self.pools = KeyPools(redis.Redis(port=1), PLAIN)
        put_keys(self.pools.of("1"), (1, 2))
        limits = ChannelLimits(Slots(redis.Redis(port=1)), Minutes(redis.Redis(port=1)))
        costs = Costs()
        self.health = Health(self.pools, limits, costs)
        affinity = Affinity(Conversations(), GivenIds(redis.Redis(port=1)))
        self.choosing = Choosing(self.health, self.pools, limits, affinity, costs, ())

    def fail(self, key_id: str, verdict: Verdict) -> None:
        key = next(key for key in iter(self.pools.of("1").turn("sequential").next, None) if key.id == key_id)
        attempt = Attempt(self.channel, self.channel.urls[0].url, key, "m", now_ms())
        self.health.note(attempt, verdict, Settings(), now_ms(), status=429)

    def choices(self, **settings: Any) -> ChannelChoices:
        asked = dialect_of("POST", "/v1/chat/completions", {})
        assert asked is not None
        reader = RequestInput(NOBODY, 0, expects_continue=False)
        inbound = Inbound("id", "POST", [], "", reader, False, "192.0.2.1", None, "", None, None)
        request = ApiRequest(inbound, asked, "", [], "m", False, HeldBody(), None)
        snapshot = Snapshot(serving=Serving([self.channel]), settings=Settings(**settings))
        return self.choosing.choices(request, snapshot, None)

    def all_turns(self, **settings: Any) -> list[KeyTurn]:
        """What a call is given that asks for one key after the other."""
        choices = self.choices(**settings)
        return [turn for _ in iter(choices.next_channel, None) for turn in iter(choices.next_key, None)]

    def first_turn(self) -> list[KeyTurn]:
        """What a call is given first, if anything."""
        choices = self.choices()
        return [turn for _ in iter(choices.next_channel, None) if (turn := choices.next_key()) is not None][:1]

    def tried(self, **settings: Any) -> list[str]:
        """The ids of the keys that a call would try."""
        turns = self.all_turns(**settings)
        for turn in turns:
            turn.release()
        return [turn.key.id for turn in turns]


def now_ms() -> int:
    return int(time.time() * 1000)


def test_when_all_keys_rest_the_first_to_be_back_serves_all_the_same() -> None:
    """That key alone, and only where we guessed its rest."""
    room = Room()
    assert sorted(room.tried()) == ["1", "2"]
    room.fail("2", TOLD)
    assert room.tried() == ["1"]
    room.fail("1", LIMITED)
    assert room.tried() == ["1"]
    with pytest.raises(ApiError) as refused:
        room.tried(resting_fallback=False)
    assert (refused.value.status, refused.value.code, refused.value.retry_after_s) == (503, "all_resting", 30)


def test_a_rest_that_was_told_is_never_cut_short() -> None:
    """Where every key's was, nobody is tried."""
    room = Room()
    room.fail("1", TOLD)
    room.fail("2", TOLD)
    with pytest.raises(ApiError, match="30 s") as refused:
        room.choices()
    assert (refused.value.code, refused.value.is_final) == ("all_resting", False)


def test_hours_follow_the_gateways_time_zone() -> None:
    """A channel whose hours name no zone is open by that of the settings."""
    hour = time.gmtime().tm_hour
    room = Room(hours=f"{(hour + 23) % 24:02}:00-{(hour + 2) % 24:02}:00")
    assert room.tried(time_zone="UTC")
    with pytest.raises(ApiError):
        room.choices(time_zone="Asia/Shanghai")


def test_a_channel_that_is_full_is_left_for_another_and_room_is_given_back() -> None:
    """Of one attempt at once the second is refused until the first has ended; then nobody can tell for how long."""
    room = Room(max_concurrency=1)
    first = room.choices()
    assert first.next_channel() is not None
    turn = first.next_key()
    assert turn is not None
    with pytest.raises(ApiError) as refused:
        room.tried()
    assert (refused.value.status, refused.value.code, refused.value.retry_after_s) == (429, "upstream_busy", 1)
    turn.release()
    assert len(room.tried()) == 1


@pytest.mark.parametrize("limit", [{"max_concurrency": 1}, {"key_max_concurrency": 1}])
def test_a_full_channel_is_waited_for_when_nobody_else_can_serve(limit: dict[str, int]) -> None:
    """As long as its `queue_timeout`: who is given a place in time is served, else he is told as without one."""
    room = Room(**limit, options={"queue_timeout": 5})
    turns = room.all_turns()
    began_s = time.monotonic()
    leaving = threading.Timer(0.3, turns[0].release)
    leaving.start()
    one = next(iter(room.first_turn()))
    assert 0.2 < time.monotonic() - began_s < 4
    leaving.join()
    brief = Room(**limit, options={"queue_timeout": 0.2})
    taken = brief.all_turns()
    began_s = time.monotonic()
    assert brief.first_turn() == []
    assert 0.2 <= time.monotonic() - began_s < 4
    for turn in (one, *turns, *taken):
        turn.release()
    assert len(brief.first_turn()) == 1
