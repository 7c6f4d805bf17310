"""The built-in table of prices, made of genai-prices (https://github.com/pydantic/genai-prices).

The package costs a process 30 MB and a quarter of a second, and a table is made once for each of its versions: so a
process of its own makes it, which then ends. It needs nothing of the worker's, so this module imports nothing of that.
"""

from __future__ import annotations

import gc
import os
import re
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from app.core.money.table import LONGEST_NAME, undated, written

if TYPE_CHECKING:
    from genai_prices.types import ConditionalPrice, ModelInfo, ModelPrice, Provider

PROVIDERS: Final = (
    "anthropic openai google x-ai deepseek mistral moonshotai zai zhipuai minimax cohere perplexity voyageai meta "
    "groq cerebras fireworks together azure aws openrouter"
).split()
"""Whose prices count; of two that name a model the first. Those who made a model go before those who host it."""
PARTS: Final = {
    "input_mtok": "input",
    "cache_read_mtok": "cached",
    "cache_write_mtok": "cache_write_5m",
    "cache_write_5m_mtok": "cache_write_5m",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_mtok": "output",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "audio_input",
    "output_audio_mtok": "audio_output",
    "input_image_mtok": "image_input",
    "output_image_mtok": "image_output",
    "web_searches_kcount": "web_search",
    "requests_kcount": "request",
    "audio_hours": "second",
}
"""What the package calls the parts that usage tells of, each for as many as `app.core.money.tariff.PARTS` says."""
NOT_TOLD: Final = frozenset(
    {"input_mchars", "input_document_kpages", "input_text_messages_kcount", "output_citation_mtok"}
)
"""What usage never tells of: a model that is paid by these has no price here."""
TIERS: Final = {
    ("service_tier", "flex"): "flex",
    ("service_tier", "priority"): "priority",
    ("service_tier", "fast"): "fast",
    ("speed", "fast"): "fast",
    ("processing", "batch"): "batch",
}
"""What the package calls the service tiers that answers name."""
_BEDROCK_VERSION: Final = re.compile(r"-v\d+:\d+$")


def make() -> None:
    """What the process does that makes the table."""
    threading.Thread(target=_end_with_the_worker, daemon=True).start()
    os.nice(10)  # calls and roll-ups go first
    sys.stdout.write(build())
    gc.freeze()  # else Python looks through all there is for cycles before it ends


def _end_with_the_worker() -> None:
    """It holds the other end of our input, whatever becomes of it."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def build() -> str:
    """The table's text."""
    from genai_prices.data import providers

    of = {provider.id: provider for provider in providers}
    models: dict[str, dict[str, Any]] = {}
    aliases: dict[str, str] = {}
    for id in PROVIDERS:
        known = {*models, *aliases}
        for model in of[id].models:
            entry = _entry(of[id], model)
            if entry is None:
                continue
            new = [name for name in _names(model, id) if not {name, undated(name)} & known]
            new = [name for name in new if name not in models and name not in aliases]
            names = [name for name in new if _is_of(of[id], model, name)]  # the package takes long for each
            if names:
                models[names[0]] = entry
                aliases.update(dict.fromkeys(names[1:], names[0]))
    for alias, name in [*aliases.items()]:  # a date that leads to the same need not stand there
        if aliases.get(undated(alias), undated(alias)) == name and undated(alias) != alias:
            del aliases[alias]
    return written(models, aliases)


def _is_of(provider: Provider, model: ModelInfo, name: str) -> bool:
    return len(name) <= LONGEST_NAME and provider.find_model(name) is model


def _names(model: ModelInfo, provider_id: str) -> Iterator[str]:
    """Those that a model is known by: the shortest first."""
    found = {model.id.lower(), *(text.lower().rstrip("-@:.") for text in _literals(model.match))}
    version = _BEDROCK_VERSION.search(model.id) if provider_id == "aws" else None
    if version:
        found |= {name + version[0] for name in found if not name.endswith(version[0])}
    yield from sorted((name for name in found if name and name.isprintable()), key=lambda name: (len(name), name))


def _literals(match: Any) -> Iterator[str]:
    for field, value in vars(match).items():
        if field in ("or_", "and_"):
            for clause in value:
                yield from _literals(clause)
        elif field != "regex":
            yield value


def _entry(provider: Provider, model: ModelInfo) -> dict[str, Any] | None:
    """JSON of a model; None for one that is not paid by what usage tells."""
    conditional: list[ConditionalPrice | None] = [*model.prices] if isinstance(model.prices, list) else [None]
    prices = []
    for one in conditional:
        price = one.prices if one is not None else model.prices
        parts = _parts(provider, model, price)
        if parts is None:
            return None
        prices.append(_condition(one.constraint if one is not None else None) | parts)
    entry: dict[str, Any] = {"prices": prices}
    tiers: dict[str, list[dict[str, Any]]] = {}
    for variant in model.price_variants or ():
        name = TIERS.get(next(iter(variant.when.items()))) if len(variant.when) == 1 else None
        if name is not None:
            tiers.setdefault(name, []).append(_condition(variant.constraint) | _told(variant.prices))
    return entry | {"tiers": tiers} if tiers else entry


def _parts(provider: Provider, model: ModelInfo, price: Any) -> dict[str, Any] | None:
    if NOT_TOLD & vars(price).keys():
        return None
    parts = _told(price)
    if not vars(price) and model.id.endswith(":free"):
        parts = {"input": "0"}
    if "input" not in parts:
        return None
    parts.setdefault("output", "0")
    if provider.id == "google":  # who names the price of sound where that is another than that of text
        parts.setdefault("audio_input", parts["input"])
    if "image" in model.id:  # all of what comes out is pictures, where these have no price of their own
        parts.setdefault("image_output", parts["output"])
    return parts


def _told(price: ModelPrice) -> dict[str, Any]:
    return {PARTS[key]: _amount(value) for key, value in vars(price).items() if key in PARTS and value is not None}


def _amount(value: Any) -> str | list[Any]:
    """Dollars, or dollars and steps."""
    if isinstance(value, Decimal):
        return _plain(value)
    return [_plain(value.base), *([tier.start, _plain(tier.price)] for tier in value.tiers)]


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _condition(constraint: Any) -> dict[str, Any]:
    if constraint is None:
        return {}
    if hasattr(constraint, "start_date"):
        begin = datetime.combine(constraint.start_date, time(0), UTC)
        return {"from_ms": int(begin.timestamp()) * 1000}
    return {"between": [_minute(constraint.start_time), _minute(constraint.end_time)]}


def _minute(at: time) -> int:
    moment = datetime.combine(datetime(2000, 1, 1, tzinfo=UTC).date(), at, at.tzinfo or UTC).astimezone(UTC)
    return moment.hour * 60 + moment.minute
