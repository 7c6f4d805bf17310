"""What may be said of an access token (interfaces of the admin API), and the AccessToken that it means."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping as MappingOf
from typing import Any, Final

import orjson

from app.core.channels.time_zones import zone_of
from app.core.errors import InvalidChannel
from app.core.model import AccessToken
from app.core.money.amounts import parse_usd
from app.core.said.reading import Said
from app.core.said.shapes import Field, Listed, OneOf, Shape, Text, Usd, Whole, YesOrNo

ROUTE_MODES: Final = ("all", "allow", "deny")
BUDGETS: Final = ("total_usd", "day_usd", "month_usd")

BEGIN: Final = "sk-gw-"
"""How the text of each begins."""
HINT_ENDS: Final = 4
MAX_MODELS: Final = 1000
MAX_ROUTES: Final = 10_000
MAX_CALLS: Final = 1_000_000
LATEST_MS: Final = 253_402_300_799_999
"""The end of the year 9999."""

_PATTERN: Final = Text(300)
_FIELDS: Final[dict[str, Field]] = {
    "name": Text(100, is_needed=True, example="alice"),
    "enabled": YesOrNo(default=True),
    "expires_at_ms": Whole(0, 1, LATEST_MS, is_null=True, meaning="In ms since 1970; null: never"),
    "note": Text(10_000, lines=True),
    "models": Listed(_PATTERN, MAX_MODELS, meaning="As asked for, and patterns with *; empty: all"),
    "routes": Shape(
        {
            "mode": OneOf(ROUTE_MODES, "all"),
            "channels": Listed(_PATTERN, MAX_ROUTES, meaning="Their ids"),
            "mappings": Listed(_PATTERN, MAX_ROUTES, meaning="Their prefixes"),
        },
        meaning="Where its holder may call",
    ),
    "requests_per_minute": Whole(0, 0, MAX_CALLS, meaning="Most calls within any 60 s; 0: no limit"),
    "max_concurrency": Whole(0, 0, MAX_CALLS, meaning="Most calls at once; 0: no limit"),
    "web_pages": YesOrNo(meaning="Whether it opens web pages, too"),
    "budgets": Shape(
        {name: Usd(is_null=True, example="20") for name in BUDGETS}, meaning="What it may spend; null: no limit"
    ),
    "time_zone": Text(100, "UTC", example="Asia/Shanghai", meaning="Where its days and months turn"),
}
_READ_ONLY: Final[dict[str, Field]] = {
    "id": Text(),
    "hint": Text(meaning="How its text begins and ends"),
    "spent": Shape({name: Usd() for name in (*BUDGETS, "reserved_usd")}),
    "resets": Shape({name: Whole(is_null=True) for name in ("day_at_ms", "month_at_ms")}),
    "requests": Whole(),
    "errors": Whole(),
    "last_used_at_ms": Whole(is_null=True),
    "created_at_ms": Whole(is_null=True),
    "updated_at_ms": Whole(is_null=True),
}
ACCESS_TOKEN: Final = Shape(_FIELDS, _READ_ONLY, title="AccessToken", whole="an access token")
"""What an operator says of one, and what the gateway answers with it."""


def hint_of(text: str) -> str:
    """What is shown of a token's text."""
    return f"{text[: len(BEGIN) + HINT_ENDS]}…{text[-HINT_ENDS:]}"


def parse_access_token(
    token_id: str, value: Any, digest: bytes, hint: str, *, created_at_ms: int = 0, updated_at_ms: int = 0
) -> AccessToken:
    """The AccessToken that a JSON object means. `AccessToken.said` is what to store.

    Raises Invalid, which names the field.
    """
    said = Said(value, "", ACCESS_TOKEN)
    models = _texts(said, "models")
    routes, budgets = said.object("routes"), said.object("budgets")
    token = AccessToken(
        id=token_id,
        name=said.text("name"),
        digest=digest,
        hint=hint,
        enabled=said.flag("enabled"),
        expires_at_ms=said.number("expires_at_ms"),
        model_names=frozenset(model for model in models if "*" not in model),
        model_patterns=tuple(model for model in models if "*" in model),
        routes_mode=routes.choice("mode"),
        channels=frozenset(_texts(routes, "channels")),
        mappings=frozenset(_texts(routes, "mappings")),
        requests_per_minute=said.number("requests_per_minute"),
        max_concurrency=said.number("max_concurrency"),
        web_pages=said.flag("web_pages"),
        total_nano=_nano(budgets, "total_usd"),
        day_nano=_nano(budgets, "day_usd"),
        month_nano=_nano(budgets, "month_usd"),
        time_zone=_time_zone(said),
        created_at_ms=created_at_ms,
        updated_at_ms=updated_at_ms,
    )
    token.said.update(_normal_form(token, said, models, routes, budgets))
    return token


