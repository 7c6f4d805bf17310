"""Channels as ccLoad keeps them in its database, from version 1.66 on, and what they mean here.

A row is a dictionary by the names of its table's columns. Which there are depends on the version: what is not there was
not said. Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as MappingOf
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

import orjson

from app.core.channels.csv_keys import KeyCells
from app.core.channels.csv_reading import ChannelRow
from app.core.channels.edits import parse_body_rules, parse_header_rules
from app.core.channels.keys import InvalidKey, keys_in
from app.core.channels.shape import CHANNEL
from app.core.errors import Invalid, InvalidChannel
from app.core.said.reading import Said
from app.core.wording import counted
from app.wire import ccload

Row = MappingOf[str, Any]

LONGEST_REST_S: Final = 86_400
"""Longer ones are cut to it, as those that upstreams tell."""

_NOT_TAKEN: Final = {
    "cooldown_detection_rules": "its rules of cooldowns are left out: see /api/outcome-rules",
    "retry_other_keys_on_failure": "retry_other_keys_on_failure is left out",
    "websockets": "websockets is left out",
}
"""What is told of columns that are neither empty nor 0."""


class CcloadChannel(NamedTuple):
    """One channel with all that belongs to it."""

    row: Row
    keys: Sequence[Row]
    """By key_index."""
    models: Sequence[Row]
    """In their order."""
    url_states: Sequence[Row] = ()
    model_rests: Sequence[Row] = ()


class KnownRest(NamedTuple):
    """One that is not over. Of the channel, where both texts are empty."""

    until_ms: int
    secret: str = ""
    """Of the key that rests."""
    model: str = ""
    """That rests, by the name that the upstream is asked for."""


class Meant(NamedTuple):
    row: ChannelRow
    """Its line is the channel's id at ccLoad."""
    rests: list[KnownRest]


def meaning_of(channel: CcloadChannel, now_ms: int) -> Meant:
    """Raises Invalid for what cannot be taken."""
    row, notes = channel.row, list[str]()
    if (kind := _text(row, "auth_type")) not in ("", "api_key"):
        raise InvalidChannel(f"auth_type is {kind!r}: a login by OAuth cannot be taken over", "auth_type")
    said: dict[str, Any] = {"name": _text(row, "name"), "models": _models(channel, notes)}
    said["urls"] = _urls(channel, notes)
    spoken = list(dict.fromkeys(dialect for url in said["urls"] for dialect in url["dialects"]))
    guessed = _guessed(row, said)
    said["dialects"] = spoken if guessed else list(dict.fromkeys([*_type_of(row, bool(spoken)), *spoken]))
    said |= _plain(row) | _check(row, said["models"]) | _rules(row, notes)
    said["key_strategy"] = _strategy(channel.keys)
    if (factor := _factor(channel, notes)) is not None:
        said["cost_multiplier"] = factor
    keys = _keys(channel.keys, notes)
    notes += [told for column, told in _NOT_TAKEN.items() if row.get(column) not in (None, "", 0, "{}", "null")]
    if _text(row, "protocol_transform_mode") == "local":
        notes.append("protocol_transform_mode is left out: calls are not translated")
    line = ChannelRow(whole(row, "id"), said["name"], said, guessed, keys, tuple(notes))
    return Meant(line, _rests(channel, now_ms))


