"""Rows are written with the events that they are made of, once each, and the log stays bounded."""

from __future__ import annotations

import pytest
import redis

from app.core.statistics.events import RequestEvent
from app.storage.connections import LOG_DROPPED, LOG_WAITING, STATS_EVENTS, STATS_TOTAL, Redis
from app.storage.request_log import waiting
from app.storage.request_log.booking import STRANGERS_A_SECOND
from app.storage.statistics import ledger as ledger_module
from app.storage.statistics.envelopes import encode, pack, push, unpack
from app.storage.statistics.ledger import Ledger
from tests.support.envelopes import send_events
from tests.support.log_rows import NOON_MS, book, called, failed_attempt, kept, mapped, refused


def ids(client: Redis) -> list[str]:
    return [one.row.request_id for one in kept(client)]


def test_rows_stand_by_time_and_then_by_id(own_redis: Redis) -> None:
    """Whatever the order in which their calls ended; ids are never equal, and grow with each booking."""
    book(own_redis, mapped("late", ended_at_ms=NOON_MS + 9_000), mapped("early"), seq=1)
    book(own_redis, mapped("same"), called("call", failed_attempt(100.0), ended_at_ms=NOON_MS + 5_000), seq=2)
    rows = kept(own_redis)
    assert [one.row.request_id for one in rows] == ["late", "call", "call", "same", "early"]
    assert [one.row.attempt for one in rows if one.row.request_id == "call"] == [2, 1]
    assert len({one.id for one in rows}) == 5
    assert rows[3].id > rows[4].id


def test_an_envelope_that_comes_again_makes_no_second_row(own_redis: Redis) -> None:
    """Whether it is booked already or waits beside the first."""
    for _ in range(2):
        send_events(own_redis, "p", 1, [mapped("a")])
    book(own_redis, mapped("b"), seq=2)
    book(own_redis, mapped("b"), seq=2)
    assert sorted(ids(own_redis)) == ["a", "b"]


