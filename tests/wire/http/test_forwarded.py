"""What reverse proxies before us say of a client."""

from __future__ import annotations

import pytest

from app.wire.http.forwarded import client_of, scheme_of

PEER = "10.0.0.1"


@pytest.mark.parametrize(
    ("forwarded_for", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:50001", "203.0.113.9"),  # Azure
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:50001", "2001:db8::1"),
        ('"[2001:db8::1]:50001"', "2001:db8::1"),
        (' "203.0.113.9" ', "203.0.113.9"),
        ("\t203.0.113.9\t", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("fe80::1%eth0 status=200", "fe80::1"),
    ],
)
def test_an_address_is_read_in_every_spelling(forwarded_for: str, client: str) -> None:
    """With a port, in brackets, quoted: the same client has one name."""
    assert client_of(PEER, forwarded_for, 1) == client


@pytest.mark.parametrize(
    ("forwarded_for", "proxies", "client"),
    [
        ("1.1.1.1, 203.0.113.9", 1, "203.0.113.9"),
        ("1.1.1.1,203.0.113.9,10.0.0.2", 2, "203.0.113.9"),
        ("1.1.1.1:1, 203.0.113.9:2, [::1]:3", 2, "203.0.113.9"),
    ],
)
def test_members_count_from_the_right(forwarded_for: str, proxies: int, client: str) -> None:
    """What the client wrote itself stands further left than what the proxies added."""
    assert client_of(PEER, forwarded_for, proxies) == client


@pytest.mark.parametrize(
    ("forwarded_for", "proxies", "client"),
    [
        ("", 1, PEER),
        ("garbage", 1, PEER),
        ("1.1.1.1, unknown", 1, PEER),
        ("1.1.1.1, _hidden, 10.0.0.2", 2, "10.0.0.2"),
        ("203.0.113.9", 3, "203.0.113.9"),
        ("1.1.1.1,", 1, PEER),
        ("203.0.113.9:999999", 1, PEER),
        ("0x7f.1", 1, PEER),
        ("1.1.1.1 2.2.2.2", 1, PEER),
    ],
)
def test_without_an_address_the_last_trustworthy_hop_counts(forwarded_for: str, proxies: int, client: str) -> None:
    """Never what stands further left, which the client may have chosen."""
    assert client_of(PEER, forwarded_for, proxies) == client


@pytest.mark.parametrize(
    ("forwarded_proto", "proxies", "scheme"),
    [
        ("https", 1, "https"),
        (" HTTPS ", 1, "https"),
        ("https, http", 1, "http"),
        ("https, http", 2, "https"),
        ("https", 2, "https"),  # most proxies write it anew and do not add to it
        ("", 1, "http"),
        ("gopher", 1, "http"),
    ],
)
def test_the_scheme_is_told_by_the_same_proxies(forwarded_proto: str, proxies: int, scheme: str) -> None:
    """`X-Forwarded-Proto` follows the rule of `X-Forwarded-For`."""
    assert scheme_of("http", forwarded_proto, proxies) == scheme
