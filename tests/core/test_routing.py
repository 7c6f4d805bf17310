"""Which mapping a target belongs to, and what may be a mapping."""

from __future__ import annotations

import pytest

from app.core.errors import InvalidMapping
from app.core.routing import match, parse_mapping
from app.core.settings import Limits, Settings
from app.core.snapshot import build_snapshot
from tests.support.snapshots import snapshot_of, stored

SNAPSHOT = snapshot_of(
    {
        "/openai": "https://api.openai.com",
        "/openai/beta": "https://beta.example/base/",
        "/a/b/c": "http://deep.example:8080",
        "/trail/": "https://trail.example/x/",
        "/你好": "https://uni.example",
    }
)


@pytest.mark.parametrize(
    ("target", "prefix", "asked"),
    [
        ("/openai", "/openai", "/"),
        ("/openai/", "/openai", "/"),
        ("/openai?x=1", "/openai", "/?x=1"),
        ("/openai/v1/models", "/openai", "/v1/models"),
        ("/openai//v1", "/openai", "//v1"),
        ("/openai/betamax", "/openai", "/betamax"),
        ("/openai/beta", "/openai/beta", "/base"),
        ("/openai/beta/x", "/openai/beta", "/base/x"),
        ("/openai/beta?q=/openai", "/openai/beta", "/base?q=/openai"),
        ("/a/b/c/d?e/f", "/a/b/c", "/d?e/f"),
        ("/trail/v1", "/trail/", "/x/v1"),
        ("/trail", "/trail/", "/x"),
        ("/%E4%BD%A0%E5%A5%BD/x", "/你好", "/x"),
    ],
)
def test_longest_prefix_at_a_boundary_wins(target: str, prefix: str, asked: str) -> None:
    """The longest prefix that ends at a slash, a question mark or the end gives the mapping; the rest is appended."""
    route = match(SNAPSHOT, target)
    assert route is not None
    mapping, target_asked = route
    assert (mapping.prefix, target_asked) == (prefix, asked)


@pytest.mark.parametrize("target", ["/", "/openai2", "/openaix/v1", "/a/b", "/x?/openai", "*", "", "/OPENAI/v1"])
def test_no_prefix_no_route(target: str) -> None:
    """A target that no prefix leads has no route."""
    assert match(SNAPSHOT, target) is None


def test_a_path_of_many_segments_costs_no_more_look_ups_than_the_deepest_prefix() -> None:
    """The router looks no deeper than the deepest prefix."""
    assert SNAPSHOT.depth == 3
    assert match(SNAPSHOT, "/openai" + "/x" * 10_000) is not None


def test_invalid_entries_are_left_out_and_told() -> None:
    """One bad entry, which somebody wrote by hand, does not take the others down."""
    snapshot = snapshot_of({"/ok": "https://ok.example", "bad": "https://x.example", "/ftp": "ftp://x"})
    assert list(snapshot.mappings) == ["/ok"]
    assert {name: error.field for name, error in snapshot.rejected.items()} == {"bad": "prefix", "/ftp": "target"}


