"""Which hosts, addresses and ports may be dialled."""

from __future__ import annotations

import pytest

from app.core.network.egress import EgressPolicy, parse_entries, parse_ports

PRIVATE = """127.0.0.1 127.8.8.8 0.0.0.0 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 192.0.0.192
192.88.99.1 198.18.0.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 ::1 :: fe80::1 fc00::1 fd12::1
::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::808:808 2002:7f00:1::
2002:808:808:: ::127.0.0.1 ::8.8.8.8 fec0::1 ff02::1 2001:db8::1 100::1 2001::1 4000::1 fe80::1%eth0""".split()
PUBLIC = "1.1.1.1 8.8.8.8 104.18.7.192 2606:4700::6812:7c0 2a00:1450:4001:80b::200e".split()
X = ("x.example", 443)


def policy(allow: str = "", deny: str = "", ports: str = "") -> EgressPolicy:
    return EgressPolicy(parse_entries(allow), parse_entries(deny), parse_ports(ports))


def allowed(rules: EgressPolicy, host: str, *addresses: str, port: int = 443) -> bool:
    return rules.judge(host, port, addresses) is None


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_refused(address: str) -> None:
    """Loopback, private, link-local, multicast and translating addresses are refused, and the refusal names them."""
    refusal = policy().judge(*X, [address])
    assert refusal is not None
    assert refusal.address == address
    assert "EGRESS_ALLOW" in refusal.reason
    assert address not in refusal.reason


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    """An address on the public internet may be dialled."""
    assert policy().judge(*X, [address]) is None


def test_one_private_address_among_public_ones_refuses_the_name() -> None:
    """A name is refused when any of its addresses is, wherever it stands."""
    for addresses in (["1.1.1.1", "127.0.0.1"], ["127.0.0.1", "1.1.1.1"]):
        assert policy().judge(*X, addresses).address == "127.0.0.1"


@pytest.mark.parametrize("name", ["localhost", "localhost.", "a.b.localhost", "ip6-localhost", "ip6-loopback"])
def test_names_of_the_own_machine_are_refused_before_they_are_resolved(name: str) -> None:
    """A localhost name needs no address to be refused, is not public whatever it resolves to, and can be allowed."""
    assert policy().judge(name, 80) is not None
    assert policy("10.0.0.0/8").judge(name, 80) is not None
    assert policy("127.0.0.0/8").judge(name, 80) is None
    assert allowed(policy("127.0.0.0/8"), name, "127.0.0.1")
    assert not allowed(policy("127.0.0.0/8"), name, "1.1.1.1")
    assert allowed(policy(name), name, "127.0.0.1")


def test_the_operator_allows_networks_and_names() -> None:
    """EGRESS_ALLOW adds CIDRs, single addresses and host names to the public internet."""
    rules = policy("10.1.0.0/16, fd00::/8,[fd99::1], 192.168.1.5,Local.Example., BÜCHER.example")
    assert allowed(rules, "x", "10.1.2.3")
    assert allowed(rules, "x", "fd00::1", "fd99::1", "192.168.1.5")
    assert allowed(rules, "local.example.", "127.0.0.1")
    assert allowed(rules, "xn--bcher-kva.example", "127.0.0.1", "10.2.0.1")
    assert not allowed(rules, "x", "10.2.0.1")
    assert not allowed(rules, "x", "192.168.1.6")
    assert not allowed(rules, "a.local.example", "127.0.0.1")


def test_a_wildcard_holds_all_subdomains_and_not_the_domain() -> None:
    """`*.example` means every name below `example`; `example` itself is an entry of its own."""
    rules = policy("*.corp.example")
    assert allowed(rules, "a.corp.example", "10.0.0.1")
    assert allowed(rules, "a.b.corp.example.", "10.0.0.1")
    assert not allowed(rules, "corp.example", "10.0.0.1")
    assert not allowed(rules, "notcorp.example", "10.0.0.1")


def test_deny_goes_before_allow() -> None:
    """What EGRESS_DENY names is refused though it is public, or allowed by name or by network."""
    rules = policy("10.0.0.0/8,inner.example", "10.9.0.0/16,1.1.1.1,evil.example,*.evil.example,secret.inner.example")
    assert rules.judge("evil.example", 443) is not None
    assert not allowed(rules, "a.evil.example.", "8.8.8.8")
    assert not allowed(rules, "x", "1.1.1.1")
    assert not allowed(rules, "x", "8.8.8.8", "1.1.1.1")
    assert allowed(rules, "x", "10.1.0.1")
    assert not allowed(rules, "x", "10.9.0.1")
    assert not allowed(rules, "inner.example", "10.9.0.1")
    assert allowed(rules, "inner.example", "192.168.0.1")


@pytest.mark.parametrize(
    ("allow", "address", "passes"),
    [
        ("10.0.0.0/8", "::ffff:10.0.0.1", True),
        ("::ffff:0:0/96", "::ffff:8.8.8.8", True),
        ("::ffff:0:0/96", "::ffff:10.0.0.1", False),
        ("10.0.0.0/8", "64:ff9b::10.0.0.1", False),
        ("64:ff9b::/96", "64:ff9b::8.8.8.8", True),
        ("64:ff9b::/96", "64:ff9b::169.254.169.254", False),
        ("64:ff9b::/96,10.0.0.0/8", "64:ff9b::10.0.0.1", True),
        ("2002::/16", "2002:a00:1::", False),
        ("::/0", "::10.0.0.1", False),
        ("::/0", "::1", True),
    ],
)
def test_an_ipv4_address_inside_must_pass_too(allow: str, address: str, passes: bool) -> None:
    """Allowing a translation prefix does not open the private IPv4 addresses behind it; mapped ones are IPv4."""
    assert allowed(policy(allow), "x", address) == passes


