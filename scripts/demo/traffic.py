"""Calls as a gateway of a small company sees them: by day and by night, with bad hours; of the same seed the same."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import NamedTuple

from app.core.statistics.events import ApiUse, FailedAttempt, RequestEvent
from app.core.usage import Usage
from scripts.demo.house import Channel, House, Token

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PRICE_VERSION = "2026-11-20"


class _Use(NamedTuple):
    """Who calls what."""

    share: float
    token: str
    model: str
    channels: tuple[str, ...]
    endpoint: str
    path: str
    dialect: str
    program: str
    tokens_in: int
    tokens_out: int
    cached: float
    per_million: tuple[float, float]
    """US dollars for what goes in and what comes out."""
    at_night: bool = False


_CHAT, _RESPONSES, _MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
_GEMINI = "/v1beta/models/gemini-2.5"
_GPT = ("OpenAI", "OpenAI backup", "Azure EU")
_CLAUDE = ("Anthropic", "Bedrock")
USES = (
    _Use(24, "web app", "gpt-5-mini", _GPT, "/v1", _CHAT, "openai", "openai-python/2.8", 900, 260, 0.4, (0.25, 2)),
    _Use(9, "web app", "gpt-5", _GPT, "/v1", _CHAT, "openai", "openai-python/2.8", 1800, 420, 0.3, (1.25, 10)),
    _Use(14, "mobile app", "gemini-2.5-flash", ("Gemini",), "/v1beta", f"{_GEMINI}-flash:streamGenerateContent",
         "gemini", "google-genai/1.9", 700, 240, 0.1, (0.3, 2.5)),
    _Use(4, "mobile app", "gemini-2.5-pro", ("Gemini",), "/v1beta", f"{_GEMINI}-pro:generateContent", "gemini",
         "google-genai/1.9", 1500, 600, 0.1, (1.25, 10)),
    _Use(19, "coding agents", "claude-sonnet-4-5", _CLAUDE, "/v1/messages", _MESSAGES, "anthropic",
         "claude-cli/2.0", 21_000, 700, 0.88, (3, 15)),
    _Use(6, "coding agents", "claude-haiku-4-5", _CLAUDE, "/v1/messages", _MESSAGES, "anthropic",
         "claude-cli/2.0", 3_200, 120, 0.6, (1, 5)),
    _Use(8, "coding agents", "gpt-5", _GPT[:2], "/v1/responses", _RESPONSES, "responses", "codex_cli/0.5",
         16_000, 900, 0.8, (1.25, 10)),
    _Use(7, "nightly batch", "deepseek-chat", ("DeepSeek",), "/v1", _CHAT, "openai", "batch/3", 2_600, 700, 0.5,
         (0.28, 0.42), at_night=True),
    _Use(6, "search index", "text-embedding-3-small", _GPT[:2], "/v1", "/v1/embeddings", "openai", "indexer/1",
         420, 0, 0, (0.02, 0)),
    _Use(2, "guests", "gpt-5-nano", _GPT, "/v1", _CHAT, "openai", "curl/8.9", 300, 150, 0, (0.05, 0.4)),
)  # fmt: skip
_MAPPED = (("/openai", "api.openai.com", "/v1/chat/completions"), ("/claude", "api.anthropic.com", "/v1/messages"),
           ("/gemini", "generativelanguage.googleapis.com", "/v1beta/models"))  # fmt: skip

_BAD_HOURS = ((25.6, 2.2, "OpenAI", 0.55), (18.4, 1.2, "Anthropic", 0.7), (9.3, 3.0, "Gemini", 0.35),
              (3.2, 1.6, "OpenAI", 0.5), (0.22, 0.9, "Anthropic", 0.5))  # fmt: skip
"""Days ago, how many hours, whose, how many of its attempts fail."""
_FAILURES = (
    (6, 429, "rate_limited", "Rate limit reached for requests per minute; try again in 2 s"),
    (3, 529, "overloaded", "Overloaded"),
    (2, 503, "server_error", "The server had an error while processing your request"),
    (1, 0, "timeout", "connect_timeout: the upstream did not take the connection within 10 s"),
)


def traffic(house: House, until_ms: int, days: int, calls_a_day: int, seed: int = 14) -> Iterator[RequestEvent]:
    """The calls of that many days, the first first."""
    random = Random(seed)
    first_ms = until_ms - days * DAY_MS
    for hour in range(days * 24):
        begin_ms = first_ms + hour * HOUR_MS
        at = datetime.fromtimestamp(begin_ms / 1000, UTC)
        growth = 0.75 + 0.5 * hour / (days * 24)
        for at_night in (False, True):
            share = sum(use.share for use in USES if use.at_night == at_night) / 100
            mean = calls_a_day / 24 * share * growth * (_at_night(at) if at_night else _by_day(at))
            many = max(0, round(random.gauss(mean, math.sqrt(mean) + mean * 0.08)))
            for place in sorted(random.random() for _ in range(many)):
                yield _call(random, house, begin_ms + int(place * HOUR_MS), until_ms, at_night=at_night)


def _by_day(at: datetime) -> float:
    """How busy an hour is; 1 on average of a week."""
    busy = 0.35 + 1.65 * math.exp(-(((at.hour - 13.5) / 4.6) ** 2))
    return busy * (0.45 if at.weekday() >= 5 else 1.1)


def _at_night(at: datetime) -> float:
    return 8.0 if at.hour in (1, 2, 3) else 0.0


def _call(random: Random, house: House, at_ms: int, until_ms: int, *, at_night: bool) -> RequestEvent:
    request_id = f"{random.getrandbits(128):032x}"
    if not at_night and random.random() < 0.06:
        return _mapped(random, request_id, at_ms)
    uses = [use for use in USES if use.at_night == at_night]
    [use] = random.choices(uses, [one.share for one in uses])
    token = house.tokens[use.token]
    if token.name == "guests" and random.random() < 0.2:
        return _refused(random, use, token, request_id, at_ms)
    return _served(random, house, use, token, request_id, at_ms, (until_ms - at_ms) / DAY_MS)


def _mapped(random: Random, request_id: str, at_ms: int) -> RequestEvent:
    prefix, upstream, _ = random.choice(_MAPPED)
    status = random.choices((200, 404, 429, 502), (93, 3, 3, 1))[0]
    first_ms = random.lognormvariate(6.0, 0.5)
    code = "upstream_unreachable" if status == 502 else ""
    return RequestEvent(
        request_id, at_ms + int(first_ms * 2), prefix, "POST", status, code, random.randrange(300, 4_000),
        random.randrange(400, 9_000), first_ms * 2, first_ms, client=_client(random), upstream=upstream,
    )  # fmt: skip


def _refused(random: Random, use: _Use, token: Token, request_id: str, at_ms: int) -> RequestEvent:
    api = ApiUse("", "", use.model, "", "", use.dialect, "", use.path, use.program)
    api.token_id, api.token = token.id, token.name
    code = random.choice(("token_rate_limited", "budget_exceeded"))
    return RequestEvent(
        request_id, at_ms + 2, use.endpoint, "POST", 429, code, 0, 260, 1.4, None, client=_client(random), attempts=0,
        api=api,
    )  # fmt: skip


def _served(
    random: Random, house: House, use: _Use, token: Token, request_id: str, at_ms: int, days_ago: float
) -> RequestEvent:
    passed_ms, failed = 0.0, []
    names = list(use.channels)
    if len(names) > 1 and random.random() < 0.04:
        names.reverse()
    for name in names:
        channel = house.channels[name]
        key = random.choice(channel.keys)
        _, status, outcome, reason = random.choices(_FAILURES, [one[0] for one in _FAILURES])[0]
        if random.random() >= _failing(name, days_ago):
            break
        passed_ms += 10_000.0 if outcome == "timeout" else random.lognormvariate(4.8, 0.6)
        failed.append(
            FailedAttempt(passed_ms, channel.id, name, key.id, key.hint, use.model, status, outcome, reason, None, 900)
        )
    else:
        return _failed(random, use, token, channel, request_id, at_ms, failed)
    return _answered(random, use, token, channel, request_id, at_ms, failed)


def _failing(name: str, days_ago: float) -> float:
    for ago, hours, whose, share in _BAD_HOURS:
        if whose == name and ago - hours / 24 < days_ago <= ago:
            return share
    return 0.012


def _use_of(use: _Use, token: Token, channel: Channel, outcome: str) -> ApiUse:
    key = channel.keys[0]
    api = ApiUse(channel.name, key.hint, use.model, use.model, outcome, use.dialect, "", use.path, use.program)
    api.channel_id, api.key_id, api.token_id, api.token = channel.id, key.id, token.id, token.name
    return api


def _failed(
    random: Random, use: _Use, token: Token, channel: Channel, request_id: str, at_ms: int, failed: list[FailedAttempt]
) -> RequestEvent:
    """Nobody was left to try: the caller gets what the last one said."""
    last = failed.pop()
    api = _use_of(use, token, channel, last.outcome)
    api.key_id, api.key_hint, api.reason, api.failed = last.key_id, last.key_hint, last.reason, failed
    return RequestEvent(
        request_id, at_ms + int(last.ended_ms), use.endpoint, "POST", last.status or 504, "", 900, 310, last.ended_ms,
        last.ended_ms if last.status else None, client=_client(random), attempts=len(failed) + 1, api=api,
    )  # fmt: skip


def _answered(
    random: Random, use: _Use, token: Token, channel: Channel, request_id: str, at_ms: int, failed: list[FailedAttempt]
) -> RequestEvent:
    asked = max(8, round(use.tokens_in * random.lognormvariate(0, 0.6)))
    cached = round(asked * use.cached * random.uniform(0.5, 1.1)) if random.random() < 0.8 else 0
    cached = min(cached, asked - 4)
    told = max(1, round(use.tokens_out * random.lognormvariate(0, 0.7))) if use.tokens_out else 0
    passed_ms = failed[-1].ended_ms if failed else 0.0
    first_ms = passed_ms + random.lognormvariate(5.7 if use.tokens_out else 4.2, 0.45)
    whole_ms = first_ms + told * random.uniform(7, 16)
    has_left = use.tokens_out > 0 and random.random() < 0.015
    key = random.choice(channel.keys)
    api = _use_of(use, token, channel, "client_gone" if has_left else "ok")
    api.key_id, api.key_hint, api.failed, api.is_stream = key.id, key.hint, failed, use.tokens_out > 0
    api.first_content_ms = first_ms + 25 if use.tokens_out else None
    api.usage = Usage(asked - cached, cached, 0, 0, told, 0, "estimated" if has_left else "reported", {})
    price_in, price_out = use.per_million
    api.cost_nano = round((asked - cached * 0.9) * price_in * 1000 + told * price_out * 1000)
    api.price_version = PRICE_VERSION
    return RequestEvent(
        request_id, at_ms + int(whole_ms), use.endpoint, "POST", 200, "client_gone" if has_left else "", asked * 4,
        told * 60 + 400, whole_ms, first_ms, client=_client(random), attempts=len(failed) + 1, api=api,
    )  # fmt: skip


def _client(random: Random) -> str:
    return f"198.51.100.{random.randrange(2, 60)}"
