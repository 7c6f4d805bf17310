"""Which addresses may be dialled."""

from __future__ import annotations

import pytest

from app.core.egress import EgressPolicy

PRIVATE = """127.0.0.1 127.8.8.8 0.0.0.0 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 192.0.0.192
192.88.99.1 198.18.0.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 ::1 :: fe80::1 fc00::1 fd12::1
::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: ::127.0.0.1 fec0::1 ff02::1 2001:db8::1
100::1 2001::1 fe80::1%eth0""".split()
PUBLIC = "1.1.1.1 8.8.8.8 104.18.7.192 2606:4700::6812:7c0 2a00:1450:4001:80b::200e ::ffff:8.8.8.8".split()


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_refused(address: str) -> None:
    """Loopback, private, link-local, multicast and translating addresses are refused."""
    assert not EgressPolicy().allowed("x.example", [address])


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    """An address on the public internet may be dialled."""
    assert EgressPolicy().allowed("x.example", [address])


def test_one_private_address_among_public_ones_refuses_the_name() -> None:
    """A name is refused when any of its addresses is."""
    assert not EgressPolicy().allowed("x.example", ["1.1.1.1", "127.0.0.1"])


def test_nothing_resolved_is_nothing_allowed() -> None:
    """No address, or what is none, is refused, even for a host that is allowed by name."""
    assert not EgressPolicy().allowed("x.example", [])
    assert not EgressPolicy(["x.example"]).allowed("x.example", [])
    assert not EgressPolicy().allowed("x.example", ["not an address"])


def test_the_operator_allows_networks_and_names() -> None:
    """EGRESS_ALLOW adds CIDRs, single addresses and host names to the public internet."""
    policy = EgressPolicy(["10.1.0.0/16", "fd00::/8", "192.168.1.5", "Local.Example"])
    assert policy.allowed("x", ["10.1.2.3"])
    assert policy.allowed("x", ["::ffff:10.1.2.3"])
    assert policy.allowed("x", ["fd00::1"])
    assert policy.allowed("x", ["192.168.1.5"])
    assert policy.allowed("local.example.", ["127.0.0.1"])
    assert not policy.allowed("x", ["10.2.0.1"])
    assert not policy.allowed("x", ["192.168.1.6"])
