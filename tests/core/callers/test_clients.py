"""Whom an address stands for."""

from __future__ import annotations

import pytest

from app.core.callers.clients import caller_of


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_a_caller_is_an_address_or_the_network_that_one_holds(address: str, caller: str) -> None:
    """A /64 of IPv6 is one caller; IPv4 addresses on a socket for both versions stay apart."""
    assert caller_of(address) == caller
