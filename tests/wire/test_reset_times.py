"""When an upstream said that it may be asked again: every form in which providers say it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.wire.error_bodies import read_error
from app.wire.reset_times import told

NOW_S = 1_764_000_000.0
"""2025-11-24 16:00:00 UTC, midnight between the 24th and the 25th in Beijing."""


def from_headers(**fields: str) -> float | None:
    return told({name.replace("_", "-"): value for name, value in fields.items()}, read_error(b""), NOW_S)


def from_body(body: Any) -> float | None:
    text = body if isinstance(body, str) else json.dumps(body)
    return told({}, read_error(text.encode()), NOW_S)


def says(message: str, **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("0.2", 1),
        ("86400", 86_400),
        ("86401", 86_400),
        ("99999999999999", 86_400),
        ("Mon, 24 Nov 2025 16:00:30 GMT", 30),
        ("Monday, 24-Nov-25 16:00:30 GMT", 30),
        ("Mon Nov 24 16:00:30 2025", 30),
        ("Mon, 24 Nov 2025 15:59:59 GMT", None),
        ("Sat, 29 Nov 2025 16:00:00 GMT", 86_400),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("1e3", None),
        ("Inf", None),
        ("", None),
        ("Mon, 99 Nov 2025 16:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    """RFC 9110, 10.2.3; kept between a second and a day; 0, the past and nonsense are not told."""
    assert from_headers(retry_after=value) == seconds


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"retry_after_ms": "1500"}, 1.5),
        ({"retry_after_ms": "20"}, 1),
        ({"retry_after_ms": "1500", "retry_after": "1"}, 1.5),
        ({"retry_after_ms": "500", "retry_after": "30"}, 30),
        ({"retry_after_ms": "0", "retry_after": "5"}, 5),
        ({"retry_after_ms": "never", "retry_after": "5"}, 5),
    ],
)
def test_of_one_family_the_latest_counts(fields: dict[str, str], seconds: float) -> None:
    """retry-after-ms and Retry-After say the same thing; the later of those that can be read is kept."""
    assert from_headers(**fields) == seconds


FAMILIES = [
    ({"retry_after": "9"}, 9),
    ({"anthropic_ratelimit_unified_reset": str(int(NOW_S) + 40)}, 40),
    ({"anthropic_ratelimit_tokens_reset": "2025-11-24T16:00:20Z", "anthropic_ratelimit_requests_reset": "garbled"}, 20),
    ({"x_ratelimit_reset_requests": "1m30s", "x_ratelimit_reset_tokens": "6s"}, 90),
]


@pytest.mark.parametrize("first", range(len(FAMILIES)))
def test_a_family_counts_only_without_those_before_it(first: int) -> None:
    """Retry-After, then unified, then Anthropic's others, then x-ratelimit-reset*, then the body."""
    fields = {name: value for family, _ in FAMILIES[first:] for name, value in family.items()}
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    body = read_error(json.dumps(says("Please try again in 3000s")).encode())
    assert told(headers, body, NOW_S) == FAMILIES[first][1]
    assert told({}, body, NOW_S) == 3000


def test_a_family_without_a_time_to_come_leaves_it_to_the_next() -> None:
    """A Retry-After of 0 beside a reset that lies ahead: the reset is told."""
    assert from_headers(retry_after="0", anthropic_ratelimit_unified_reset="1", x_ratelimit_reset="12") == 12


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("12", 12),
        ("12s", 12),
        ("120ms", 1),
        ("1m30s", 90),
        ("6h0m0s", 21_600),
        ("2m59.56s", 179.56),
        ("1d2h", 86_400),
        ("1764000033", 33),
        ("1764000033000", 33),
        ("1764000033.5", 33.5),
        ("2025-11-24T16:00:45Z", 45),
        ("2025-11-25T00:00:45+08:00", 45),
        ("2025-11-24T16:00:45.123456789Z", 45),
        ("1763999999", None),
        ("2025-11-24T15:00:00Z", None),
        ("2025-13-44T15:00:00Z", None),
        ("1s later", None),
        ("0s", None),
    ],
)
def test_resets_are_spans_or_moments(value: str, seconds: float | None) -> None:
    """Seconds, spans as Go writes them, times since the epoch in s or ms, RFC 3339: told by their looks."""
    assert from_headers(x_ratelimit_reset_tokens=value) == (seconds if seconds is None else pytest.approx(seconds))


def test_anthropic_names_several_resets() -> None:
    """All of its windows must have passed."""
    assert (
        from_headers(
            anthropic_ratelimit_requests_reset="2025-11-24T16:00:02Z",
            anthropic_ratelimit_input_tokens_reset="2025-11-24T16:00:31Z",
            anthropic_ratelimit_unified_5h_reset="1764000007",
        )
        == 31
    )


