"""A prefix is found in every spelling that means it, and in none that does not."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import InvalidMapping
from app.core.routing import check_prefix, match
from tests.support.snapshots import snapshot_of

SNAPSHOT = snapshot_of(
    {
        "/c": "https://c.test",
        "/模型": "https://model.test/base",
        "/模型/深": "https://deep.test",
        "/tilde~x": "https://tilde.test",
        "/enc%7eoded": "https://encoded.test",
        "/a b".replace(" ", "%20"): "https://blank.test",
        "/a%2Fb": "https://slash.test",
        "/a": "https://a.test",
        "/100%": "https://percent.test",
        "/%2563": "https://twice.test",
        "/v1:x@y": "https://signs.test",
    }
)


def raw(text: str) -> str:
    """Raw UTF-8 in a target, as WSGI shows it."""
    return text.encode().decode("latin-1")


def asked(target: str) -> tuple[str, str] | None:
    found = match(SNAPSHOT, target)
    return (found[0].prefix, found[1]) if found else None


@pytest.mark.parametrize(
    ("target", "prefix", "rest"),
    [
        ("/%63", "/c", "/"),
        ("/%63/x?y", "/c", "/x?y"),
        ("/%63?x=%63", "/c", "/?x=%63"),
        ("/%E6%A8%A1%E5%9E%8B/v1", "/模型", "/base/v1"),
        ("/%e6%a8%a1%e5%9e%8b/v1", "/模型", "/base/v1"),
        ("/%e6%A8%a1%E5%9e%8B", "/模型", "/base"),
        (raw("/模型/v1"), "/模型", "/base/v1"),
        (raw("/模") + "%E5%9E%8B/v1", "/模型", "/base/v1"),
        (raw("/模型/深/v1"), "/模型/深", "/v1"),
        ("/%e6%a8%a1%e5%9e%8b/%e6%b7%b1/v1", "/模型/深", "/v1"),
        ("/tilde~x/v1", "/tilde~x", "/v1"),
        ("/tilde%7Ex/v1", "/tilde~x", "/v1"),
        ("/%74ilde%7ex", "/tilde~x", "/"),
        ("/enc~oded/v1", "/enc%7eoded", "/v1"),
        ("/enc%7Eoded/v1", "/enc%7eoded", "/v1"),
        ("/a%20b/v1", "/a%20b", "/v1"),
        ("/a%2fb/v1", "/a%2Fb", "/v1"),
        ("/a/b/v1", "/a", "/b/v1"),
        ("/100%/x", "/100%", "/x"),
        ("/100%25/x", "/100%", "/x"),
        ("/%2563/x", "/%2563", "/x"),
        ("/v1%3Ax%40y/x", "/v1:x@y", "/x"),
        # What follows the prefix stays byte for byte.
        ("/%63/%E6%a8/%2F/%2e%2e/%zz/" + raw("模") + "?q=%41", "/c", "/%E6%a8/%2F/%2e%2e/%zz/" + raw("模") + "?q=%41"),
        ("/c/%41%2f", "/c", "/%41%2f"),
    ],
)  # fmt: skip
def test_a_prefix_is_found_in_any_spelling(target: str, prefix: str, rest: str) -> None:
    """Encoded in either case, raw, or mixed, the longest prefix first; the rest reaches the upstream as it came."""
    assert asked(target) == (prefix, rest)


@pytest.mark.parametrize(
    "target",
    [
        "/%2563x", "/%252563", "/%C3%A6%C2%A8%C2%A1", "/%E6%A8", "/%FF", "/%00c", "/c%00", "/%2Fc", "%2Fc",
        "/x%2F..%2Fc", "/%2e/c", "/%43", "/c%2Fx", "/c%3Fx", "/tilde%257Ex", "/%",
        "/%6", "/%6/c", "/%zz", "/100%2525", "/c%20",
    ],
)  # fmt: skip
def test_what_means_another_path_finds_nothing(target: str) -> None:
    """Nothing is decoded twice, `%2F` and `%3F` divide nothing, and broken UTF-8 or NUL is no part of a prefix."""
    assert asked(target) is None


@pytest.mark.parametrize("prefix", ["/a|b", "/a%7Cb", "/{id}/<x>", "/%7Bid%7D/%3cx%3E", '/^`"[]\\'])
@pytest.mark.parametrize("spell", [unquote, lambda prefix: quote(unquote(prefix))], ids=["raw", "encoded"])
def test_what_clients_send_raw_leads_to_it(prefix: str, spell: Callable[[str], str]) -> None:
    """Characters that a URL must encode and curl does not (RFC 3986, 2) mean the same in both forms."""
    found = match(snapshot_of({prefix: "https://x.test"}), f"{spell(prefix)}/rest")
    assert found is not None
    assert found[1] == "/rest"


@given(st.text(st.characters(codec="utf-8", exclude_characters="/?#"), min_size=1, max_size=8), st.data())
def test_every_way_to_encode_a_prefix_leads_to_it(name: str, data: st.DataObject) -> None:
    """Whatever bytes of a prefix are encoded, in whichever case; and the rest is not touched."""
    prefix = f"/{name.replace('%', '')}"
    try:
        check_prefix(prefix)
    except InvalidMapping:
        return
    spelled = "/"
    for byte in prefix[1:].encode():
        forms = [chr(byte), f"%{byte:02X}", f"%{byte:02x}"]
        spelled += data.draw(st.sampled_from(forms))
    found = match(snapshot_of({prefix: "https://x.test"}), f"{spelled}/r%65st")
    assert found is not None
    assert found[1] == "/r%65st"


@pytest.mark.parametrize(
    "prefix",
    [
        "/%61dmin", "/%41DMIN/x", "/%61%70%69/mappings", "/admin%2Fx", "/%2Fadmin", "/proxy%2f", "/st%61ts",
        "/%2e%2e/x", "/a/%2E", "/a%00b", "/a%0Ab", "/a%7f",
    ],
)  # fmt: skip
def test_no_spelling_makes_a_prefix_of_what_cannot_be_one(prefix: str) -> None:
    """Our own paths, dot segments and control characters stay refused when they are encoded."""
    with pytest.raises(InvalidMapping):
        check_prefix(prefix)
    snapshot = snapshot_of({prefix: "https://x.test"})
    assert (snapshot.routes, list(snapshot.rejected)) == ({}, [prefix])


@pytest.mark.parametrize("target", ["/%61dmin", "/admin", "/%61pi/mappings", "/%70roxy/https://x.test", "/%68ealth"])
def test_our_own_paths_lead_to_no_mapping_in_any_spelling(target: str) -> None:
    """Whoever serves them, it is no upstream."""
    assert asked(target) is None


def test_of_two_spellings_of_one_prefix_the_first_holds_and_the_other_is_told() -> None:
    """A request could mean both; which is which must not depend on chance."""
    snapshot = snapshot_of({"/tilde~x": "https://b.test", "/tilde%7Ex": "https://a.test", "/t/": "https://d.test"})
    assert list(snapshot.mappings) == ["/t/", "/tilde%7Ex"]
    assert "another spelling of '/tilde%7Ex'" in str(snapshot.rejected["/tilde~x"])
