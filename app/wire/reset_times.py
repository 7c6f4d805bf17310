"""When an upstream said that it may be asked again.

`Retry-After` goes first (RFC 9110, 10.2.3; `retry-after-ms` is OpenAI's and Azure's), then Anthropic's fields, then
those of OpenAI and its like, then what stands in the body. Of one family the latest counts: all that it names must have
passed. What is 0, past or cannot be read was not told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Final

from app.wire.error_bodies import ErrorBody

LEAST_S: Final = 1.0
MOST_S: Final = 86_400.0

_NUMBER: Final = re.compile(r"\d{1,15}(?:\.\d+)?")
_UNITS_S: Final = {
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86_400.0,
    "秒": 1.0,
    "分": 60.0,
    "小": 3600.0,
    "天": 86_400.0,
}
_PART: Final = (
    r"\d{1,9}(?:\.\d{1,9})?\s*(?:ms\b|milliseconds?\b|seconds?\b|secs?\b|s(?![a-z])|minutes?\b|mins?\b|m(?![a-z])"
    r"|hours?\b|hrs?\b|h(?![a-z])|days?\b|d(?![a-z])|秒钟?|分钟?|个?小时|天)"
)
_SPAN: Final = re.compile(rf"{_PART}(?:(?:\s|,|and){{0,6}}{_PART}){{0,4}}")
"""`20s`, `1m2.5s`, `6h0m0s`, `120ms`, `1 hour and 2 minutes`, `5 分钟`"""
_ONE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*个?(ms|mi(?=lli)|[smhd秒分小天])")
_SPAN_TOLD: Final = re.compile(
    r"(?:again|retry|retrying|resets?|wait|available|请|将)[\s,]*(?:in|after|for|within|at least|等待|在|于)?[\s:]*"
    rf"({_SPAN.pattern})"
    rf"|({_SPAN.pattern})\s*(?:后|之后|以后)"
)
_A_MOMENT: Final = (
    r"(\d{4})[-/](\d\d?)[-/](\d\d?)(?:t|\s+at\s+|\s+)(\d\d?):(\d\d)(?::(\d\d)(?:\.\d+)?)?\s*(z|utc|gmt|[+-]\d\d:?\d\d)?"
)
"""`2025-12-06 15:11:51`, `2025-07-01 at 00:00 UTC`, `2025-12-06T15:11:51Z`"""
_MOMENT: Final = re.compile(_A_MOMENT)
_MOMENT_TOLD: Final = re.compile(
    rf"(?:reset|regain|resum|refresh|renew|availab|again|retry|until|after|将|至|于|在|重置|恢复)[^\n]{{0,40}}?{_A_MOMENT}"
)
_DAY_AND_HOUR: Final = re.compile(r"(今天|今日|明天|明日)\s*(\d{1,2})\s*(?::|:|点|时)\s*(\d{1,2})?")
_EPOCH_TOLD: Final = re.compile(r"(?:reached|reset)\w*\s*(?:at)?\s*[|:]?\s*(\d{10}(?:\d{3})?)(?!\d)")
"""`usage limit reached|1751234400`, as Claude's subscriptions say it."""

_BEIJING: Final = timezone(timedelta(hours=8))
_IN_BEIJING: Final = frozenset(("1308", "1310", "1316"))
"""Codes of Zhipu, whose times are Beijing's and say no zone, in English answers, too (can1357/oh-my-pi#11014)."""
_CHINESE: Final = re.compile(r"[一-鿿]")

_TOLD_BY_CODE_S: Final = {
    "api_key_quota_exhausted": 1800.0,
    "free_tier_budget_exceeded": 1800.0,
    "usage_limit_reached": 1800.0,
    "subscription:free-usage-exhausted": 86_400.0,  # xAI's, over a window of 24 hours that rolls
    "websocket_connection_limit_reached": 5.0,
}
"""Codes that tell how long by what they are, where nothing else does."""


def told(headers: Mapping[str, str], said: ErrorBody, now_s: float) -> float | None:
    """Seconds from `now_s` (Unix time), 1 to 86,400; None where nothing was told. `headers`: names in lower case."""
    for family in (_retry_after, _unified, _anthropic, _ratelimit):
        latest_s = _latest(family(headers, now_s))
        if latest_s is not None:
            return latest_s
    return _latest(_in_body(said, now_s)) or _latest(_TOLD_BY_CODE_S.get(code) for code in said.codes)


