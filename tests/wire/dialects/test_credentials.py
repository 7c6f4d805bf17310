"""Callers' credentials and an upstream's."""

from __future__ import annotations

import pytest

from app.wire.dialects.credentials import (
    AUTHS,
    credential_fields,
    credentials,
    query_without_key,
    without_own,
)


@pytest.mark.parametrize(
    ("headers", "query", "told"),
    [
        ([("Authorization", "Bearer a")], "", ["a"]),
        ([("AUTHORIZATION", "bearer   a ")], "", ["a"]),
        ([("authorization", "Basic YTpi")], "", []),
        ([("authorization", "Bearer")], "", []),
        ([("x-gateway-token", "g"), ("api-key", "k"), ("x-goog-api-key", "o"), ("X-Api-Key", "x"),
          ("Authorization", "Bearer b")], "key=q", ["b", "x", "o", "k", "g", "q"]),
        ([("x-api-key", " a ")], "", ["a"]),
        ([("x-api-key", "")], "", []),
        ([("x-api-key", "a"), ("x-api-key", "b")], "", ["a", "b"]),
        ([], "alt=sse&key=a%2Bb&key=c", ["a+b", "c"]),
        ([], "monkey=a&key=", []),
        ([], "", []),
    ],
)  # fmt: skip
def test_a_callers_credentials_are_found_in_their_order(
    headers: list[tuple[str, str]], query: str, told: list[str]
) -> None:
    """Bearer, then the other fields, then the query."""
    assert credentials(headers, query) == told


def test_all_that_is_the_callers_own_leaves_the_request() -> None:
    """Credentials, any `Authorization` among them, and the codings that he reads; other fields stay as they came."""
    headers = [
        ("Host", "x"), ("Authorization", "Basic YTpi"), ("X-API-Key", "a"), ("x-goog-api-key", "b"), ("Api-Key", "c"),
        ("X-Gateway-Token", "d"), ("Cookie", "f"), ("accept-encoding", "gzip"), ("x-api-keys", "stays"),
        ("anthropic-beta", "e"),
    ]  # fmt: skip
    assert without_own(headers) == [("Host", "x"), ("x-api-keys", "stays"), ("anthropic-beta", "e")]


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("key=a", ""),
        ("alt=sse&key=a", "alt=sse"),
        ("key=a&alt=sse", "alt=sse"),
        ("a=%20+&key=x&b&&key=y&c=key=z", "a=%20+&b&&c=key=z"),
        ("monkey=a", "monkey=a"),
        ("beta=true", "beta=true"),
        ("", ""),
    ],
)
def test_the_querys_key_leaves_and_all_else_stays(query: str, left: str) -> None:
    """In its order and spelling."""
    assert query_without_key(query) == left


@pytest.mark.parametrize(
    ("auth", "speaks", "fields"),
    [
        ("auto", "openai", [("Authorization", "Bearer s")]),
        ("auto", "responses", [("Authorization", "Bearer s")]),
        ("auto", "anthropic", [("x-api-key", "s")]),
        ("auto", "gemini", [("x-goog-api-key", "s")]),
        ("bearer", "anthropic", [("Authorization", "Bearer s")]),
        ("x-api-key", "openai", [("x-api-key", "s")]),
        ("x-goog-api-key", "openai", [("x-goog-api-key", "s")]),
        ("api-key", "openai", [("api-key", "s")]),
        ("both", "anthropic", [("Authorization", "Bearer s"), ("x-api-key", "s")]),
    ],
)
def test_a_key_goes_where_the_dialect_or_the_channel_wants_it(
    auth: str, speaks: str, fields: list[tuple[str, str]]
) -> None:
    """`auto` is the dialect's own way; below /v1beta/openai/ that is openai's."""
    assert auth in AUTHS
    assert credential_fields(auth, speaks, "s") == fields
