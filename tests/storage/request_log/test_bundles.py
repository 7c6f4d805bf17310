"""Bundles are opened into the rows that were booked, whatever else stands beside them."""

from __future__ import annotations

import pytest

from app.core.request_log.making import rows_of
from app.storage.request_log.bundles import Bundling, Parts, ids_of, opened
from app.storage.statistics.envelopes import encode, pack
from tests.support.log_rows import NOON_MS, called, failed_attempt, mapped, refused

CALLS = (mapped("a"), called("b", failed_attempt(9.0), failed_attempt(20.0)), refused("c"), called("d"))


def bundle(*encoded: bytes, ids: int, first_id: int = 7) -> bytes:
    making = Bundling(first_id, NOON_MS)
    making.add(pack("p", 1, 0, encoded), ids)
    (found,) = making.end()
    return found


def test_rows_are_those_of_the_calls_with_ids_that_follow_one_another() -> None:
    """As many ids as were set aside, the same whenever it is opened."""
    packed = bundle(*map(encode, CALLS), ids=ids_of(CALLS))
    found = opened(packed)
    wanted = [row for event in CALLS for row in rows_of(event, event.ended_at_ms)]
    assert [one.row for one in found.rows] == wanted
    assert [one.id for one in found.rows] == list(range(7, 7 + len(wanted)))
    assert (found.ids, found.lost) == (ids_of(CALLS), 0) == (len(wanted), 0)
    assert opened(packed) == found


def test_a_call_whose_end_cannot_be_ended_when_it_was_booked() -> None:
    """Also when it is opened days later."""
    ((_, row),) = opened(bundle(encode(mapped("a", ended_at_ms=5)), ids=1)).rows
    assert row.at_ms == NOON_MS - 500


@pytest.mark.parametrize(
    "odd",
    [
        b"", b"[]", b"{}", b"[1]", b"null", b"\xff", b'["1",1,1,[]]', b"[1,1,1,{}]", b"[1,1,1,7]", b"[1,true,1,[]]",
        b"[-1,1,1,[]]", b"[1,18446744073709551615,1,[]]", b"[1,1.5,1,[]]", b'[5,1790000000000,"id",1]',
    ],
)  # fmt: skip
def test_what_is_no_bundle_is_lost_alone(odd: bytes) -> None:
    """Anybody with access to Redis can put anything on the list."""
    good = bundle(encode(mapped("a")), ids=1)
    parts = Parts([odd, good, odd])
    assert [[one.row.request_id for one in rows] for rows in parts] == [[], ["a"], []]
    assert (parts.ids, parts.lost) == (1, 2)


@pytest.mark.parametrize("odd", [b"7", b"null", b"[]", b'[1,"p",1,0]', b'[2,"p",1,0,[]]', b'[1,"p",1,0,[[1],7,{}]]'])
def test_what_is_no_envelope_or_no_event_has_no_rows(odd: bytes) -> None:
    """Those beside it keep theirs."""
    good = pack("p", 1, 0, [encode(mapped("a"))])
    assert [one.row.request_id for one in opened(b"[7,1,%d,[%b,%b]]" % (NOON_MS, odd, good)).rows] == ["a"]


def test_a_row_that_no_database_would_take_is_lost_and_keeps_its_id() -> None:
    """A text where a number belongs would stop its whole batch."""
    odd = encode(mapped("odd")).replace(b'"192.0.2.1"', b"[192]")
    found = opened(bundle(encode(mapped("a")), odd, encode(mapped("b")), ids=3))
    assert [(one.id, one.row.request_id) for one in found.rows] == [(7, "a"), (9, "b")]
    assert (found.ids, found.lost) == (3, 1)


def test_events_of_newer_and_older_processes_have_rows() -> None:
    """What we do not know is left out, what they did not know is empty."""
    newer = encode(mapped("newer"))[:-1] + b',"more"]'
    older = encode(mapped("older")).removesuffix(b",null]") + b"]"
    found = opened(bundle(newer, older, ids=2)[:-1] + b',"later"]')
    assert [(one.id, one.row.request_id) for one in found.rows] == [(7, "newer"), (8, "older")]
