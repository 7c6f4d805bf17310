"""ccLoad's words, as its CSV files, its database and its API have them: columns, channel types, flags, lists, URLs.

Versions 1.66 to 4.7. Sources: its README, its CSV handler and the schema of its tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import orjson

DIALECTS: Final = {"anthropic": "anthropic", "codex": "responses", "openai": "openai", "gemini": "gemini"}
"""By its channel types; it calls them protocols, too."""
TYPES: Final = {dialect: type for type, dialect in DIALECTS.items()}
USUAL_TYPE: Final = "anthropic"
USUAL_KEY_STRATEGY: Final = "sequential"

SETTINGS: Final = {
    "max_key_retries": "max_keys_per_channel",
    "upstream_first_byte_timeout": "first_useful_timeout",
    "non_stream_timeout": "first_byte_timeout",
    "model_lookup_strip_date_suffix": "model_strip_date",
    "model_fuzzy_match": "model_contains",
    "enable_health_score": "health_penalty",
    "success_rate_penalty_weight": "health_penalty_weight",
    "health_score_window_minutes": "health_window_s",
    "health_min_confident_sample": "health_min_samples",
    "cooldown_fallback_enabled": "resting_fallback",
    "cooldown_auth_seconds": "cooldown_auth_s",
    "cooldown_server_seconds": "cooldown_server_s",
    "cooldown_timeout_seconds": "cooldown_timeout_s",
    "cooldown_rate_limit_seconds": "cooldown_rate_limit_s",
    "cooldown_max_seconds": "cooldown_max_s",
    "cooldown_min_seconds": "cooldown_min_s",
    "max_concurrency": "global_max_concurrency",
    "max_body_bytes": "max_body_bytes",
    "global_cooldown_detection_rules": "outcome rules",
    "model_custom_pricing": "prices",
}
"""What ours are called that come nearest; their units and defaults are others."""

_YES: Final = frozenset("1 true yes y on t 启用 enabled 是".split())
_NO: Final = frozenset("0 false no n off f 禁用 disabled 停用 否".split())
_COLUMNS: Final = {
    "name": "名称 渠道名称 渠道名 渠道",
    "api_key": "apikey api_keys key keys 密钥 api密钥",
    "url": "base_url api_url 地址 网址 api地址",
    "priority": "优先级",
    "models": "model model_list model(s) 模型 模型列表",
    "model_redirects": "model_redirect modelredirects redirects 模型重定向 重定向",
    "channel_type": "type 类型 渠道类型",
    "key_strategy": "keystrategy 策略 使用策略 key策略 key使用策略",
    "enabled": "status 状态 启用 启用状态 是否启用",
    "rpm_limit": "rpmlimit rpm rpm限制 requests_per_minute",
    "max_concurrency": "maxconcurrency concurrency concurrency_limit 并发 并发限制 最大并发",
    "scheduled_check_enabled": "scheduledcheckenabled",
    "scheduled_check_model": "scheduledcheckmodel check_model",
    "cost_per_day_usd": "daily_cost_limit dailycostlimit 每日成本限额",
    "cost_multiplier": "costmultiplier 成本倍率 倍率",
    "proxy_url": "proxyurl proxy 代理 代理地址",
    "hours": "可用时段",
    "note": "notes 备注",
    "weight": "权重",
}
_COLUMN_OF: Final = {heading: column for column, aliases in _COLUMNS.items() for heading in (column, *aliases.split())}
_MOST_ENTRIES: Final = 20_000
"""Of one cell, doubles too. More than a channel can have; a cell of megabytes that is no list is not taken apart."""
_LIST_MARKS: Final = re.compile("[,;|\n\r\t，；]")
_ENDPOINTS: Final = (
    (re.compile(r"/chat/completions$"), "openai"),
    (re.compile(r"/responses$"), "responses"),
    (re.compile(r"/messages$"), "anthropic"),
)
"""With which an exact URL ends, and of which dialect it is."""


class ListedUrl(NamedTuple):
    """One URL of a channel, as ccLoad has it: without `exact`, a base URL below which a request's path is asked for."""

    url: str
    dialects: tuple[str, ...] = ()
    """Empty: not said."""
    exact: bool = False
    """As we mean it: all of it is the base, and a request's own version is left out."""


def column_of(heading: str) -> str:
    """The column that a heading means; what is not known comes back in small letters."""
    word = re.sub(r"[\s_-]+", "_", heading.strip().lower().removeprefix("\ufeff")).strip("_")
    return _COLUMN_OF.get(word, word)


