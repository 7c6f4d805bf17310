"""What may be said of a channel, field by field, and what is answered with it (interfaces of the admin API)."""

from __future__ import annotations

from app.core.channels.keys import KeyCounts
from app.core.said.shapes import (
    Anything,
    Field,
    Listed,
    Named,
    OfKind,
    OneOf,
    Real,
    Shape,
    SomeOf,
    Text,
    Usd,
    Whole,
    YesOrNo,
)
from app.core.setting_table import CHANNEL_OPTIONS, Setting
from app.wire.dialects.credentials import AUTHS

DIALECTS = ("openai", "responses", "anthropic", "gemini")
KEY_STRATEGIES = ("round_robin", "sequential")
MAX_PRIORITY = 99_999
MAX_URLS = 100
MAX_MODELS = 10_000
MAX_WEIGHT = 1_000_000
MAX_CALLS = 1_000_000
MAX_RULES = 32
MAX_RULES_BYTES = 8192
"""Of names and values together, for each of the two kinds of rules."""

TIME = Whole(meaning="In ms since 1970", is_null=True)
"""A time in an answer."""
ID = Text(20, is_needed=True, pattern=r"^\d+$", example="1")


def own_options(options: dict[str, Setting]) -> Shape:
    """Settings that something may have of its own: in an answer only those that it has."""
    return Shape({name: OfKind(one.kind, meaning=one.meaning) for name, one in options.items()}, is_partial=True)


URL = Shape(
    {
        "url": Text(2048, is_needed=True, example="https://api.openai.com/v1"),
        "weight": Whole(1, 1, MAX_WEIGHT, meaning="Its share among the urls"),
        "dialects": SomeOf(DIALECTS, meaning="Those that it is asked in; empty: all of the channel's"),
        "exact": YesOrNo(meaning="Whether the path stays whole, and the request's version is dropped instead"),
    },
    {"resting_until_ms": TIME, "first_byte_ms": Real(is_null=True, meaning="How late its first bytes come")},
)
MODEL = Shape(
    {
        "name": Text(300, is_needed=True, example="gpt-5", meaning="As clients ask for it; * for all"),
        "upstream_name": Text(300, meaning="As the upstream is asked for it; empty: the same"),
    }
)
HEADER_RULE = Shape(
    {
        "action": OneOf(("set", "remove", "append"), is_needed=True),
        "name": Text(MAX_RULES_BYTES, is_needed=True, example="User-Agent"),
        "value": Text(
            meaning="Left out to remove; {client_ip}, {now_ms}, {channel} and {request_id} are filled in",
        ),
    }
)
BODY_RULE = Shape(
    {
        "action": OneOf(("set", "remove"), is_needed=True),
        "path": Text(MAX_RULES_BYTES, is_needed=True, example="generationConfig.temperature"),
        "value": Anything(meaning="What to set"),
    },
    is_partial=True,
)

_FIELDS: dict[str, Field] = {
    "name": Text(100, is_needed=True, example="main", meaning="Unique; capitals count for nothing"),
    "dialects": SomeOf(DIALECTS, is_needed=True, meaning="Families of APIs that it speaks"),
    "urls": Listed(URL, MAX_URLS, 1, is_needed=True, example=[{"url": "https://api.openai.com/v1"}]),
    "auth": OneOf(AUTHS, "auto", meaning="How the key is sent; both: as Bearer and x-api-key"),
    "models": Listed(MODEL, MAX_MODELS, 1, is_needed=True, example=[{"name": "gpt-5"}]),
    "priority": Whole(0, -MAX_PRIORITY, MAX_PRIORITY, meaning="Higher is tried first"),
    "weight": Whole(0, 0, MAX_WEIGHT, meaning="Its share among equals; 0: as many as it has usable keys"),
    "enabled": YesOrNo(default=True),
    "key_strategy": OneOf(KEY_STRATEGIES, "round_robin"),
    "max_concurrency": Whole(0, 0, MAX_CALLS, meaning="Most attempts at once; 0: no limit"),
    "requests_per_minute": Whole(0, 0, MAX_CALLS, meaning="Most attempts within any 60 s; 0: no limit"),
    "key_max_concurrency": Whole(0, 0, MAX_CALLS, meaning="The same of each key"),
    "key_requests_per_minute": Whole(0, 0, MAX_CALLS, meaning="The same of each key"),
    "cost_per_day_usd": Usd("0", meaning="Most that its attempts may cost in a day; 0: no limit"),
    "cost_multiplier": Usd("1", meaning="Times what the models cost"),
    "hours": Text(100, example="22:00-06:00 Asia/Shanghai", meaning="When it may serve; empty: always"),
    "header_rules": Listed(HEADER_RULE, MAX_RULES, meaning="Edits of the fields of requests"),
    "body_rules": Listed(BODY_RULE, MAX_RULES, meaning="Edits of the bodies of requests"),
    "proxy_url": Text(
        2048, example="http://proxy.example:3128", meaning="The way to its upstreams; http, https, socks5 or socks5h"
    ),
    "check_model": Text(300, meaning="The model that checks ask for"),
    "note": Text(10_000, lines=True),
    "options": own_options(CHANNEL_OPTIONS),
}
LAST_ERROR = Shape(
    {
        "at_ms": Whole(meaning="In ms since 1970"),
        "outcome": Text(),
        "status": Whole(meaning="0: no answer came"),
        "text": Text(),
    },
    is_null=True,
)
KEY_COUNTS = Shape({name: Whole() for name in KeyCounts._fields}, title="KeyCounts")
_READ_ONLY: dict[str, Field] = {
    "id": ID,
    "effective_priority": Real(meaning="Without what failures take off"),
    "success_rate": Real(is_null=True, meaning="From 0 to 1"),
    "resting_until_ms": TIME,
    "resting_models": Named(Whole(), meaning="Until when, in ms since 1970, by the model's name"),
    "last_error": LAST_ERROR,
    "last_ok_at_ms": TIME,
    "keys": KEY_COUNTS,
    "created_at_ms": TIME,
    "updated_at_ms": TIME,
}
CHANNEL = Shape(_FIELDS, _READ_ONLY, title="Channel", whole="a channel")
