"""What the holder of an access token may ask for."""

from __future__ import annotations

import time
from typing import Any

import pytest

from app.core.callers.permissions import check_mapping, check_path, may_use_channel, may_use_model
from app.core.errors import ApiError
from app.core.model import NOWHERE, AccessToken, Mapping
from app.core.patterns import fits
from app.wire.dialects.asked import dialect_of


@pytest.mark.parametrize(
    ("pattern", "text", "is_so"),
    [
        ("*", "anything", True),
        ("*", "", True),
        ("claude-*", "claude-sonnet-4-5", True),
        ("claude-*", "xclaude-sonnet", False),
        ("*-mini", "gpt-5-mini", True),
        ("*-mini", "gpt-5-mini-2", False),
        ("gpt-*-mini", "gpt-5-mini", True),
        ("gpt-*-mini", "gpt-mini", False),
        ("gpt-**mini", "gpt-mini", True),
        ("a*a", "a", False),
        ("*b*a*", "ab", False),
        ("*b*a*", "cbxa", True),
        ("g.t*", "gpt", False),
        ("GPT-*", "gpt-5", False),
    ],
)
def test_a_star_stands_for_anything(pattern: str, text: str, is_so: bool) -> None:
    """And for nothing but itself stands any other sign, capitals among them."""
    assert fits(pattern.split("*"), text) is is_so


def test_no_pattern_takes_long() -> None:
    """One that makes regular expressions take hours."""
    began_s = time.process_time()
    assert not fits(("*a" * 150 + "*b").split("*"), "a" * 300)
    assert time.process_time() - began_s < 0.05


def test_models_are_those_that_are_named_or_fit() -> None:
    token = AccessToken("1", "alice", model_names=frozenset({"gpt-5"}), model_patterns=("claude-*",))
    assert [model for model in ("gpt-5", "gpt-5-mini", "claude-x", "", "*") if may_use_model(token, model)] == [
        "gpt-5",
        "claude-x",
    ]
    assert may_use_model(AccessToken("1", "alice"), "anything")


@pytest.mark.parametrize(
    ("mode", "channels", "mappings", "opens"),
    [
        ("all", {"1"}, {"/a"}, {"1", "2", "/a", "/b", "/main"}),
        ("allow", {"1"}, set(), {"1"}),
        ("allow", set(), {"/a"}, {"/a"}),
        ("allow", set(), {"/main"}, {"/main"}),
        ("allow", set(), set(), set()),
        ("deny", {"1"}, set(), {"2", "/a", "/b"}),
        ("deny", set(), {"/a"}, {"1", "2", "/b", "/main"}),
        ("deny", {"2"}, {"/main"}, {"1", "/a", "/b"}),
    ],
)
def test_routes_are_allowed_or_denied(mode: str, channels: set[str], mappings: set[str], opens: set[str]) -> None:
    """`/main` leads to channel 1: whoever allows it allows the channel by it, whoever denies the channel denies it."""
    token = AccessToken("1", "alice", routes_mode=mode, channels=frozenset(channels), mappings=frozenset(mappings))

    def passes(prefix: str, **more: Any) -> bool:
        try:
            check_mapping(token, Mapping(prefix, "https://x.example", NOWHERE), **more)
        except ApiError as error:
            return (error.status, error.code) != (403, "route_not_allowed")
        return True

    found = {id for id in ("1", "2") if may_use_channel(token, id)}
    found |= {prefix for prefix in ("/a", "/b") if passes(prefix)}
    found |= {"/main"} if passes("/main", channel_id="1") else set()
    assert found == opens


@pytest.mark.parametrize(
    ("path", "is_plain"),
    [
        ("/v1/chat/completions", True),
        ("/v1/chat/completions/", True),
        ("/v1beta/models/gemini-2.5-pro:generateContent", True),
        ("/v1beta/models/org%2Fmodel:generateContent", True),
        ("/v1/b%61tches", False),
        ("/v1/chat/completions/../../batches", False),
        ("/v1/chat/completions/%2e%2e/batches", False),
        ("/v1/./batches", False),
        ("/v1//batches", False),
        ("/v1/batches;x", False),
        ("/v1/x\\batches", False),
        ("/v1beta/models/x%2F..%2F..%2Ffiles:generateContent", False),
        ("/v1beta/models/%252e%252e:generateContent", False),
    ],
)
def test_a_limited_token_opens_no_path_that_others_read_otherwise(path: str, is_plain: bool) -> None:
    """What we take for a call whose cost is known may be a batch to an upstream that undoes escapes and dots."""
    asked = dialect_of("POST", path, {})
    assert asked is not None
    if is_plain:
        check_path(AccessToken("1", "alice"), asked)
    else:
        with pytest.raises(ApiError, match="written without escapes"):
            check_path(AccessToken("1", "alice"), asked)
