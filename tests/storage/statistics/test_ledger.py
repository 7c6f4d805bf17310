"""The ledger: every event is booked once, in the right windows, for as long as they need it."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest
import redis

from app.core.statistics.events import RequestEvent
from app.core.statistics.sliding import Windows
from app.core.statistics.windows import DAY_MS, HOUR_MS, MINUTE_MS
from app.storage.connections import (
    STATS,
    STATS_BACKLOG,
    STATS_EVENTS,
    STATS_HOUR,
    STATS_HOURS_FROM,
    STATS_MINUTE,
    STATS_PROBLEMS,
    STATS_SEQ,
    STATS_SUMMARY,
    STATS_TOTAL,
    Redis,
)
from app.storage.statistics import ledger as ledger_module
from app.storage.statistics.accounts import Account
from app.storage.statistics.ledger import Ledger
from tests.support.envelopes import send_events

NOON_MS = 1_790_000_000_000 // DAY_MS * DAY_MS + DAY_MS // 2


def event(ended_at_ms: int = NOON_MS, endpoint: str = "/a", status: int = 200, **changes: Any) -> RequestEvent:
    plain = RequestEvent("id", ended_at_ms, endpoint, "GET", status, "", 1, 2, 10.0, 5.0)
    return plain._replace(**changes)


def send(client: Redis, *events: RequestEvent, process: str = "p", seq: int = 1, dropped: int = 0) -> None:
    send_events(client, process, seq, events, dropped)


def account_of(ledger: Ledger, now_ms: int = NOON_MS) -> Account:
    found: list[Account] = []

    def look(account: Account) -> None:
        found.append(account)

    ledger.publish(now_ms, look)
    return found[0]


def described(windows: Windows) -> dict[str, Any]:
    return {
        name: {**window.frame, **{str(endpoint): window.describe(endpoint) for endpoint in window.tallies}}
        for name, window in windows.by_name().items()
    }


def test_an_envelope_is_booked_once_and_removed(own_redis: Redis) -> None:
    """A roll-up counts what waits and leaves nothing on the list."""
    ledger = Ledger(own_redis)
    send(own_redis, event(), event(status=500), dropped=3)
    assert ledger.roll_up(NOON_MS) == 1
    assert ledger.roll_up(NOON_MS) == 0
    account = account_of(ledger)
    assert account.windows.total.tallies["/a"].requests == 2
    assert account.windows.day.tallies[None].errors == 1
    assert account.dropped == 3
    assert own_redis.llen(STATS_EVENTS) == 0
    assert int(own_redis.get(STATS_BACKLOG) or 0) == 0


def test_what_is_in_memory_is_what_is_in_redis(own_redis: Redis) -> None:
    """A ledger that has booked for a while and one that reads afresh say the same."""
    dice = random.Random(1)
    ledger = Ledger(own_redis)
    for seq in range(1, 40):
        now_ms = NOON_MS + seq * 7 * MINUTE_MS
        send(own_redis, *(event(now_ms - dice.randrange(3 * HOUR_MS), dice.choice("abc")) for _ in range(20)), seq=seq)
        ledger.roll_up(now_ms)
        if seq % 10 == 0:
            fresh = account_of(Ledger(own_redis), now_ms)
            known = account_of(ledger, now_ms)
            assert described(known.windows) == described(fresh.windows)
            assert (known.recent, known.dropped, known.cursor) == (fresh.recent, fresh.dropped, fresh.cursor)


def test_an_envelope_that_comes_again_is_skipped(own_redis: Redis) -> None:
    """The same envelope, whether at once or after a roll-up, counts once, its dropped events too."""
    ledger = Ledger(own_redis)
    for _ in range(2):
        send(own_redis, event(), event(), seq=7, dropped=1)
    ledger.roll_up(NOON_MS)
    send(own_redis, event(), event(), seq=7, dropped=1)
    send(own_redis, event(), seq=8)
    send(own_redis, event(), process="q", seq=7)
    ledger.roll_up(NOON_MS)
    account = account_of(ledger)
    assert (account.windows.total.tallies[None].requests, account.dropped) == (4, 1)
    assert int(own_redis.get(STATS_BACKLOG) or 0) == 0


def test_two_ledgers_never_book_the_same(own_redis: Redis) -> None:
    """Ledgers that take turns, or collide, count each envelope once between them."""
    one, two = Ledger(own_redis), Ledger(own_redis)
    for seq in range(1, 21):
        send(own_redis, event(), seq=seq)
        (one if seq % 3 else two).roll_up(NOON_MS)
    for ledger in (one, two):
        assert account_of(ledger).windows.total.tallies[None].requests == 20


def test_an_overtaken_ledger_books_nothing(own_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """When another worker books between our reading and our writing, ours fails whole and knows it."""
    slow, fast = Ledger(own_redis), Ledger(own_redis)
    send(own_redis, event())
    honest = ledger_module.fold

    def overtaken(events: Any, now_ms: int) -> Any:
        monkeypatch.setattr(ledger_module, "fold", honest)
        assert fast.roll_up(now_ms) == 1
        return honest(events, now_ms)

    monkeypatch.setattr(ledger_module, "fold", overtaken)
    with pytest.raises(redis.WatchError):
        slow.roll_up(NOON_MS)
    assert slow.roll_up(NOON_MS) == 0
    assert account_of(slow).windows.total.tallies[None].requests == 1


def test_a_connection_cut_in_the_middle_changes_nothing(own_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the connection dies between reading and EXEC, the envelope stays for the next roll-up."""
    ledger = Ledger(own_redis)
    send(own_redis, event())
    honest = ledger_module.fold

    def cut(events: Any, now_ms: int) -> Any:
        monkeypatch.setattr(ledger_module, "fold", honest)
        own_redis.client_kill_filter(_type="normal", skipme=True)
        return honest(events, now_ms)

    monkeypatch.setattr(ledger_module, "fold", cut)
    with pytest.raises(redis.RedisError):
        ledger.roll_up(NOON_MS)
    assert own_redis.llen(STATS_EVENTS) == 1
    assert ledger.roll_up(NOON_MS) == 1
    assert account_of(ledger).windows.total.tallies[None].requests == 1