def _latest(spans_s: Iterable[float | None]) -> float | None:
    valid = [span_s for span_s in spans_s if span_s is not None and span_s > 0]
    return min(MOST_S, max(LEAST_S, *valid)) if valid else None


def _retry_after(headers: Mapping[str, str], now_s: float) -> Iterator[float | None]:
    milliseconds = _number(headers.get("retry-after-ms", ""))
    yield None if milliseconds is None else milliseconds / 1000
    text = headers.get("retry-after", "").strip()
    seconds = _number(text)
    yield seconds if seconds is not None else _http_date(text, now_s)


def _unified(headers: Mapping[str, str], now_s: float) -> Iterator[float | None]:
    yield _moment_of(headers.get("anthropic-ratelimit-unified-reset", ""), now_s)


def _anthropic(headers: Mapping[str, str], now_s: float) -> Iterator[float | None]:
    for name, value in headers.items():
        if name.startswith("anthropic-ratelimit-") and name.endswith("-reset"):
            yield _moment_of(value, now_s)


def _ratelimit(headers: Mapping[str, str], now_s: float) -> Iterator[float | None]:
    for name, value in headers.items():
        if name.startswith("x-ratelimit-reset"):
            yield _moment_or_span(value, now_s)


def _in_body(said: ErrorBody, now_s: float) -> Iterator[float | None]:
    beijing = bool(said.codes & _IN_BEIJING)
    for name, value in said.times:
        span_s = _moment_or_span(value, now_s, beijing=beijing)
        yield span_s / 1000 if span_s is not None and name.endswith("_ms") else span_s
    for sentence in said.sentences:
        yield from _in_sentence(sentence, now_s, beijing=beijing or bool(_CHINESE.search(sentence)))


def _in_sentence(sentence: str, now_s: float, *, beijing: bool) -> Iterator[float | None]:
    for found in _SPAN_TOLD.finditer(sentence):
        yield _span(found[1] or found[2])
    for found in _MOMENT_TOLD.finditer(sentence):
        yield _moment(found, now_s, beijing=beijing)
    for found in _DAY_AND_HOUR.finditer(sentence):
        yield _day_and_hour(found, now_s)
    for found in _EPOCH_TOLD.finditer(sentence):
        yield _moment_or_span(found[1], now_s)


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text.strip()) else None


def _http_date(text: str, now_s: float) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() - now_s
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _moment_of(text: str, now_s: float) -> float | None:
    """A time since the epoch, or a date and time; Anthropic's fields never hold a span."""
    text = text.strip().lower()
    number = _number(text)
    if number is not None:
        return number - now_s
    found = _MOMENT.fullmatch(text)
    return _moment(found, now_s, beijing=False) if found else None


def _moment_or_span(text: str, now_s: float, *, beijing: bool = False) -> float | None:
    """Seconds, a time since the epoch (s or ms, told by its size), a span such as `1m30s`, or a date and time."""
    text = text.strip().lower()
    number = _number(text)
    if number is not None:
        if number >= 1e11:
            number /= 1000
        return number - now_s if number >= 1e9 else number
    if found := _MOMENT.fullmatch(text):
        return _moment(found, now_s, beijing=beijing)
    return _span(text) if _SPAN.fullmatch(text) else None


def _span(text: str) -> float:
    return sum(float(found[1]) * _UNITS_S["ms" if found[2] == "mi" else found[2]] for found in _ONE.finditer(text))


def _moment(found: re.Match[str], now_s: float, *, beijing: bool) -> float | None:
    year, month, day, hour, minute = (int(found[place]) for place in range(1, 6))
    zone = found[7] or ""
    if zone[:1] in ("+", "-"):
        away = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
        where = timezone(away if zone[0] == "+" else -away)
    else:
        where = _BEIJING if beijing and not zone else UTC
    try:
        return datetime(year, month, day, hour, minute, int(found[6] or 0), tzinfo=where).timestamp() - now_s
    except (ValueError, OverflowError):
        return None


def _day_and_hour(found: re.Match[str], now_s: float) -> float | None:
    """`明天 08:30`, `明天8点30分`: by the clock of Beijing."""
    hour, minute = int(found[2]), int(found[3] or 0)
    if hour > 24 or minute > 59:
        return None
    today = datetime.fromtimestamp(now_s, _BEIJING).replace(hour=0, minute=0, second=0, microsecond=0)
    days = 1 if found[1].startswith("明") else 0
    return (today + timedelta(days=days, hours=hour, minutes=minute)).timestamp() - now_s
