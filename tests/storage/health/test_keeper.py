"""What one process observed all know within a second, no failure is lost on the way, and Redis may fail meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.core.channels.keys import KeyCounts
from app.storage.connections import CHANNEL_TROUBLES, CHANNEL_USAGE, Redis, RedisError
from app.storage.embedded import EmbeddedRedis
from app.storage.health.by_hand import shared
from app.storage.health.stored import StoredHealth
from tests.support.keeping import (
    BAD_REQUEST,
    DOWN,
    EMPTY,
    INVALID,
    LIMITED,
    OK,
    OVERLOADED,
    URLS,
    KeepingProcess,
    channel,
    now_ms,
)
from tests.support.own_redis import kill, revive
from tests.support.waiting import wait_until
from tests.support.wire import Wire

New = Callable[..., KeepingProcess]
KNOWN_S = 1.0


def test_a_rest_is_known_everywhere_within_a_second(new_process: New) -> None:
    ours, other, third = new_process(), new_process(), new_process()
    ours.edits.add("1", ["sk-1", "sk-2"])
    (key, _) = ours.edits.ids("1")
    for process in (other, third):
        wait_until(lambda process=process: process.pools.of("1").counts.total == 2, "keys are known", KNOWN_S)
    until_ms = ours.note(LIMITED, key=key)
    ours.note(DOWN)
    ours.note(OVERLOADED, model="m")
    ours.note(EMPTY)
    for process in (other, third):
        wait_until(lambda process=process: process.key_until(key) == until_ms, "the rest is known", KNOWN_S)
        wait_until(lambda process=process: process.health.url_rest("1", URLS[0]).until_ms > 0, "the url's", KNOWN_S)
        wait_until(lambda process=process: process.health.model_rest("1", "m").until_ms > 0, "the model's", KNOWN_S)
        wait_until(lambda process=process: process.health.channel_rest(channel()).until_ms > 0, "its own", KNOWN_S)
        assert process.pools.of("1").counts == KeyCounts(2, 1, 1)


def test_who_catches_up_knows_what_was_stored_before(new_process: New) -> None:
    """A process that is about to try keys must not miss what a success would end."""
    ours, other = new_process(), new_process()
    ours.edits.add("1", [f"sk-{number}" for number in range(20)])
    for number in range(1, 21):
        ours.note(LIMITED, key=str(number))
        wait_until(lambda: not ours.health.dirty, "it is stored", KNOWN_S)
        other.keeper.catch_up(5.0)
        assert other.key_until(str(number)), "it is known at once"


def test_what_an_operator_does_is_known_to_what_he_does_next(new_process: New) -> None:
    """His calls come to any process, one as soon as the other was answered."""
    ours, other = new_process(), new_process()
    ours.edits.add("1", ["sk-1"])
    for _ in range(5):
        with shared(ours.keeper, ours.health):
            ours.health.rest("1", now_ms(), now_ms() + 60_000, key_id="1")
        with shared(other.keeper, other.health):
            assert other.edits.restore("1", ["1"]) == 1
    wait_until(lambda: not ours.key_until("1"), "its end is known", KNOWN_S)


def test_a_success_elsewhere_ends_the_rest_here(new_process: New) -> None:
    ours, other = new_process(), new_process()
    ours.edits.add("1", ["sk-1"])
    ours.note(LIMITED, key="1")
    wait_until(lambda: other.key_until("1"), "the rest is known", KNOWN_S)
    began_ms = now_ms() + 1
    other.note(OK, key="1", began_ms=began_ms, at_ms=began_ms)
    wait_until(lambda: not ours.key_until("1"), "its end is known", KNOWN_S)
    assert ours.pools.of("1").counts == KeyCounts(1, 1)


def test_a_later_failure_doubles_a_rest_that_its_process_has_not_heard_of(new_process: New) -> None:
    ours, other = new_process(), new_process()
    at_ms = now_ms()
    ours.note(LIMITED, key="1", began_ms=at_ms, at_ms=at_ms)
    other.note(LIMITED, key="1", began_ms=at_ms + 5, at_ms=at_ms + 6)
    other.note(LIMITED, key="1", began_ms=at_ms - 9, at_ms=at_ms + 7)
    for process in (ours, other):
        wait_until(
            lambda process=process: process.key_until("1") == at_ms + 6 + 120_000, "the rest is doubled once", KNOWN_S
        )


def test_the_longest_told_rest_wins_wherever_it_was_told(new_process: New) -> None:
    ours, other = new_process(), new_process()
    at_ms = now_ms()
    ours.note(LIMITED._replace(told_rest_s=300.0), key="1", began_ms=at_ms - 5, at_ms=at_ms)
    other.note(LIMITED._replace(told_rest_s=30.0), key="1", began_ms=at_ms - 5, at_ms=at_ms + 1)
    for process in (ours, other):
        wait_until(lambda process=process: process.key_until("1") == at_ms + 300_000, "the longest", KNOWN_S)


def test_success_rates_and_averages_are_of_all_processes(new_process: New) -> None:
    ours, other = new_process(), new_process()
    for _ in range(6):
        ours.note(OK, key="1", first_byte_ms=50.0)
    for _ in range(4):
        other.note(EMPTY, key="1")
    for process in (ours, other, new_process()):
        process.health.settle(now_ms())
        wait_until(lambda process=process: process.health.record("1")[:2] == (0.6, 10), "the rate", 3.0)
        assert process.health.url_first_byte_ms("1", URLS[0]) == 50.0
    assert other.health.record("1").first_byte_samples == 6


def test_what_a_process_hears_of_itself_counts_once(new_process: New) -> None:
    ours = new_process()
    for number in range(1, 4):
        ours.note(OK, key="1")
        wait_until(lambda number=number: ours.keeper._version == number, "it has heard", 3.0)
    ours.health.settle(now_ms())
    assert ours.health.record("1").samples == 3


def test_a_trouble_that_was_known_before_its_key_holds_for_it(new_process: New) -> None:
    ours = new_process()
    ours.note(LIMITED, key="2")
    ours.edits.add("1", ["sk-1"])
    assert ours.pools.of("1").counts == KeyCounts(1, 1)
    ours.edits.add("1", ["sk-2"])
    assert ours.pools.of("1").counts == KeyCounts(2, 1, 1)


def test_what_became_of_attempts_with_a_key_is_counted_whoever_was_to_blame(new_process: New, own_redis: Redis) -> None:
    ours, other = new_process(), new_process()
    ours.edits.add("1", ["sk-secret-of-ours"])
    ours.note(OK, key="1", at_ms=5)
    ours.note(BAD_REQUEST._replace(text="sk-secret-of-ours asked badly"), key="1", at_ms=6, status=400)
    other.note(DOWN, key="1", at_ms=7, status=503)
    stored = StoredHealth(own_redis, "")
    usage = wait_until(lambda: _of(stored, 3), "all are stored", 3.0)
    assert usage[:3] == (3, 2, 7)
    assert usage.last_error.outcome in ("bad_request", "server_error")
    assert "secret" not in repr(own_redis.hgetall(CHANNEL_USAGE + "1"))
    seen_ms, error = stored.last_seen(["1", "2"])["1"]
    assert (seen_ms, error.outcome, error.status) == (5, "server_error", 503)  # type: ignore[union-attr]
    assert stored.last_seen(["2"]) == {"2": (0, None)}
    ours.edits.delete("1", ["1"])
    assert not own_redis.exists(CHANNEL_USAGE + "1")


def _of(stored: StoredHealth, requests: int):  # type: ignore[no-untyped-def]
    usage = stored.key_usage("1", ["1"])["1"]
    return usage if usage.requests == requests else None


def test_a_process_that_starts_later_knows_all(new_process: New) -> None:
    ours = new_process()
    ours.edits.add("1", ["sk-1", "sk-2"])
    ours.note(INVALID._replace(text="gone"), key="1")
    wait_until(lambda: not ours.health.dirty, "it is stored", KNOWN_S)
    later = new_process()
    assert later.pools.of("1").counts == KeyCounts(2, 1, 0, 1)
    assert [trouble.text for _, _, trouble in later.health.blacklisted()] == ["gone"]


def test_while_redis_is_away_rests_stay_local_and_are_merged_when_it_is_back(
    new_process: New, own_server: EmbeddedRedis
) -> None:
    ours, other = new_process(), new_process()
    at_ms = now_ms()
    ours.note(LIMITED, key="901", began_ms=at_ms, at_ms=at_ms)
    wait_until(lambda: other.key_until("901"), "it is stored", KNOWN_S)
    kill(own_server)
    try:
        ours.note(LIMITED, key="901", began_ms=at_ms + 10, at_ms=at_ms + 20)
        other.note(LIMITED, key="901", began_ms=at_ms + 30, at_ms=at_ms + 40)
        other.note(OK, key="2", at_ms=at_ms + 50)
        assert ours.key_until("901") == at_ms + 20 + 120_000
        assert other.key_until("901") == at_ms + 40 + 120_000
    finally:
        revive(own_server)
    wait_until(lambda: not ours.health.dirty and not other.health.dirty, "all is stored", 8.0)
    wait_until(lambda: ours.key_until("901") == other.key_until("901"), "both know the same", 3.0)
    assert ours.health.trouble("1", "k", "901").failures == 3
    assert ours.key_until("901") == at_ms + 40 + 240_000


def test_a_redis_that_comes_back_empty_gets_the_rests_written_back(new_process: New, own_redis: Redis) -> None:
    ours, other = new_process(), new_process()
    until_ms = ours.note(LIMITED, key="1")
    ours.note(INVALID, key="2")
    wait_until(lambda: other.key_until("1") and not ours.health.dirty, "it is stored", KNOWN_S)
    own_redis.flushall()
    wait_until(lambda: own_redis.hlen(CHANNEL_TROUBLES) == 2, "they are written back", 5.0)
    later = new_process()
    assert later.key_until("1") == until_ms
    assert later.health.trouble("1", "k", "2").blacklisted_ms
    ours.note(EMPTY)
    wait_until(lambda: later.health.channel_rest(channel()).until_ms, "all go on together", 3.0)


def test_a_word_that_was_lost_is_found_out(wire: Wire, new_process: New) -> None:
    ours, deaf = new_process(), new_process(wire.url)
    wait_until(lambda: wire.subscriptions >= 2, "it listens")
    wire.lose_subscribers()
    until_ms = ours.note(LIMITED, key="1")
    wait_until(lambda: deaf.key_until("1") == until_ms, "it has found out", 5.0)


def test_sums_count_once_though_the_answer_was_lost(new_process: New, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = new_process()
    store, lost = ours.keeper._stored.store, []

    def store_and_lose(*arguments: object) -> list[bytes]:
        found = store(*arguments)  # type: ignore[arg-type]
        if arguments[1] is not None and not lost:
            lost.append(arguments)
            raise RedisError("the answer is lost")
        return found

    monkeypatch.setattr(ours.keeper._stored, "store", store_and_lose)
    ours.note(LIMITED, key="1")
    ours.note(OK, key="2")
    wait_until(lambda: lost and not ours.keeper._away and not ours.health.batch, "it was tried again", 8.0)
    other = new_process()
    other.health.settle(now_ms())
    assert other.health.record("1").samples == 2
    assert other.health.trouble("1", "k", "1").failures == 1


def test_what_is_no_more_is_forgotten(new_process: New, own_redis: Redis) -> None:
    channels = {"1": channel("1"), "2": channel("2")}
    ours, other = new_process(channels=channels), new_process(channels=channels)
    ours.edits.add("1", ["sk-1", "sk-2"])
    ours.note(LIMITED, key="1")
    ours.note(INVALID, key="2")
    ours.note(OK, key="1", of="2", first_byte_ms=5.0)
    ours.note(EMPTY, of="2")
    wait_until(lambda: other.health.channel_rest(channels["2"]).until_ms and other.key_until("1"), "it is known", 3.0)
    ours.edits.delete("1", ["1"])
    del channels["2"]
    wait_until(lambda: len(other.pools.of("1")) == 1, "it is known", KNOWN_S)
    ours.keeper._forget()
    wait_until(lambda: own_redis.hlen(CHANNEL_TROUBLES) == 1, "only the blacklisted key is left", KNOWN_S)
    assert not own_redis.exists(CHANNEL_USAGE + "2")
    assert set(ours.health.channels) == {"1"}
    wait_until(lambda: list(other.health.channels["1"].subjects) == ["k2"], "others forget it, too", KNOWN_S)


def test_the_last_word_of_a_process_that_ends_is_stored(own_server: EmbeddedRedis, own_redis: Redis) -> None:
    ours = KeepingProcess(own_server.url).start()
    ours.note(LIMITED, key="1")
    ours.note(OK, key="1", began_ms=0)
    ours.end()
    assert own_redis.hlen(CHANNEL_TROUBLES) == 1
    assert StoredHealth(own_redis, "").key_usage("1", ["1"])["1"].requests == 2


def test_it_starts_while_redis_is_away(own_server: EmbeddedRedis, own_redis: Redis) -> None:
    kill(own_server)
    try:
        ours = KeepingProcess(own_server.url)
        ours.keeper.start()
        until_ms = ours.note(LIMITED, key="902")
        assert until_ms
    finally:
        revive(own_server)
    other = KeepingProcess(own_server.url).start()
    wait_until(lambda: other.key_until("902") == until_ms, "it is told when Redis is back", 8.0)
    for process in (ours, other):
        process.end()