def test_an_overtaken_worker_writes_no_rows(own_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and sums are one MULTI: the one that comes too late leaves neither."""
    slow, fast = Ledger(own_redis), Ledger(own_redis)
    send_events(own_redis, "p", 1, [mapped("a")])
    honest = ledger_module.fold

    def overtaken(events: list[RequestEvent], now_ms: int) -> object:
        monkeypatch.setattr(ledger_module, "fold", honest)
        assert fast.roll_up(now_ms) == 1
        return honest(events, now_ms)

    monkeypatch.setattr(ledger_module, "fold", overtaken)
    with pytest.raises(redis.WatchError):
        slow.roll_up(NOON_MS)
    slow.roll_up(NOON_MS)
    assert ids(own_redis) == ["a"]


def test_rows_for_which_there_is_no_room_are_dropped_and_counted(
    own_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole calls of them, while nobody writes what waits; no id is given twice, and the next ones find room again."""
    monkeypatch.setattr(waiting, "MOST_WAITING", 5)
    book(own_redis, *(mapped(str(n)) for n in range(4)), called("call", failed_attempt(9.0)), mapped("last"), seq=1)
    book(own_redis, mapped("late"), seq=2)
    assert sorted(ids(own_redis)) == ["0", "1", "2", "3", "last"]
    assert own_redis.get(LOG_DROPPED) == b"3"
    highest = max(one.id for one in kept(own_redis))
    own_redis.delete(LOG_WAITING)
    book(own_redis, mapped("then"), seq=3)
    assert [one.id for one in kept(own_redis)] == [highest + 1]


def test_envelopes_that_are_kept_whole_go_on_as_they_came(own_redis: Redis) -> None:
    """Byte for byte, in bundles of about a thousand rows; one of which a part is left out is packed anew."""
    for seq in range(1, 6):
        send_events(own_redis, "p", seq, [mapped(f"{seq}-{n}") for n in range(400)])
    strangers = [refused(f"stranger {n}", "access_token_invalid", 401) for n in range(STRANGERS_A_SECOND + 1)]
    send_events(own_redis, "p", 6, [*strangers, mapped("own")])
    sent = own_redis.lrange(STATS_EVENTS, 0, -1)
    book(own_redis, seq=7)
    first, second = own_redis.lrange(LOG_WAITING, 0, -1)
    assert first.endswith(b",[%b]]" % b",".join(sent[:3]))
    assert b",".join(sent[3:5]) in second
    assert b"stranger %d" % (STRANGERS_A_SECOND - 1) in second
    assert b"stranger %d" % STRANGERS_A_SECOND not in second
    rows = sorted(kept(own_redis), key=lambda one: one.id)
    assert [one.id for one in rows] == list(range(rows[0].id, rows[0].id + 2_000 + STRANGERS_A_SECOND + 1))
    assert rows[-1].row.request_id == "own"


def test_strangers_are_only_counted_above_ten_a_second(own_redis: Redis) -> None:
    """Unknown credentials have ten rows of each second, whichever process tells of it; tokens of ours have all."""
    strangers = [
        refused(f"{second} {n}", "access_token_invalid", 401, ended_at_ms=NOON_MS + second * 1_000 + n)
        for second in range(3)
        for n in range(40)
    ]
    ledger = Ledger(own_redis)
    for seq in range(1, 5):
        send_events(own_redis, "p", seq, strangers[seq - 1 :: 4])
        ledger.roll_up(NOON_MS)
    book(own_redis, *(refused(f"own {n}") for n in range(30)), seq=5)
    found = ids(own_redis)
    assert len([one for one in found if not one.startswith("own")]) == 3 * STRANGERS_A_SECOND
    assert len([one for one in found if one.startswith("own")]) == 30


def test_an_event_of_an_older_process_has_its_row(own_redis: Redis) -> None:
    """One that knows nothing of channels, or nothing of attempts; so has one of a process that knows more than we."""
    old = encode(mapped("old")).removesuffix(b",null]") + b"]"
    five = encode(mapped("five")).removesuffix(b",null]") + b',["ch","sk-a","m","up","rate_limited"]]'
    newer = encode(called("newer", failed_attempt(9.0))).removesuffix(b"]]") + b',"more",7],"and",1]'
    envelope = b'[1,"p",1,0,[' + b",".join([old, five, newer]) + b'],"later"]'
    push(own_redis, envelope, 3)
    book(own_redis, seq=2)
    rows = {(one.row.request_id, one.row.attempt): one.row for one in kept(own_redis)}
    assert set(rows) == {("old", 1), ("five", 1), ("newer", 1), ("newer", 2)}
    five_row = rows["five", 1]
    assert (five_row.channel, five_row.model, five_row.outcome, five_row.channel_id) == ("ch", "m", "rate_limited", "")
    assert rows["newer", 2].channel_id == "2"


def test_an_older_worker_reads_events_of_newer_processes() -> None:
    """What stands in an event's last field it has never looked at; its figures stand where they stood."""
    packed = b'[1,"p",1,0,[' + encode(called("new", failed_attempt(9.0), use={"reason": "x"})) + b"]]"
    known_then = 16
    envelope = unpack(packed)
    assert envelope is not None
    (event,) = envelope.events
    assert event[:known_then] == called("new", failed_attempt(9.0))[:known_then]
    assert RequestEvent._fields[known_then] == "api"


def test_what_is_no_event_costs_no_others_row(own_redis: Redis) -> None:
    """Nonsense among good events makes no row, and no error."""
    good = encode(mapped("good"))
    odd = good.replace(b"500.0", b'"long"'), good.replace(b"200", b"null"), good.replace(b'200,""', b"500,[7]")
    for seq, bad in enumerate((b"[1]", b"{}", b"7", *odd)):
        push(own_redis, b'[1,"q",%d,0,[%b,%b]]' % (seq + 1, bad, good.replace(b"good", b"good%d" % seq)), 2)
    of_a_token = encode(called("odd", use={"token_id": "7"}))
    for seq, bad in enumerate((of_a_token.replace(b"200", b"null"), of_a_token.replace(b'200,""', b"200,[7]"))):
        push(own_redis, b'[1,"r",%d,0,[%b]]' % (seq + 1, bad), 1)
    book(own_redis, seq=1)
    assert {one for one in ids(own_redis) if one.startswith("good")} >= {f"good{seq}" for seq in range(6)}


DEEP = b"[" * 300 + b"]" * 300
GOOD = encode(mapped("odd"))
ODD = {
    "an id that is none": GOOD.replace(b'"odd"', b"null"),
    "an endpoint that is none, of an error": GOOD.replace(b'"/up"', b'["x"]').replace(b"200,", b"500,"),
    "a status that no answer has": GOOD.replace(b"200,", b"1000,"),
    "a token that is none": encode(called("odd", use={"token_id": "7"})).replace(b'"7"', b"true"),
    "a text that is none, and deep": GOOD.replace(b'"192.0.2.1",""', b'"192.0.2.1",' + DEEP),
}


@pytest.mark.parametrize("name", ODD)
def test_what_cannot_be_booked_is_removed_alone(own_redis: Redis, name: str) -> None:
    """Others that wait beside it are counted, and have their rows; as are those that come later."""
    strangers = [encode(refused(f"s{n}", "access_token_invalid", 401)) for n in range(STRANGERS_A_SECOND + 1)]
    send_events(own_redis, "p", 1, [mapped("before")])
    push(own_redis, pack("q", 1, 0, [ODD[name], *strangers]), len(strangers) + 1)
    send_events(own_redis, "p", 2, [mapped("behind", status=404)])
    book(own_redis, mapped("later"), seq=3)
    assert {"before", "behind", "later"} <= set(ids(own_redis))
    assert own_redis.llen(STATS_EVENTS) == 0


def test_what_is_stored_and_makes_no_sense_costs_no_event(own_redis: Redis) -> None:
    """Its events wait until it is mended."""
    own_redis.hset(STATS_TOTAL, "/up", "nonsense")
    send_events(own_redis, "p", 1, [mapped("a")])
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            Ledger(own_redis).roll_up(NOON_MS)
    own_redis.hdel(STATS_TOTAL, "/up")
    book(own_redis, seq=2)
    assert ids(own_redis) == ["a"]


def test_a_process_may_have_any_name(own_redis: Redis) -> None:
    """Also where its envelope is packed anew, and stands beside others."""
    strangers = [refused(f"s{n}", "access_token_invalid", 401) for n in range(STRANGERS_A_SECOND + 1)]
    send_events(own_redis, 'a"b\\', 1, [*strangers, mapped("odd")])
    book(own_redis, mapped("beside"))
    assert {"odd", "beside"} <= set(ids(own_redis))
