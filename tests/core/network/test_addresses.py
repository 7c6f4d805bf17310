"""What an address is for, and what a host's spellings mean."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import ada_url
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.network.addresses import Address, canonical_host, embedded_ipv4, is_localhost, special_use

# IANA's special-purpose address registries: each block, and whether the registry calls it globally reachable.
REGISTRY = {
    "0.0.0.0/8": False,
    "0.0.0.0/32": False,
    "10.0.0.0/8": False,
    "100.64.0.0/10": False,
    "127.0.0.0/8": False,
    "169.254.0.0/16": False,
    "172.16.0.0/12": False,
    "192.0.0.0/24": False,
    "192.0.0.0/29": False,
    "192.0.0.8/32": False,
    "192.0.0.9/32": True,
    "192.0.0.10/32": True,
    "192.0.0.170/32": False,
    "192.0.0.171/32": False,
    "192.0.2.0/24": False,
    "192.31.196.0/24": True,
    "192.52.193.0/24": True,
    "192.88.99.0/24": False,
    "192.88.99.2/32": False,
    "192.168.0.0/16": False,
    "192.175.48.0/24": True,
    "198.18.0.0/15": False,
    "198.51.100.0/24": False,
    "203.0.113.0/24": False,
    "240.0.0.0/4": False,
    "255.255.255.255/32": False,
    "::1/128": False,
    "::/128": False,
    "::ffff:0:0/96": False,
    "64:ff9b::/96": True,
    "64:ff9b:1::/48": False,
    "100::/64": False,
    "100:0:0:1::/64": False,
    "2001::/23": False,
    "2001::/32": False,
    "2001:1::1/128": True,
    "2001:1::2/128": True,
    "2001:1::3/128": True,
    "2001:2::/48": False,
    "2001:3::/32": True,
    "2001:4:112::/48": True,
    "2001:10::/28": False,
    "2001:20::/28": True,
    "2001:30::/28": True,
    "2001:db8::/32": False,
    "2002::/16": False,
    "2620:4f:8000::/48": True,
    "3fff::/20": False,
    "5f00::/16": False,
    "fc00::/7": False,
    "fe80::/10": False,
}
# What the registries do not hold or call reachable, and a web page must not be fetched from.
REFUSED_TOO = ["224.0.0.0/4", "192.0.0.0/24", "2001::/23", "64:ff9b::/96", "::/96", "fec0::/10", "ff00::/8"]
BLOCKS = [*REGISTRY, *REFUSED_TOO, "2000::/3", "1.1.1.0/24", "2606:4700::/32"]


def edges(block: str) -> Iterator[Address]:
    """The first and last address of a block, and those before and behind it."""
    network = ip_network(block)
    first, last = int(network.network_address), int(network.broadcast_address)
    for number in (first - 1, first, last, last + 1):
        if 0 <= number < 2**network.max_prefixlen:
            yield type(network.network_address)(number)


def is_reachable(address: Address) -> bool:
    """What the tables above say: the registries' narrowest block decides, and the second table goes before them."""
    if any(address in ip_network(block) for block in REFUSED_TOO):
        return False
    blocks = [block for block in REGISTRY if address in ip_network(block)]
    if blocks:
        return REGISTRY[max(blocks, key=lambda block: ip_network(block).prefixlen)]
    return address.version == 4 or address in ip_network("2000::/3")


@pytest.mark.parametrize("block", BLOCKS)
def test_the_registries_blocks_hold_at_their_edges(block: str) -> None:
    """Each special block of IANA's registries is told from its neighbours to the very address."""
    for address in edges(block):
        assert (special_use(address) is None) == is_reachable(address), (address, special_use(address))


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_python_knows_nothing_private_that_we_call_public(address: Address) -> None:
    """Whatever `ipaddress` of any Python does not call global is not public here either."""
    assert address.is_global or special_use(address)


@pytest.mark.parametrize(
    ("address", "inner"),
    [
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::10.0.0.1", "10.0.0.1"),
        ("64:ff9b::10.0.0.1", "10.0.0.1"),
        ("2002:a00:1::5", "10.0.0.1"),
        ("2001:0:4136:e378:8000:63bf:f5ff:fffe", "10.0.0.1"),
        ("::", None),
        ("::1", None),
        ("2606:4700::a00:1", None),
        ("10.0.0.1", None),
    ],
)
def test_the_ipv4_address_inside_is_found(address: str, inner: str | None) -> None:
    """Mapped, compatible, NAT64, 6to4 and Teredo addresses name the IPv4 address that they lead to."""
    found = embedded_ipv4(ip_address(address))
    assert (found and str(found)) == inner