def test_what_is_no_envelope_does_not_block(own_redis: Redis) -> None:
    """Rubbish on the list is removed and counted as dropped; what follows is booked."""
    rubbish = [b"", b"rubbish", b"{}", b"[1,2]", b'[9,"p",1,0,[]]', b'[1,"p","x",0,[]]', b"[1,null,1,0,[]]"]
    own_redis.rpush(STATS_EVENTS, *rubbish, b'[1,"p",1,0,[[],["only an id"],5,{}]]')
    send(own_redis, event(), seq=2)
    ledger = Ledger(own_redis)
    assert ledger.roll_up(NOON_MS) == len(rubbish) + 2
    account = account_of(ledger)
    assert account.windows.total.tallies[None].requests == 1
    assert account.dropped == len(rubbish) + 4


def test_fields_of_a_newer_version_are_left_out(own_redis: Redis) -> None:
    """An event with more fields than we know counts: web processes may be updated before the worker."""
    own_redis.rpush(STATS_EVENTS, orjson.dumps([1, "p", 1, 0, [[*event(), "more", 5]], "even more"]))
    ledger = Ledger(own_redis)
    ledger.roll_up(NOON_MS)
    assert account_of(ledger).windows.total.tallies["/a"].requests == 1


@pytest.mark.parametrize("endpoint", ["", " ", "/a b", "</script>", "/ключ/中文", "a\n\x00b", "r e", ":", "None"])
def test_an_endpoint_is_only_text(own_redis: Redis, endpoint: str) -> None:
    """Any text can be an endpoint's name and comes back as it was."""
    ledger = Ledger(own_redis)
    send(own_redis, event(endpoint=endpoint, status=500))
    ledger.roll_up(NOON_MS)
    windows = account_of(Ledger(own_redis)).windows
    for window in windows.by_name().values():
        assert set(window.tallies) == {None, endpoint}
        assert window.describe(endpoint)["series"]["errors"][-1] == 1


def test_buckets_leave_redis_by_themselves(own_redis: Redis) -> None:
    """Minutes live 25 hours from their end, hours 62 days, totals for ever; what is older is not even written."""
    ledger = Ledger(own_redis)
    late_ms = NOON_MS - 26 * HOUR_MS
    send(own_redis, event(), event(late_ms), event(NOON_MS - 63 * DAY_MS))
    ledger.roll_up(NOON_MS)
    minute, hour = f"{STATS_MINUTE}{NOON_MS // MINUTE_MS}", f"{STATS_HOUR}{NOON_MS // HOUR_MS}"
    assert own_redis.pttl(minute) == pytest.approx(25 * HOUR_MS + MINUTE_MS, abs=5000)
    assert own_redis.pttl(hour) == pytest.approx(62 * DAY_MS + HOUR_MS, abs=5000)
    assert own_redis.pttl(STATS_TOTAL) == -1
    assert len(own_redis.keys(STATS_MINUTE.replace("{", "[{]") + "*")) == 1
    assert len(own_redis.keys(STATS_HOUR.replace("{", "[{]") + "*")) == 2
    account = account_of(Ledger(own_redis))
    assert account.windows.total.tallies["/a"].requests == 3
    assert sum(account.windows.total.describe("/a")["series"]["requests"]) == 3


