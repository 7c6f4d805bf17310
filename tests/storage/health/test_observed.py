"""What is observed of channels: local at once."""

from __future__ import annotations

from app.core.channels.keys import KeyCounts
from app.core.choosing.standing import NO_REST, Keys, Rest
from app.storage.embedded import EmbeddedRedis
from app.storage.health.channel import SLICE_MS
from app.storage.health.observed import MODELS_KEPT
from tests.support.keeping import (
    BAD_REQUEST,
    DOWN,
    EMPTY,
    INVALID,
    LIMITED,
    OK,
    OVERLOADED,
    REFUSED,
    URLS,
    KeepingProcess,
    channel,
    put_keys,
)

T = 1_800_000_000_000
CHANNEL = channel()


def alone(own_server: EmbeddedRedis, keys: int = 3) -> KeepingProcess:
    """A process that was not started, so that nothing is told to anybody."""
    process = KeepingProcess(own_server.url)
    put_keys(process.pools.of("1"), range(1, keys + 1), T)
    process.health.settle(T)
    return process


def test_very_many_keys_that_are_back_at_once_hold_up_no_choice(own_server: EmbeddedRedis) -> None:
    """One choice brings some of them back, and the next ones the others."""
    process = alone(own_server, 2500)
    for key in range(1, 2501):
        process.health.rest("1", T, T + 1000, key_id=str(key))
    process.health.dirty.clear()
    active = []
    for _ in range(3):
        process.health.settle(T + 1000)
        active.append(process.pools.of("1").counts.active)
    assert active == [1000, 2000, 2500]


def test_a_key_rests_alone_and_comes_back(own_server: EmbeddedRedis) -> None:
    process = alone(own_server)
    process.note(LIMITED, key="2", at_ms=T)
    assert process.pools.of("1").counts == KeyCounts(3, 2, 1)
    assert process.health.keys(CHANNEL, ("m",)) == Keys(2, 3)
    assert process.health.channel_rest(CHANNEL) == NO_REST
    before = process.health.version
    process.health.settle(T + 59_999)
    assert process.health.version == before
    process.health.settle(T + 60_000)
    assert process.health.keys(CHANNEL, ("m",)) == Keys(3, 3)
    assert process.health.version > before, "something got better"


def test_with_no_fit_key_the_first_that_is_back_is_told(own_server: EmbeddedRedis) -> None:
    process = alone(own_server, keys=2)
    process.note(LIMITED, key="1", at_ms=T)
    process.note(LIMITED._replace(told_rest_s=7.0), key="2", at_ms=T)
    assert process.health.keys(CHANNEL, ("m",)) == Keys(0, 2, T + 7000, T + 60_000)


def test_a_channel_rests_when_all_its_urls_do_until_the_first_is_back(own_server: EmbeddedRedis) -> None:
    process = alone(own_server)
    process.note(DOWN, key="1", url=URLS[0], at_ms=T)
    assert process.health.url_rest("1", URLS[0]) == Rest(T + 120_000, told=False)
    assert process.health.channel_rest(CHANNEL).until_ms <= T
    process.note(DOWN, key="1", url=URLS[1], at_ms=T + 5000)
    assert process.health.channel_rest(CHANNEL) == Rest(T + 120_000, told=False)
    assert process.pools.of("1").counts == KeyCounts(3, 3), "no key is to blame"


def test_a_channel_a_model_rest_by_themselves(own_server: EmbeddedRedis) -> None:
    process = alone(own_server)
    process.note(OVERLOADED, key="1", model="m", at_ms=T)
    assert process.health.model_rest("1", "m") == Rest(T + 60_000, told=False)
    assert process.health.model_rest("1", "n") == NO_REST
    assert process.health.resting_models("1", T) == {"m": T + 60_000}
    assert process.health.resting_models("1", T + 60_000) == {}
    process.note(EMPTY._replace(told_rest_s=5.0), key="1", at_ms=T)
    assert process.health.channel_rest(CHANNEL) == Rest(T + 5000, told=True)


def test_a_success_ends_the_rests_of_all_that_took_part(own_server: EmbeddedRedis) -> None:
    process = alone(own_server)
    for verdict in (DOWN, OVERLOADED, LIMITED, EMPTY):
        process.note(verdict, key="1", at_ms=T)
    before = process.health.version
    process.note(OK, key="1", began_ms=T + 1, at_ms=T + 9)
    assert process.health.version > before
    assert process.health.channel_rest(CHANNEL).until_ms == 0
    assert process.health.url_rest("1", URLS[0]).until_ms == 0
    assert process.health.model_rest("1", "m").until_ms == 0
    assert process.pools.of("1").counts == KeyCounts(3, 3)