def spelled(number: int, parts: int, bases: list[str]) -> str:
    """An IPv4 address as `parts` numbers, the last of which stands for all that is left."""
    values = [number >> 8 * (3 - place) & 0xFF for place in range(parts - 1)]
    values.append(number & (1 << 8 * (5 - parts)) - 1)
    written = {"d": "{}", "o": "0{:o}", "x": "0x{:x}", "X": "0X{:X}"}
    return ".".join(written[base].format(value) for value, base in zip(values, bases, strict=False))


def disguised(text: str, disguises: list[str]) -> str:
    """Each character as it is, percent-encoded or in its full-width form."""
    forms = {
        "plain": lambda one: one,
        "percent": lambda one: f"%{ord(one):02x}",
        "wide": lambda one: "\u3002" if one == "." else chr(ord(one) + 0xFEE0),
    }
    return "".join(forms[disguise](one) for one, disguise in zip(text, disguises, strict=False))


DISGUISES = st.lists(st.sampled_from(["plain", "percent", "wide"]), min_size=60, max_size=60)


@given(
    st.ip_addresses(v=4), st.integers(1, 4), st.lists(st.sampled_from("doxX"), min_size=4, max_size=4), DISGUISES,
    st.sampled_from(["", "."]),
)  # fmt: skip
def test_every_spelling_of_an_ipv4_address_is_that_address(
    address: IPv4Address, parts: int, bases: list[str], disguises: list[str], dot: str
) -> None:
    """Decimal, octal, hexadecimal, short, percent-encoded and full-width spellings mean what browsers take them for."""
    assert canonical_host(disguised(spelled(int(address), parts, bases), disguises) + dot) == str(address)


@given(st.ip_addresses(v=6), st.booleans(), st.booleans())
def test_every_spelling_of_an_ipv6_address_is_that_address(address: IPv6Address, upper: bool, brackets: bool) -> None:
    """Case, leading zeros, a dotted end and brackets make no difference."""
    dotted = ":".join(address.exploded.split(":")[:6]) + f":{IPv4Address(int(address) & 0xFFFFFFFF)}"
    for text in (str(address), address.exploded, dotted):
        text = text.upper() if upper else text
        assert ip_address(canonical_host(f"[{text}]" if brackets else text)) == address


@given(
    st.sampled_from(["localhost", "a.localhost", "ip6-localhost", "ip6-loopback", "localhost.localdomain"]),
    st.lists(st.booleans(), min_size=60, max_size=60), DISGUISES, st.sampled_from(["", ".", "\u3002"]),
)  # fmt: skip
def test_every_spelling_of_localhost_is_localhost(
    name: str, capitals: list[bool], disguises: list[str], dot: str
) -> None:
    """Capitals, percent-encoding, full-width letters and a trailing dot do not hide a name of the own machine."""
    text = "".join(one.upper() if capital else one for one, capital in zip(name, capitals, strict=False))
    assert is_localhost(canonical_host(disguised(text, disguises) + dot).removesuffix("."))


LABELS = st.text("abz019-_x", min_size=1, max_size=6) | st.sampled_from(
    ["xn--", "xn--a", "xn--bcher-kva", "0x1", "256"]
)


@given(st.lists(LABELS, min_size=1, max_size=5), st.sampled_from(["", "."]))
def test_a_plain_host_is_what_the_url_standard_says(labels: list[str], dot: str) -> None:
    """Most hosts are not given to the standard's parser, as they would come back as they are."""
    text = ".".join(labels) + dot
    try:
        expected = ada_url.URL(f"http://{text}/").hostname
    except ValueError:
        with pytest.raises(ValueError, match="is no host name"):
            canonical_host(text)
    else:
        assert canonical_host(text) == expected


@pytest.mark.parametrize("name", ["localhost.example", "notlocalhost", "example", "local"])
def test_other_names_are_not_localhost(name: str) -> None:
    """Only whole labels count."""
    assert not is_localhost(name)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("EXAMPLE.com", "example.com"),
        ("example.com.", "example.com."),
        ("bücher.example", "xn--bcher-kva.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("a_b.example", "a_b.example"),
        ("loc\u00adalhost", "localhost"),
        ("[::FFFF:127.0.0.1]", "::ffff:7f00:1"),
    ],
)
def test_hosts_have_one_form(text: str, host: str) -> None:
    """Names are lower case A-labels by the rules that browsers follow, not by Python's older ones."""
    assert canonical_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "a..b", "example..", "a" * 64, ".".join(["a" * 60] * 5), "exa mple", "a/b", "a?b", "a#b", "u@h",
        "a\\b", "a\nb", "a%2fb", "a%00b", "example:80", "[::1", "::1]", "[::1%eth0]", "fe80::1%25eth0", "[example]",
        "256.1.1.1", "1.2.3.4.5", "foo.0x1", "[::1]:80",
    ],
)  # fmt: skip
def test_what_is_no_host_is_an_error(text: str) -> None:
    """URL syntax, zone ids, impossible numbers and names that DNS cannot hold are no hosts."""
    with pytest.raises(ValueError, match="is no host name"):
        canonical_host(text)