def test_silent_senders_are_forgotten(own_redis: Redis) -> None:
    """The last number of a process that sent nothing for a week is swept away; a younger one stays."""
    ledger = Ledger(own_redis)
    send(own_redis, event(), process="old")
    ledger.roll_up(NOON_MS)
    send(own_redis, event(), process="young")
    later_ms = NOON_MS + 8 * DAY_MS
    ledger.roll_up(later_ms)
    account_of(ledger, later_ms)
    assert own_redis.hkeys(STATS_SEQ) == [b"young"]


def test_a_wrong_backlog_mends_itself(own_redis: Redis) -> None:
    """When the list is empty the count of waiting events is none, whatever was deleted by hand."""
    send(own_redis, event(), event())
    own_redis.delete(STATS_EVENTS)
    Ledger(own_redis).roll_up(NOON_MS)
    assert own_redis.get(STATS_BACKLOG) is None


def test_an_emptied_redis_starts_from_zero(own_redis: Redis) -> None:
    """After FLUSHALL a running ledger says what Redis says, not what it remembers."""
    ledger = Ledger(own_redis)
    send(own_redis, event())
    ledger.roll_up(NOON_MS)
    own_redis.flushall()
    assert account_of(ledger).windows.total.tallies[None].requests == 0


def test_a_summary_is_stored_only_when_there_is_one(own_redis: Redis) -> None:
    """publish() always says that the worker lives, and replaces the summary only by a new one."""
    ledger = Ledger(own_redis)
    ledger.publish(NOON_MS, lambda _: lambda pipe: pipe.set(STATS_SUMMARY, b"summary"))
    ledger.publish(NOON_MS, lambda _: None)
    assert own_redis.get(STATS_SUMMARY) == b"summary"
    assert own_redis.exists(STATS + "rolled_at")


def test_hours_of_an_earlier_version_stay_longer(own_redis: Redis) -> None:
    """They were stored to live for 31 days; the span before the 30 days needs them, and what it subtracts."""
    hour = f"{STATS_HOUR}{NOON_MS // HOUR_MS - 29 * 24}"
    send(own_redis, event(NOON_MS - 29 * DAY_MS))
    Ledger(own_redis).roll_up(NOON_MS)
    own_redis.delete(STATS_HOURS_FROM)
    own_redis.pexpire(hour, 2 * DAY_MS)
    account = account_of(Ledger(own_redis))
    assert own_redis.pttl(hour) == pytest.approx(33 * DAY_MS + HOUR_MS, abs=5000)
    assert account.hours_from_ms == pytest.approx(NOON_MS - 31 * DAY_MS, abs=HOUR_MS)
    assert account_of(Ledger(own_redis), NOON_MS + 9 * DAY_MS).hours_from_ms == account.hours_from_ms


def test_a_problem_is_booked_with_its_event(own_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, whoever is killed: it goes in with the sums, or neither does; an envelope that comes again tells none."""
    ledger = Ledger(own_redis)
    send(own_redis, event(), event(status=502, request_id="a1"))
    honest = ledger_module.problems_of

    def cut(events: Any, now_ms: int) -> Any:
        monkeypatch.setattr(ledger_module, "problems_of", honest)
        own_redis.client_kill_filter(_type="normal", skipme=True)
        return honest(events, now_ms)

    monkeypatch.setattr(ledger_module, "problems_of", cut)
    with pytest.raises(redis.RedisError):
        ledger.roll_up(NOON_MS)
    assert own_redis.get(STATS_PROBLEMS) is None
    ledger.roll_up(NOON_MS)
    send(own_redis, event(), event(status=502, request_id="a1"))
    send(own_redis, event(status=429, request_id="a2"), seq=2)
    Ledger(own_redis).roll_up(NOON_MS)
    stored: Any = own_redis.get(STATS_PROBLEMS)
    assert [(one["request_id"], one["code"]) for one in orjson.loads(stored)] == [
        ("a2", "rate_limited"), ("a1", "server_error"),
    ]  # fmt: skip
    assert account_of(ledger).windows.total.tallies[None].errors == 2