@pytest.mark.parametrize(
    ("prefix", "says"),
    [
        ("", "empty"),
        ("openai", "start with '/'"),
        ("/", "gateway itself"),
        ("/admin", "gateway itself"),
        ("/Admin/x", "gateway itself"),
        ("/api/mappings", "gateway itself"),
        ("/stats", "gateway itself"),
        ("/proxy", "gateway itself"),
        ("/a b", "blanks"),
        ("/a\n", "blanks"),
        ("/a\x00", "blanks"),
        ("/a\u2003b", "blanks"),
        ("/a?b", "leave out"),
        ("/a#b", "leave out"),
        ("/a//b", "segments"),
        ("/a/../b", "segments"),
        ("/./b", "segments"),
    ],
)
def test_bad_prefix_is_refused_with_a_reason(prefix: str, says: str) -> None:
    """What cannot be a prefix is refused with a text that says why."""
    with pytest.raises(InvalidMapping, match=says):
        parse_mapping(prefix, "https://x.example")


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("", "empty"),
        ("api.openai.com", "http"),
        ("ftp://x.example", "http"),
        ("javascript:alert(1)", "http"),
        ("https://", "host"),
        ("https:///path", "host"),
        ("https://user@x.example", "credentials"),
        ("https://user:pw@x.example", "credentials"),
        ("https://x.example?a=1", "query"),
        ("https://x.example/#f", "query"),
        ("https://x.example:99999", "no URL"),
        ("https://x.exa mple", "blanks"),
        ("https://x.example\r\nX: y", "blanks"),
        ("https://[::1", "no URL"),
        ("https://<script>", "host"),
        ("https://a..b", "is no host name"),
        ("https://256.1.1.1", "is no host name"),
    ],
)
def test_bad_target_is_refused_with_a_reason(target: str, says: str) -> None:
    """What cannot be a target is refused with a text that says why."""
    with pytest.raises(InvalidMapping, match=says):
        parse_mapping("/x", target)


@pytest.mark.parametrize(
    ("target", "host", "port", "authority", "base_path"),
    [
        ("https://api.openai.com", "api.openai.com", 443, "api.openai.com", ""),
        ("https://API.OpenAI.com:443/", "api.openai.com", 443, "api.openai.com", ""),
        ("http://x.example:8080/a/b/", "x.example", 8080, "x.example:8080", "/a/b"),
        ("http://0x7f.1:81", "127.0.0.1", 81, "127.0.0.1:81", ""),
        ("http://[2001:db8::1]:81/", "2001:db8::1", 81, "[2001:db8::1]:81", ""),
        ("https://x.example/a b".replace(" ", "%20"), "x.example", 443, "x.example", "/a%20b"),
    ],
)
def test_target_is_taken_apart(target: str, host: str, port: int, authority: str, base_path: str) -> None:
    """Host, port, Host field and base path come from the target once, not at each request."""
    upstream = parse_mapping("/x", target).upstream
    assert (upstream.host, upstream.port, upstream.authority, upstream.base_path) == (host, port, authority, base_path)


def test_a_mappings_limits_stand_over_the_general_ones() -> None:
    """A limit is the mapping's own, else the operator's general one, else the deployment's."""
    snapshot = build_snapshot(
        stored(
            1,
            {"/a": "https://a.example", "/b": "https://b.example"},
            {"/a": '{"idle_timeout": 7, "max_concurrency": 3}'},
            {"idle_timeout": "9", "total_timeout": "60"},
        ),
        Limits(connect_timeout=2.0, total_timeout=99.0),
        Settings(),
    )
    a, b = snapshot.mappings["/a"].upstream.limits, snapshot.mappings["/b"].upstream.limits
    assert (a.idle_timeout, a.max_concurrency, a.total_timeout, a.connect_timeout) == (7.0, 3, 60.0, 2.0)
    assert (b.idle_timeout, b.max_concurrency, b.total_timeout, b.connect_timeout) == (9.0, 0, 60.0, 2.0)


@pytest.mark.parametrize("options", ["nonsense", "[]", '{"idle_timeout": -1}', '{"no_such": 1}'])
def test_bad_options_reject_their_mapping_only(options: str) -> None:
    """Options that make no sense put their own mapping out, with a reason; a limit is never silently lost."""
    snapshot = snapshot_of({"/a": "https://a.example", "/b": "https://b.example"}, {"/a": options})
    assert list(snapshot.mappings) == ["/b"]
    assert snapshot.rejected["/a"].field.startswith("options")


def test_a_bad_general_setting_is_told() -> None:
    """A general setting that makes no sense is left out and told."""
    snapshot = snapshot_of({"/a": "https://a.example"}, idle_timeout="soon")
    assert "idle_timeout" in snapshot.rejected
    assert snapshot.mappings["/a"].upstream.limits == Limits()