BODIES: list[tuple[Any, float | None]] = [
    # Gemini: RetryInfo beside the sentence
    (says("Please retry in 34.074824224s.", details=[{"@type": "RetryInfo", "retryDelay": "34s"}]), 34.074824224),
    ([says("Quota", details=[{"retryDelay": "7s"}])], 7),
    # Google's Code Assist
    (says("x", details=[{"metadata": {"quotaResetDelay": "1h54m13s", "model": "m"}}]), 6853),
    (says("x", details=[{"metadata": {"quotaResetTimeStamp": "2025-11-24T16:10:00Z"}}]), 600),
    (says("Your quota will reset after 135h10m5s."), 86_400),
    # OpenAI, Groq, Azure
    (says("Rate limit reached. Please try again in 20s. Contact us"), 20),
    (says("Please try again in 1m2.5s."), 62.5),
    (says("Please try again in 6h0m0s."), 21_600),
    (says("Please try again in 9m38.016s. Need more tokens?"), 578.016),
    (says("Please try again in 250ms."), 1),
    (says("exceeded token rate limit. Please retry after 20 seconds."), 20),
    (says("Try again in 1 hour and 2 minutes"), 3720),
    (says("please try again after 1 seconds"), 1),
    (says("Please wait 15 seconds before the next request"), 15),
    (says("Resets in 45m10s."), 2710),
    # Codex
    ({"error": {"type": "usage_limit_reached", "resets_at": 1764003600, "resets_in_seconds": 3600}}, 3600),
    ({"error": {"type": "usage_limit_reached", "resets_in_seconds": 392723}}, 86_400),
    ({"error": {"type": "usage_limit_reached", "message": "The usage limit has been reached"}}, 1800),
    # relays that cool down by themselves
    ({"error": {"code": "model_cooldown", "reset_seconds": 42, "reset_time": "42s"}}, 42),
    ({"error": {"code": "API_KEY_QUOTA_EXHAUSTED"}}, 1800),
    ({"code": "subscription:free-usage-exhausted", "error": "rolling 24-hour window"}, 86_400),
    ({"error": {"message": "slow down", "retry_after": 5}}, 5),
    ({"error": {"message": "slow down", "retry_after_ms": 2500}}, 2.5),
    ({"message": "wait", "retry_after": "30"}, 30),
    # OpenRouter hands on header fields in the body
    (says("Rate limit exceeded", metadata={"headers": {"X-RateLimit-Reset": "1764000060000"}}), 60),
    # Anthropic: budgets and subscriptions
    (says("You have reached your API usage limits. You will regain access on 2025-11-25 at 00:00 UTC."), 28_800),
    (says("Claude AI usage limit reached|1764000900"), 900),
    # Zhipu: Beijing's time, in either language
    ({"error": {"code": "1308", "message": "已达到 5 小时的使用上限。您的限额将在 2025-11-25 00:30:00 重置。"}}, 1800),
    ({"error": {"code": "1310", "message": "Limit exhausted. Your limit will reset at 2025-11-25 00:10:00"}}, 600),
    (says("额度已用完，明天 08:30 恢复"), 86_400),
    (says("额度已用完，今天 02:30 恢复"), 9000),
    (says("今日用量上限，将于明天0点30分（北京时间）重置"), 86_400),
    (says("请在 30 秒后重试"), 30),
    (says("请求过多，5 分钟后再试"), 300),
    (says("Your limit will reset at 2025-11-24 16:00:10"), 10),
    # nothing told
    (says("Please try again later."), None),
    (says("Limit 3 / min, 60 s window"), None),
    (says("Your limit will reset at 2025-11-24 15:59:59"), None),
    (says("This model is removed on 2025-11-25 10:00:00"), None),
    (says("Invalid value: 'try again in 20s'"), None),
    ({"error": {"retry_after": None}}, None),
    ({"messages": [{"retry_after": 50, "content": "try again in 50s"}]}, None),
    ("", None),
    ("Too many requests, try again in 12 seconds", 12),
    ("<html><body>try again in 12 seconds</body></html>", None),
]


@pytest.mark.parametrize(("body", "seconds"), BODIES, ids=lambda value: str(value)[:70])
def test_bodies_tell_in_their_providers_words(body: Any, seconds: float | None) -> None:
    """Fields that name a delay or a moment, and sentences that do; what the caller wrote tells nothing."""
    assert from_body(body) == (seconds if seconds is None else pytest.approx(seconds))
