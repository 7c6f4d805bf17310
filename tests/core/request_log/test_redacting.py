"""Secrets leave texts, whatever they stand in; all else stays."""

from __future__ import annotations

import json
import time

import pytest

from app.core.request_log.redacting import redacted


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("use sk-proj-abcdefghijklmnop now", "sk-proj-abcdefghijklmnop"),
        ("sk-ant-api03-abcdefghijklmnopqrst", "sk-ant-api03-abcdefghijklmnopqrst"),
        ("sk-gw-abcdefghijklmnop", "sk-gw-abcdefghijklmnop"),
        ("key=AIzaSyAbcdefghijklmnopqrstuvwxyz01234", "AIzaSyAbcdefghijklmnopqrstuvwxyz01234"),
        ("AKIAABCDEFGHIJKLMNOP", "AKIAABCDEFGHIJKLMNOP"),
        ("gsk_abcdefghijklmnop1234", "gsk_abcdefghijklmnop1234"),
        ("github_pat_11ABCDEFG0abcdefg", "github_pat_11ABCDEFG0abcdefg"),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "eyJzdWIiOiIx.c2lnbmF0dXJl"),
        ("authorization: bearer abc.def-123456", "abc.def-123456"),
        ("Proxy-Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ('{"apiKey": "a b c d e f"}', "a b c d e f"),
        ('{"db_password" : "hunter22hunter"}', "hunter22hunter"),
        ('{"client-secret":"0123456789"}', "0123456789"),
        ('{"access_token":"0123456789"}', "0123456789"),
        (json.dumps({"arguments": json.dumps({"api_key": "0123456789"})}), "0123456789"),
        ("{'refresh_token': '0123456789'}", "0123456789"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, secret: str) -> None:
    """By how it begins, by the word before it, or by the name of its member; a hint stays."""
    told = redacted(text, ())
    assert secret not in told
    assert "…" in told


@pytest.mark.parametrize(
    "text",
    [
        '{"max_tokens": 100, "token_count": "100", "tokenizer": "cl100k_base"}',
        '{"model": "gpt-4o", "prompt": "write a task-list for the basic course"}',
        "risk-adjusted-returns-of-a-portfolio and disk-based-index-structure",
        "the bearer of bad news, the secret of success: persistence",
        '{"password": ""}',
        "模型 – ünïcode",
    ],
)
def test_what_is_no_secret_stays_as_it_was(text: str) -> None:
    """Letter by letter."""
    assert redacted(text, ("short",)) == text


def test_known_secrets_are_masked_however_json_writes_them() -> None:
    """One that holds another is taken whole."""
    secret, longer = 'a/b"c\\d-0123456789', 'x-a/b"c\\d-0123456789-x'
    told = redacted(json.dumps([secret, longer]) + secret, {secret, longer})
    assert "0123456789" not in told
    assert told.count("…") == 3


@pytest.mark.parametrize(
    "text",
    [
        "sk-" * 30_000,
        '"' + "a" * 90_000,
        '"api_key" : ' * 8_000,
        "eyJ" * 30_000,
        "bearer " * 13_000,
        '\\"' * 45_000,
        '"-' * 45_000,
    ],
    ids=lambda text: text[:12],
)
def test_no_text_takes_long(text: str) -> None:
    """Made to be slow, as callers may: a tenth of a second at most, on a machine that is slow itself."""
    began_s = time.thread_time()
    redacted(text, ())
    assert time.thread_time() - began_s < 0.1
