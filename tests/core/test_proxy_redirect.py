"""Addresses of a mapping's own target in an answer lead back to the mapping, and no others."""

from __future__ import annotations

import pytest

from app.core.proxy_redirect import ADDRESS_FIELDS, lead_back
from app.core.routing import parse_mapping

ORIGIN = "https://gw.example:8443"


def led_back(value: str, target: str, *, prefix: str = "/p", asked: str = "/v1/a", origin: str = ORIGIN) -> str:
    [(_, result)] = lead_back([("Location", value)], parse_mapping(prefix, target), asked, origin)
    return result


@pytest.mark.parametrize(
    ("target", "value", "expected"),
    [
        ("https://api.test", "https://api.test/v1/x", f"{ORIGIN}/p/v1/x"),
        ("https://api.test", "https://api.test/upload?id=a%2Fb&c=//d#e", f"{ORIGIN}/p/upload?id=a%2Fb&c=//d#e"),
        ("https://api.test", "https://API.test:443/v1", f"{ORIGIN}/p/v1"),
        ("https://api.test", "HTTPS://api.test./v1", f"{ORIGIN}/p/v1"),
        ("https://api.test", "//api.test/v1", f"{ORIGIN}/p/v1"),
        ("https://api.test", "https://api.test", f"{ORIGIN}/p"),
        ("https://api.test", "https://api.test?a=1", f"{ORIGIN}/p?a=1"),
        ("https://api.test", "/v1/x?y#z", "/p/v1/x?y#z"),
        ("https://api.test", "b?c", "/p/v1/b?c"),
        ("https://api.test", "../b", "/p/b"),
        ("https://api.test", "../../../b", "/p/b"),
        ("http://[fd00::1]:81", "http://[FD00:0::1]:81/x", f"{ORIGIN}/p/x"),
        ("http://127.0.0.1:81/base", "http://127.0.0.1:81/base/x", f"{ORIGIN}/p/x"),
        ("http://127.0.0.1:81/base", "/base/x", "/p/x"),
        ("http://127.0.0.1:81/base", "/base?x", "/p?x"),
        ("http://127.0.0.1:81/base/", "/base", "/p"),
    ],
)
def test_an_address_of_the_target_leads_back(target: str, value: str, expected: str) -> None:
    """Absolute, scheme-relative, root-relative and relative addresses; the rest of them stays byte for byte."""
    assert led_back(value, target) == expected


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("https://api.test", "https://other.test/v1/x"),
        ("https://api.test", "https://api.test.evil.test/v1/x"),
        ("https://api.test", "https://api.test@evil.test/x"),
        ("https://api.test", "https://user@api.test/x"),
        ("https://api.test", "https://api.test:8443/x"),
        ("https://api.test", "https://api.test:99999/x"),
        ("https://api.test", "https://api.test:x/y"),
        ("https://api.test", "http://api.test/x"),
        ("http://api.test", "https://api.test/x"),
        ("https://api.test", "https://api.test\\@evil.test/x"),
        ("https://api.test", "///evil.test/x"),
        ("https://api.test", "/\\evil.test/x"),
        ("https://api.test", "\\\\evil.test/x"),
        ("https://api.test", "mailto:a@api.test"),
        ("https://api.test", "https:/v1"),
        ("https://api.test", "https://[::1/x"),
        ("https://api.test", "https://api.test/a/../../api/mappings"),
        ("https://api.test", "https://api.test/%2e%2E/api/mappings"),
        ("https://api.test", "/.."),
        ("https://api.test", ""),
        ("https://api.test", "?page=2"),
        ("https://api.test", "#top"),
        ("https://api.test/base", "https://api.test/other"),
        ("https://api.test/base", "https://api.test/based"),
        ("https://api.test/base", "/other"),
        ("https://api.test/base", "/"),
    ],
)
def test_every_other_address_passes_as_it_came(target: str, value: str) -> None:
    """Another server, port or scheme, what lies beside the base path, and whatever could be read in two ways."""
    assert led_back(value, target) == value


def test_the_fields_that_hold_one_address_and_no_others() -> None:
    """By name in any spelling, which stays; a field whose value is more than an address passes."""
    names = ["location", "CONTENT-Location", "Operation-Location", "X-Goog-Upload-URL", "x-goog-upload-control-url"]
    names.append("Azure-AsyncOperation")
    assert {name.lower() for name in names} == ADDRESS_FIELDS
    others = ["Link", "Refresh", "X-Location", "Referer"]
    fields = [(name, "https://api.test/x") for name in [*names, *others]]
    led = lead_back(fields, parse_mapping("/p", "https://api.test"), "/", ORIGIN)
    assert led == [(name, f"{ORIGIN}/p/x") for name in names] + fields[len(names) :]


def test_without_an_origin_an_absolute_address_becomes_a_path() -> None:
    """A client of HTTP/1.0 may not say what it calls us."""
    assert led_back("https://api.test/x", "https://api.test", origin="") == "/p/x"


def test_the_prefix_stands_as_it_does_on_the_wire() -> None:
    """Encoded, without a slash at its end."""
    assert led_back("/x", "https://api.test", prefix="/模型/") == "/%E6%A8%A1%E5%9E%8B/x"