@pytest.mark.parametrize("address", ["::ffff:10.9.0.1", "64:ff9b::10.9.0.1", "2002:a09:1::", "::10.9.0.1"])
def test_a_denied_ipv4_address_is_denied_inside_an_ipv6_one(address: str) -> None:
    """EGRESS_DENY of an IPv4 network holds for the addresses that lead into it."""
    rules = policy("x.example,::/0,0.0.0.0/0", "10.9.0.0/16")
    assert "EGRESS_DENY" in rules.judge(*X, [address]).reason


@pytest.mark.parametrize("port", [1, 22, 79, 81, 6379, 8000, 8081, 65535])
def test_unusual_ports_need_egress_ports(port: int) -> None:
    """Where the caller chose the port, only 80, 443, 8080, 8443 and those of EGRESS_PORTS are dialled."""
    assert "EGRESS_PORTS" in policy().judge("x", port, ["1.1.1.1"]).reason
    assert policy().judge("x", port, ["1.1.1.1"], any_port=True) is None
    assert allowed(policy(ports=f"{port}"), "x", "1.1.1.1", port=port)
    assert allowed(policy(ports="1-65535"), "x", "1.1.1.1", port=port)
    assert allowed(policy(ports="*"), "x", "1.1.1.1", port=port)
    assert not allowed(policy("10.0.0.0/8"), "x", "10.0.0.1", port=port)
    for usual in (80, 443, 8080, 8443):
        assert allowed(policy(), "x", "1.1.1.1", port=usual)


def test_an_entry_with_a_port_opens_that_port_alone() -> None:
    """An address, network or name may be written with a port: it then holds there only, and needs no EGRESS_PORTS."""
    rules = policy("127.0.0.1:9000,[fd00::1]:9000,[fd99::/64]:9001,10.0.0.0/8:9000,name.example:9000")
    assert allowed(rules, "x", "127.0.0.1", "fd00::1", "10.1.1.1", port=9000)
    assert allowed(rules, "x", "fd99::5", port=9001)
    assert allowed(rules, "name.example", "192.168.0.1", port=9000)
    assert not allowed(rules, "name.example", "192.168.0.1", port=443)
    assert not allowed(rules, "x", "127.0.0.1", port=80)
    assert rules.judge("x", 80, ["127.0.0.1"], any_port=True) is not None
    assert not allowed(rules, "x", "1.1.1.1", port=9000)
    assert allowed(policy(deny="x:443"), "x", "1.1.1.1", port=80)
    assert not allowed(policy(deny="x:443"), "x", "1.1.1.1", port=443)


def test_nothing_opens_the_gateways_own_address() -> None:
    """Where the gateway itself listens is refused though it is allowed by name and by network."""
    rules = policy("0.0.0.0/0,x.example", ports="*")
    assert "itself" in rules.judge(*X, ["10.0.0.1", "10.0.0.2"], own=["10.0.0.2"]).reason


def test_a_host_that_is_not_canonical_cannot_be_named_otherwise() -> None:
    """An entry's address in another spelling, or what is no host, is an error and never a name that fits nothing."""
    for text in ("0x7f.1", "2130706433", "10.0.0", "127.0.0.1.", "010.0.0.1"):
        with pytest.raises(ValueError, match="as it should be written"):
            parse_entries(text)


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.0/33", "10.0.0.1/8", "fd00::/129", "a/8", "10.0.0.256", "*", "*.", "*x.example", "a.*.example",
        "*.*.example", "*.10.0.0.1", "http://x.example", "x.example/path", "a b", "x:", "x:0", "x:65536", "x:http",
        "x:80-90", "[::1", "[::1]:x", ":80", "fe80::1%eth0", "u@x",
    ],
)  # fmt: skip
def test_entries_that_make_no_sense_are_errors(text: str) -> None:
    """What is neither an address, a CIDR, a name nor `*.name`, at a port or not, is a ValueError that shows it."""
    with pytest.raises(ValueError, match=r"'.*' "):
        parse_entries(f"10.0.0.0/8, {text}")


@pytest.mark.parametrize("text", ["0", "65536", "http", "90-80", "80-", "-80", "80 90", "8.0", "\u0661", "80,*"])
def test_ports_that_make_no_sense_are_errors(text: str) -> None:
    """What is neither a port, a range nor `*` is a ValueError that shows it."""
    with pytest.raises(ValueError, match="is no port"):
        parse_ports(f"81,{text}")


def test_blanks_and_empty_entries_do_no_harm() -> None:
    """Commas may have blanks around them or nothing between."""
    assert len(parse_entries(" 10.0.0.0/8 ,, x.example, ")) == 2
    assert parse_ports(" 81 ,, 90-91, ") == (range(81, 82), range(90, 92))
