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
from app.core.said import Said

FIELDS: Final = (
    "name enabled expires_at_ms note models routes requests_per_minute max_concurrency web_pages budgets time_zone"
).split()
"""What an operator says."""
READ_ONLY: Final = "id hint spent resets requests errors last_used_at_ms created_at_ms updated_at_ms".split()
"""What the gateway answers with it: passed over where it comes back, so that what GET gave can be changed and PUT."""
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


def hint_of(text: str) -> str:
    """What is shown of a token's text."""
    return f"{text[: len(BEGIN) + HINT_ENDS]}…{text[-HINT_ENDS:]}"


def parse_access_token(
    token_id: str, value: Any, digest: bytes, hint: str, *, created_at_ms: int = 0, updated_at_ms: int = 0
) -> AccessToken:
    """The AccessToken that a JSON object means. `AccessToken.said` is what to store.

    Raises Invalid, which names the field.
    """
    said = Said(value, "", FIELDS, READ_ONLY, whole="an access token")
    models = _parse_models(said)
    routes = _object(said, "routes", ("mode", "channels", "mappings"))
    budgets = _object(said, "budgets", BUDGETS)
    token = AccessToken(
        id=token_id,
        name=said.text("name", None, 100),
        digest=digest,
        hint=hint,
        enabled=said.flag("enabled", True),
        expires_at_ms=said.number("expires_at_ms", 0, 1, LATEST_MS),
        model_names=frozenset(model for model in models if "*" not in model),
        model_patterns=tuple(model for model in models if "*" in model),
        routes_mode=routes.choice("mode", "all", ROUTE_MODES),
        channels=frozenset(_texts(routes, "channels", MAX_ROUTES)),
        mappings=frozenset(_texts(routes, "mappings", MAX_ROUTES)),
        requests_per_minute=said.number("requests_per_minute", 0, 0, MAX_CALLS),
        max_concurrency=said.number("max_concurrency", 0, 0, MAX_CALLS),
        web_pages=said.flag("web_pages", False),
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
        "note": said.text("note", "", 10_000, lines=True),
        "models": models,
        "routes": {
            "mode": token.routes_mode,
            "channels": _texts(routes, "channels", MAX_ROUTES),
            "mappings": _texts(routes, "mappings", MAX_ROUTES),
        },
        "requests_per_minute": token.requests_per_minute,
        "max_concurrency": token.max_concurrency,
        "web_pages": token.web_pages,
        "budgets": {name: budgets.any(name) for name in BUDGETS},
        "time_zone": token.time_zone,
    }


def merged(said: MappingOf[str, Any], changes: Any) -> dict[str, Any]:
    """What a PUT means: `said` with the fields that `changes` give in their place, in `routes` and `budgets` too."""
    if not isinstance(changes, dict):
        raise InvalidChannel("an access token must be a JSON object", "")
    given = {name: value for name, value in changes.items() if name not in READ_ONLY}
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
    """A token as the API answers it: what was said, and what is observed, by the names of READ_ONLY."""
    return {
        "id": token.id,
        "hint": token.hint,
        **token.said,
        **{name: observed.get(name) for name in READ_ONLY[2:]},
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


def _object(said: Said, name: str, known: Collection[str]) -> Said:
    value = said.any(name)
    return Said({} if value is None else value, said.at(name), known)


def _parse_models(said: Said) -> list[str]:
    return _texts(said, "models", MAX_MODELS)


def _texts(said: Said, name: str, most: int) -> list[str]:
    """A list of texts, each once."""
    texts = said.items(name, most)
    for place, text in enumerate(texts):
        if not isinstance(text, str) or not 0 < len(text) <= 300 or text != text.strip() or not text.isprintable():
            raise said.wrong(f"{name}[{place}]", "must be a text of 1 to 300 characters, without blanks around it")
    return list(dict.fromkeys(texts))


def _nano(budgets: Said, name: str) -> int | None:
    value = budgets.any(name)
    if value is None:
        return None
    try:
        return parse_usd(value)
    except ValueError as error:
        raise budgets.wrong(name, str(error)) from None


def _time_zone(said: Said) -> str:
    name = said.text("time_zone", "UTC", 100) or "UTC"
    try:
        zone_of(name)
    except ValueError as error:
        raise said.wrong("time_zone", str(error)) from None
    return name