def flag_of(cell: str) -> bool | None:
    """What a cell says of yes and no; None for what says neither."""
    word = cell.strip().lower()
    return True if word in _YES else False if word in _NO else None


def list_of(cell: str) -> list[str]:
    """The entries of a cell: JSON, or between any of its marks; each once. Raises ValueError."""
    if cell.lstrip().startswith("["):
        entries = _json(cell, list, 'must be a list such as ["a", "b"]')
        if not all(isinstance(entry, str) for entry in entries):
            raise ValueError("must be a list of texts")
    else:
        entries = _LIST_MARKS.split(cell, maxsplit=_MOST_ENTRIES)
    if len(entries) > _MOST_ENTRIES:
        raise ValueError(f"has more than {_MOST_ENTRIES:,} entries")
    return list(dict.fromkeys(entry.strip() for entry in entries if entry.strip()))


def redirects_of(cell: str) -> dict[str, str]:
    """The models that are asked for by another name. Raises ValueError."""
    if not cell.strip():
        return {}
    found = _json(cell, dict, 'must be an object such as {"gpt-5": "gpt-5-2025-08-07"}')
    if not all(isinstance(target, str) for target in found.values()):
        raise ValueError("must have a text for each model")
    return {name.strip(): target.strip() for name, target in found.items()}


def dialect_of(word: str) -> str:
    """The dialect that a channel type or protocol means. Raises ValueError."""
    dialect = DIALECTS.get(word.strip().lower())
    if dialect is None:
        raise ValueError(f"must be one of {', '.join(DIALECTS)}, not {word.strip()[:60]!r}")
    return dialect


def urls_of(text: str) -> list[ListedUrl]:
    """A channel's URLs: JSON of texts or objects, or one a line, with `#` behind those that are exact.

    Raises ValueError.
    """
    text = text.strip()
    if text.startswith("["):
        entries = _json(text, list, 'must be a list such as [{"url": "https://api.anthropic.com"}]')
    else:
        entries = [line.strip() for line in text.splitlines() if line.strip()]
    return [listed_url(entry) for entry in entries]


def listed_url(entry: Any) -> ListedUrl:
    """One of several: a text, with `#` behind an exact one, or an object. Raises ValueError."""
    if isinstance(entry, str):
        return _exact_url(entry[:-1], ()) if entry.endswith("#") else ListedUrl(entry.rstrip("/"))
    if not isinstance(entry, dict) or not isinstance(entry.get("url"), str):
        raise ValueError('must have a url in each entry, such as {"url": "https://api.anthropic.com"}')
    protocols = entry.get("protocols") or []
    if not isinstance(protocols, list) or not all(isinstance(protocol, str) for protocol in protocols):
        raise ValueError("must name the protocols of a url in a list")
    dialects = tuple(dict.fromkeys(dialect_of(protocol) for protocol in protocols))
    url = entry["url"].strip().rstrip("/")
    return _exact_url(url, dialects) if entry.get("exact") is True else ListedUrl(url, dialects)


def guessed_dialects(urls: Iterable[str], models: Iterable[str]) -> tuple[str, ...]:
    """Of a channel that leaves it to ccLoad's automatic detection: by the host of a provider, else by its models."""
    hosts = " ".join(urls)
    for host, dialects in (
        ("api.anthropic.com", ("anthropic",)),
        ("generativelanguage.googleapis.com", ("gemini",)),
        ("api.openai.com", ("openai", "responses")),
    ):
        if host in hosts:
            return dialects
    found = set()
    for model in models:
        name = model.lower()
        if "claude" in name:
            found.add("anthropic")
        elif "gemini" in name:
            found.add("gemini")
        else:
            found.add("openai")
            if "codex" in name or name.startswith(("gpt-5", "o3", "o4")):
                found.add("responses")
    return tuple(dialect for dialect in ("anthropic", "openai", "responses", "gemini") if dialect in found)


def _exact_url(url: str, dialects: tuple[str, ...]) -> ListedUrl:
    """The base of a URL that ccLoad asks for as it stands. Raises ValueError where it is none of a known endpoint."""
    url = url.strip()
    for end, dialect in _ENDPOINTS:
        if end.search(url) and dialects in ((), (dialect,)):
            return ListedUrl(end.sub("", url), (dialect,), exact=True)
    raise ValueError(
        f"holds {url[:200]!r} as an exact address: here only those of one dialect can be, which end with "
        "/messages, /responses or /chat/completions; write its base URL instead"
    )


def _json(text: str, kind: type, what: str) -> Any:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"is no JSON ({error}): it {what}") from None
    if not isinstance(found, kind):
        raise ValueError(what)
    return found