def _normal_form(token: AccessToken, said: Said, models: list[str], routes: Said, budgets: Said) -> dict[str, Any]:
    """All fields of a token, defaults among them."""
    return {
        "name": token.name,
        "enabled": token.enabled,
        "expires_at_ms": token.expires_at_ms or None,
        "note": said.text("note"),
        "models": models,
        "routes": {
            "mode": token.routes_mode,
            "channels": _texts(routes, "channels"),
            "mappings": _texts(routes, "mappings"),
        },
        "requests_per_minute": token.requests_per_minute,
        "max_concurrency": token.max_concurrency,
        "web_pages": token.web_pages,
        "budgets": {name: budgets.money(name) for name in BUDGETS},
        "time_zone": token.time_zone,
    }


def merged(said: MappingOf[str, Any], changes: Any) -> dict[str, Any]:
    """What a PUT means: `said` with the fields that `changes` give in their place, in `routes` and `budgets` too."""
    if not isinstance(changes, dict):
        raise InvalidChannel("an access token must be a JSON object", "")
    given = {name: value for name, value in changes.items() if name not in ACCESS_TOKEN.read_only}
    for name in ("routes", "budgets"):
        if isinstance(given.get(name), dict):
            given[name] = {**said.get(name, {}), **given[name]}
    return {**said, **given}


def check_new(
    token: AccessToken,
    before: AccessToken | None,
    now_ms: int,
    channels: Collection[str],
    mappings: Collection[str],
) -> None:
    """Raises Invalid for what cannot be said now: a time that has passed, a channel or mapping that is not there.

    What stood there `before` may stay, though it has passed or is gone: then another field can be changed.
    """
    if token.expires_at_ms and token.expires_at_ms <= now_ms and token.expires_at_ms != _expiry(before):
        text = "expires_at_ms must be in the future, in ms since 1970; to end a token now, set enabled to false"
        raise InvalidChannel(text, "expires_at_ms")
    for name, known, stood in (
        ("channels", channels, before.channels if before is not None else frozenset()),
        ("mappings", mappings, before.mappings if before is not None else frozenset()),
    ):
        for place, one in enumerate(token.said["routes"][name]):
            if one not in known and one not in stood:
                field = f"routes.{name}[{place}]"
                raise InvalidChannel(f"{field} names none of the {name} that there are: {one[:100]!r}", field)


def _expiry(token: AccessToken | None) -> int:
    return token.expires_at_ms if token is not None else 0


def answer(token: AccessToken, observed: MappingOf[str, Any]) -> dict[str, Any]:
    """A token as the API answers it: what was said, and what is observed, by the names of its `read_only`."""
    return {
        "id": token.id,
        "hint": token.hint,
        **token.said,
        **{name: observed.get(name) for name in ACCESS_TOKEN.read_only if name not in ("id", "hint")},
        "created_at_ms": token.created_at_ms or None,
        "updated_at_ms": token.updated_at_ms or None,
    }


# --- as it is stored ---


def written(token: AccessToken) -> str:
    stored = {
        "said": token.said,
        "sha256": token.digest.hex(),
        "hint": token.hint,
        "created_at_ms": token.created_at_ms,
        "updated_at_ms": token.updated_at_ms,
    }
    return orjson.dumps(stored).decode()


def read(token_id: str, text: str) -> AccessToken:
    """What `written` wrote. Raises Invalid."""
    try:
        stored = orjson.loads(text)
        said, hint, digest = stored["said"], str(stored["hint"]), bytes.fromhex(stored["sha256"])
        created_at_ms, updated_at_ms = int(stored["created_at_ms"]), int(stored["updated_at_ms"])
        if len(digest) != 32 or not token_id.isdecimal():
            raise ValueError
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise InvalidChannel("it is not stored as an access token") from None
    return parse_access_token(token_id, said, digest, hint, created_at_ms=created_at_ms, updated_at_ms=updated_at_ms)


# --- fields ---


def _texts(said: Said, name: str) -> list[str]:
    """A list of texts, each once."""
    texts = said.items(name)
    for place, text in enumerate(texts):
        if not isinstance(text, str) or not 0 < len(text) <= 300 or text != text.strip() or not text.isprintable():
            raise said.wrong(f"{name}[{place}]", "must be a text of 1 to 300 characters, without blanks around it")
    return list(dict.fromkeys(texts))


def _nano(budgets: Said, name: str) -> int | None:
    value = budgets.money(name)
    return None if value is None else parse_usd(value)


def _time_zone(said: Said) -> str:
    name = said.text("time_zone") or "UTC"
    try:
        zone_of(name)
    except ValueError as error:
        raise said.wrong("time_zone", str(error)) from None
    return name