def usd(value: object) -> str:
    """A database's number as decimal text. Raises ValueError."""
    try:
        number = Decimal(str(value or 0))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0:
        raise ValueError(f"must be an amount, not {value!r}")
    text = format(round(number, 9), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def whole(row: Row, column: str) -> int:
    """A number; 0 where nothing was said. SQLite keeps in any column whatever it was given. Raises InvalidChannel."""
    try:
        return int(row.get(column) or 0)
    except (ValueError, OverflowError):
        raise InvalidChannel(f"{column} must be a whole number, not {row[column]!r}", column) from None


def texts_of(row: Row, column: str) -> list[str]:
    """A column that holds a list in JSON. Raises InvalidChannel."""
    found = _json(row, column, list)
    if found is None and _text(row, column) not in ("", "null"):
        raise InvalidChannel(f"{column} must be a list in JSON", column)
    return [str(entry).strip() for entry in found or () if str(entry).strip()]


def _plain(row: Row) -> dict[str, Any]:
    said: dict[str, Any] = {"priority": whole(row, "priority"), "enabled": bool(row.get("enabled", 1))}
    for column, field in (("rpm_limit", "requests_per_minute"), ("max_concurrency", "max_concurrency")):
        if column in row:
            said[field] = whole(row, column)
    if "daily_cost_limit" in row:
        said["cost_per_day_usd"] = usd(row["daily_cost_limit"])
    if "proxy_url" in row:
        said["proxy_url"] = _text(row, "proxy_url")
    if "available_time_start" in row:
        start, end = _text(row, "available_time_start"), _text(row, "available_time_end")
        said["hours"] = f"{start}-{end}" if start and end else ""
    return said


def _models(channel: CcloadChannel, notes: list[str]) -> list[dict[str, str]]:
    targets: dict[str, str] = {}
    disabled = []
    for row in channel.models:
        name, target = _text(row, "model"), _text(row, "redirect_model")
        if row.get("disabled"):
            disabled.append(name)
        elif targets.setdefault(name, target) != target:
            notes.append(f"a second target of {name} is left out: {target or name}")
    if disabled:
        notes.append(f"disabled models are left out: {', '.join(disabled)}")
    if any(_text(row, "pricing") not in ("", "{}", "null") for row in channel.models):
        notes.append("its prices are left out: see /api/prices")
    return [{"name": name, "upstream_name": "" if target == name else target} for name, target in targets.items()]


def _urls(channel: CcloadChannel, notes: list[str]) -> list[dict[str, Any]]:
    try:
        listed = ccload.urls_of(_text(channel.row, "url"))
    except ValueError as error:
        raise InvalidChannel(f"url {error}", "url") from None
    disabled = {_text(row, "url").rstrip("/") for row in channel.url_states if row.get("disabled")}
    kept = [one for one in listed if one.url not in disabled]
    if kept and len(kept) < len(listed):
        notes.append(f"disabled urls are left out: {', '.join(one.url for one in listed if one.url in disabled)}")
    return [{"url": one.url, "dialects": list(one.dialects), "exact": one.exact} for one in kept or listed]


def _says_protocols(row: Row) -> bool:
    """Whether it is of a version in which the urls say what they speak, and the channel's type is left over."""
    return _text(row, "url").startswith("[")


def _type_of(row: Row, is_spoken: bool) -> list[str]:
    if _says_protocols(row) and (is_spoken or _text(row, "channel_type") == ccload.USUAL_TYPE):
        return []
    try:
        return [ccload.dialect_of(_text(row, "channel_type") or ccload.USUAL_TYPE)]
    except ValueError as error:
        raise InvalidChannel(f"channel_type {error}", "channel_type") from None


def _guessed(row: Row, said: MappingOf[str, Any]) -> tuple[str, ...]:
    """Where ccLoad finds out by itself what a url speaks."""
    urls = [url["url"] for url in said["urls"] if not url["dialects"]]
    if not _says_protocols(row) or not urls or _type_of(row, is_spoken=False):
        return ()
    return ccload.guessed_dialects(urls, [model["name"] for model in said["models"]])


def _check(row: Row, models: Sequence[MappingOf[str, str]]) -> dict[str, str]:
    if "scheduled_check_enabled" not in row:
        return {}
    first = models[0]["name"] if models else ""
    return {"check_model": (_text(row, "scheduled_check_model") or first) if row["scheduled_check_enabled"] else ""}


def _rules(row: Row, notes: list[str]) -> dict[str, Any]:
    """Each of its rules that can be one here."""
    rules = _json(row, "custom_request_rules", dict)
    if not rules:
        return {}
    taken: dict[str, Any] = {}
    for field, theirs, parse in (
        ("header_rules", "headers", parse_header_rules),
        ("body_rules", "body", parse_body_rules),
    ):
        taken[field] = []
        listed = rules.get(theirs) or []
        if not isinstance(listed, list):
            notes.append(f"custom_request_rules.{theirs} is left out: it is no list")
            continue
        for rule in listed:
            ours = _rule(rule)
            try:
                parse(Said({field: [ours]}, "", CHANNEL), field)
            except Invalid as error:
                notes.append(f"a rule is left out: {error}")
            else:
                taken[field].append(ours)
    return taken


def _rule(rule: Any) -> Any:
    if not isinstance(rule, dict):
        return rule
    action = "set" if rule.get("action") == "override" else rule.get("action")
    kept = {name: value for name, value in rule.items() if name in ("name", "path", "value")}
    return {"action": action, **kept}


def _strategy(keys: Sequence[Row]) -> str:
    strategy = _text(keys[0], "key_strategy").lower() if keys else ""
    return strategy if strategy == "round_robin" else ccload.USUAL_KEY_STRATEGY


def _factor(channel: CcloadChannel, notes: list[str]) -> str | None:
    """What it charges by the list price; that of the keys counts where they have one."""
    of_keys = {usd(row["cost_multiplier"]) for row in channel.keys if row.get("cost_multiplier") is not None}
    if len(of_keys) > 1:
        notes.append(f"of the multipliers of its keys ({', '.join(sorted(of_keys))}) the highest is taken for all")
    if of_keys:
        return max(of_keys, key=Decimal)
    return usd(channel.row["cost_multiplier"]) if channel.row.get("cost_multiplier") is not None else None


def _keys(rows: Sequence[Row], notes: list[str]) -> KeyCells | None:
    secrets: dict[str, Row] = {}
    unfit = 0
    for row in rows:
        try:
            [secret] = keys_in([_text(row, "api_key")], "api_key")
            secrets.setdefault(secret, row)
        except InvalidKey:
            unfit += 1
    if unfit:
        notes.append(f"{counted(unfit, 'key')} left out: a key is a text of visible ASCII characters without blanks")
    if any(row.get("priority") for row in rows):
        notes.append("priorities of keys are left out: keys are asked in their order")
    if not secrets:
        return None
    kept = list(secrets.values())
    models = [tuple(dict.fromkeys(texts_of(row, "allowed_models"))) for row in kept]
    enabled = [not (row.get("disabled") or row.get("model_scope_empty")) for row in kept]
    return KeyCells(list(secrets), [_text(row, "note")[:1000] for row in kept], models, enabled)


def _rests(channel: CcloadChannel, now_ms: int) -> list[KnownRest]:
    found = [KnownRest(_until_ms(channel.row))]
    found += [KnownRest(_until_ms(row), secret=_text(row, "api_key")) for row in channel.keys]
    found += [KnownRest(_until_ms(row), model=_text(row, "model")) for row in channel.model_rests]
    longest_ms = now_ms + LONGEST_REST_S * 1000
    return [rest._replace(until_ms=min(rest.until_ms, longest_ms)) for rest in found if rest.until_ms > now_ms]


def _until_ms(row: Row) -> int:
    return whole(row, "cooldown_until") * 1000


def _text(row: Row, column: str) -> str:
    value = row.get(column)
    return "" if value is None else str(value).strip()


def _json(row: Row, column: str, kind: type) -> Any:
    text = _text(row, column)
    if not text:
        return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise InvalidChannel(f"{column} is no JSON", column) from None
    return found if isinstance(found, kind) else None


def by_channel(rows: Iterable[Row]) -> dict[int, list[Row]]:
    """Rows of a table, in their order, by the channel to which they belong."""
    found: dict[int, list[Row]] = {}
    for row in rows:
        if isinstance(row["channel_id"], int):  # SQLite keeps in a column whatever it was given
            found.setdefault(row["channel_id"], []).append(row)
    return found
