"""What the operator of the demo has said: channels with their keys, access tokens, prices are the built-in ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Say = Callable[[str, str, Any], Any]
"""Method, path, body: what the admin API answers."""


class Key(NamedTuple):
    id: str
    hint: str


class Channel(NamedTuple):
    id: str
    name: str
    dialect: str
    keys: tuple[Key, ...]


class Token(NamedTuple):
    id: str
    name: str
    secret: str


class House(NamedTuple):
    channels: dict[str, Channel]
    tokens: dict[str, Token]


OPENAI = ("gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-4.1", "text-embedding-3-small")
ANTHROPIC = ("claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-1")
GEMINI = ("gemini-2.5-pro", "gemini-2.5-flash")

_CHANNELS: tuple[tuple[str, list[str], tuple[str, ...], int, int], ...] = (
    ("OpenAI", ["openai", "responses"], OPENAI, 10, 6),
    ("OpenAI backup", ["openai", "responses"], OPENAI, 5, 3),
    ("Azure EU", ["openai"], ("gpt-5", "gpt-5-mini", "gpt-4.1"), 5, 2),
    ("Anthropic", ["anthropic"], ANTHROPIC, 10, 5),
    ("Bedrock", ["anthropic"], ANTHROPIC[:2], 5, 1),
    ("Gemini", ["gemini", "openai"], GEMINI, 10, 4),
    ("DeepSeek", ["openai", "anthropic"], ("deepseek-chat", "deepseek-reasoner"), 10, 2),
)
"""Name, dialects, models, priority, how many keys."""
_TOKENS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("web app", {"budgets": {"month_usd": "400"}, "requests_per_minute": 600}),
    ("mobile app", {"budgets": {"day_usd": "25"}}),
    ("coding agents", {"budgets": {"month_usd": "1500"}}),
    ("nightly batch", {"max_concurrency": 20}),
    ("search index", {"models": ["text-embedding-*"]}),
    ("guests", {"budgets": {"day_usd": "2"}, "requests_per_minute": 10}),
)


def furnish(say: Say, upstream: str) -> House:
    """Says it all to a gateway that has nothing yet. `upstream`: where all channels lead."""
    channels = {name: _channel(say, upstream, name, *more) for name, *more in _CHANNELS}
    tokens = {}
    for name, said in _TOKENS:
        answer = say("POST", "/api/tokens", {"name": name} | said)
        tokens[name] = Token(answer["access_token"]["id"], name, answer["token"])
    return House(channels, tokens)


def _channel(
    say: Say, upstream: str, name: str, dialects: list[str], models: tuple[str, ...], priority: int, keys: int
) -> Channel:
    slug = name.lower().replace(" ", "-")
    said = {
        "name": name,
        "dialects": dialects,
        "urls": [{"url": upstream}],
        "models": [{"name": model} for model in models],
        "priority": priority,
        "keys": [f"sk-{slug}-demo-{number:02}-{number * 7919 % 9973:04}" for number in range(keys)],
    }
    id = say("POST", "/api/channels", said)["channel"]["id"]
    listed = say("GET", f"/api/channels/{id}/keys", None)["keys"]
    return Channel(id, name, dialects[0], tuple(Key(key["id"], key["hint"]) for key in listed))