def test_a_fault_of_the_client_rests_nobody(own_server: EmbeddedRedis) -> None:
    process = alone(own_server)
    process.note(BAD_REQUEST, key="1", at_ms=T)
    assert not process.health.dirty
    assert process.health.record("1").samples == 0


def test_three_refusals_blacklist_a_key_and_an_invalid_one_is_at_once(own_server: EmbeddedRedis) -> None:
    process = alone(own_server)
    for number in range(3):
        assert process.pools.of("1").counts.blacklisted == 0
        process.note(
            REFUSED._replace(text="no sk-1 here"), key="1", at_ms=T + 1000 * number, began_ms=T + 1000 * number
        )
    process.note(INVALID, key="2", at_ms=T)
    assert process.pools.of("1").counts == KeyCounts(3, 1, 0, 2)
    told = {(id, key): trouble.text for id, key, trouble in process.health.blacklisted()}
    assert told == {("1", "1"): "no …-1 here", ("1", "2"): ""}
    process.health.settle(T + 10**9)
    assert process.pools.of("1").counts.blacklisted == 2, "time alone brings no key back"
    assert process.health.restore("1", T + 5000, ["1"]) == 1
    assert process.pools.of("1").counts == KeyCounts(3, 2, 0, 1)


def test_by_hand_a_channel_model_or_key_rests_and_all_is_restored(own_server: EmbeddedRedis) -> None:
    process = alone(own_server)
    process.health.rest("1", T, T + 1000)
    process.health.rest("1", T, T + 2000, model="m")
    process.health.rest("1", T, T + 3000, key_id="3")
    assert process.health.channel_rest(CHANNEL) == Rest(T + 1000, told=True)
    assert process.health.model_rest("1", "m") == Rest(T + 2000, told=True)
    assert process.pools.of("1").counts.resting == 1
    process.note(INVALID, key="2", at_ms=T)
    assert process.health.end_rests("1", T + 1) == 3
    assert process.health.model_rest("1", "m").until_ms == 0
    assert process.pools.of("1").counts == KeyCounts(3, 2, 0, 1), "no rest's end takes a key off the blacklist"
    assert process.health.end_rests("7", T) == process.health.restore("7", T, ["1"]) == 0


def test_the_success_rate_is_of_the_last_window(own_server: EmbeddedRedis) -> None:
    process = alone(own_server)
    for number in range(20):
        process.note(OK if number % 4 else LIMITED, key="1", at_ms=T, began_ms=T - 1)
    process.note(BAD_REQUEST, key="1", at_ms=T)
    assert process.health.record("1")[:2] == (0.75, 20)
    later_ms = T + process.health.window_ms - SLICE_MS
    process.health.settle(later_ms)
    assert process.health.record("1")[:2] == (0.75, 20)
    process.note(OK, key="1", at_ms=later_ms)
    process.health.settle(later_ms + SLICE_MS)
    assert process.health.record("1")[:2] == (1.0, 1)


def test_times_to_the_first_byte_are_averaged_by_url_and_by_channel(own_server: EmbeddedRedis) -> None:
    process = alone(own_server)
    assert process.health.url_first_byte_ms("1", URLS[0]) == 0.0
    process.note(OK, key="1", first_byte_ms=100.0)
    process.note(OK, key="1", first_byte_ms=200.0)
    process.note(OK, key="1", url=URLS[1], first_byte_ms=1000.0)
    assert process.health.url_first_byte_ms("1", URLS[0]) == 130.0
    assert process.health.url_first_byte_ms("1", URLS[1]) == 1000.0
    assert process.health.record("1").first_byte_ms == 0.7 * 130 + 0.3 * 1000
    assert process.health.record("1").first_byte_samples == 3


def test_what_clients_ask_for_does_not_grow_what_is_remembered(own_server: EmbeddedRedis) -> None:
    process = alone(own_server)
    for number in range(MODELS_KEPT + 50):
        process.note(OVERLOADED, key="1", model=f"no such model {number}", at_ms=T)
    assert len(process.health.channels["1"].subjects) == MODELS_KEPT
