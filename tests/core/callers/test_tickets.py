"""Tickets to the web proxy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.callers.clients import caller_of
from app.core.callers.tickets import Tickets

TICKETS = Tickets("an admin token")
NOW_S = 1_800_000_000.0
TICKET = TICKETS.issue("203.0.113.9", 1_800_000_100)


def test_a_ticket_is_good_for_its_holder_until_it_expires() -> None:
    """It says itself until when; one second later it is worth nothing."""
    assert TICKETS.expiry(TICKET, "203.0.113.9", NOW_S) == 1_800_000_100
    assert TICKETS.expiry(TICKET, "203.0.113.9", NOW_S + 100) is None


def test_a_ticket_is_of_no_use_to_others() -> None:
    """Neither at another address, nor after the admin token has changed."""
    assert TICKETS.expiry(TICKET, "203.0.113.10", NOW_S) is None
    assert Tickets("another token").expiry(TICKET, "203.0.113.9", NOW_S) is None


@given(st.integers(0, len(TICKET) - 1), st.characters())
def test_a_changed_ticket_is_no_ticket(place: int, character: str) -> None:
    """Whatever is changed in it."""
    forged = TICKET[:place] + character + TICKET[place + 1 :]
    if forged != TICKET:
        assert TICKETS.expiry(forged, "203.0.113.9", NOW_S) is None


@pytest.mark.parametrize("text", ["", ".", "zz.zz", "6b49d264", "-1.x", "6b49d264.é", "٣.x"])
def test_what_is_no_ticket_is_none(text: str) -> None:
    """Nonsense is refused, not an error."""
    assert TICKETS.expiry(text, "203.0.113.9", NOW_S) is None


def test_a_caller_is_an_address_or_a_network() -> None:
    """Of IPv6 one caller holds a /64."""
    assert caller_of("203.0.113.9") == "203.0.113.9"
    assert caller_of("2001:db8::1") == caller_of("2001:db8::ffff") == "2001:db8::/64"
    assert caller_of("") == ""
