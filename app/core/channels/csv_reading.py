"""What the lines of a CSV file say of channels: of ours, and of those that ccLoad writes, from 1.66 on.

A column that stands in the heading speaks for every line, and an empty cell in it means the default; of a column that
does not stand there nothing is said, so a channel that is there keeps its value. Columns go by name, in any order.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from typing import Any, Final, NamedTuple

import orjson

from app.core.channels.csv_keys import KeyCells, read_keys
from app.core.errors import Invalid, InvalidChannel
from app.wire import ccload
from app.wire.csv_files import Record, nothing

REQUIRED: Final = ("name", "api_key", "url", "models")
"""Columns that must stand in the heading; `urls` does for `url`."""
NUMBERS: Final = {
    "priority": "priority",
    "weight": "weight",
    "rpm_limit": "requests_per_minute",
    "max_concurrency": "max_concurrency",
    "key_max_concurrency": "key_max_concurrency",
    "key_requests_per_minute": "key_requests_per_minute",
}
"""The field of a channel by the column."""
TEXTS: Final = {
    "auth": "auto",
    "cost_per_day_usd": "0",
    "cost_multiplier": "1",
    "hours": "",
    "proxy_url": "",
    "note": "",
}
"""Columns that are fields as they stand, and what an empty cell means."""
OBJECTS: Final[dict[str, type]] = {"header_rules": list, "body_rules": list, "options": dict}
"""Columns that are fields written as JSON."""
KEY_COLUMNS: Final = (
    "api_key",
    "api_key_notes",
    "api_key_allowed_models",
    "api_key_enabled",
    "api_key_model_scope_empty",
)
_ELSEWHERE: Final = {
    "name", "url", "urls", "models", "model_redirects", "channel_type", "dialects", "key_strategy", "enabled",
    "scheduled_check_enabled", "scheduled_check_model", "auth_type", "id",
}  # fmt: skip
NOT_TAKEN: Final[dict[str, re.Pattern[str]]] = {
    name: re.compile(nothing_said, re.ASCII | re.IGNORECASE)
    for name, nothing_said in {
        "protocol_transform_mode": "auto|upstream",
        "retry_other_keys_on_failure": "false|0",
        "oauth_credential": "",
        "management_daily_checkin_enabled": "false|0",
        "management_daily_checkin_time": ".*",
        "websockets": "false|0",
        "scheduled_check_interval_minutes": r"\d*",
        "scheduled_check_start_time": ".*",
        "cooldown_detection_rules": r"\{\}|null",
        "model_pricing": r"\{\}|null",
        "api_key_cost_multipliers": r"\[[1,\s]*\]",
        "api_key_priorities": r"\[[0,\s]*\]",
    }.items()
}
"""ccLoad's columns for what we have not, and which cells say nothing by them."""
_KNOWN: Final = {*_ELSEWHERE, *NUMBERS, *TEXTS, *OBJECTS, *KEY_COLUMNS, *NOT_TAKEN}
_NUMBER: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)


class Heading(NamedTuple):
    places: dict[str, int]
    """Of each column among the cells."""
    notes: tuple[str, ...]
    """What of it is passed over."""


class ChannelRow(NamedTuple):
    """A line that makes sense by itself; whether a channel can be so, `definition.parse_channel` knows."""

    line: int
    name: str
    said: dict[str, Any]
    """Fields of a channel."""
    guessed: tuple[str, ...]
    """Dialects that nobody said: a channel that is there keeps its own."""
    keys: KeyCells | None
    """Those that it shall have; None: those that it has."""
    notes: tuple[str, ...]
    """What of the line is not taken."""


class _Cells:
    """The cells of one line, by their columns."""

    def __init__(self, heading: Heading, record: Record) -> None:
        self._places, self._cells = heading.places, record.cells

    def has(self, column: str) -> bool:
        return column in self._places

    def text(self, column: str) -> str:
        place = self._places.get(column, len(self._cells))
        return self._cells[place].strip() if place < len(self._cells) else ""

    def json(self, column: str, kind: type) -> Any:
        """Raises InvalidChannel. What is empty is `kind()`."""
        text = self.text(column)
        if not text:
            return kind()
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise InvalidChannel(f"{column} is no JSON ({error})", column) from None
        if not isinstance(found, kind):
            raise InvalidChannel(f"{column} must be {'a list' if kind is list else 'an object'} in JSON", column)
        return found


def read_heading(record: Record) -> Heading:
    """Raises Invalid for a heading that lacks a column, or has one twice."""
    if record.error:
        raise Invalid(f"line {record.line}: {record.error}", "file")
    places: dict[str, int] = {}
    strange = []
    for place, cell in enumerate(record.cells):
        column = ccload.column_of(cell)
        if column in places:
            raise Invalid(f"the column {column} stands twice in the heading", "file")
        if column in _KNOWN:
            places[column] = place
        elif column:
            strange.append(cell.strip()[:60])
    lacking = [name for name in REQUIRED if name not in places and not (name == "url" and "urls" in places)]
    if lacking:
        text = f"the heading (line {record.line}) lacks {', '.join(lacking)}: it must name the columns"
        raise Invalid(f"{text} name, api_key, url or urls, and models", "file")
    notes = (f"columns that are not known are passed over: {', '.join(strange)}",) if strange else ()
    return Heading(places, notes)


def is_blank(record: Record) -> bool:
    return not record.error and not any(cell.strip() for cell in record.cells)


def read_row(heading: Heading, record: Record, pause: Callable[[], object] = nothing) -> ChannelRow:
    """Raises Invalid, which names the column to blame."""
    if record.error:
        raise Invalid(record.error)
    cells = _Cells(heading, record)
    _check_required(cells)
    said: dict[str, Any] = {"name": cells.text("name")}
    notes: list[str] = []
    said["models"] = _read_models(cells, notes)
    said["urls"], said["dialects"] = _read_urls(cells)
    guessed = _guessed(cells, said)
    _read_plain(cells, said)
    _read_choices(cells, said)
    columns = {column: cells.text(column) for column in KEY_COLUMNS if cells.has(column)}
    keys = read_keys(columns, pause)
    notes += [f"{column} is not taken" for column in NOT_TAKEN if _says_something(column, cells.text(column))]
    return ChannelRow(record.line, said["name"], said, guessed, keys, tuple(notes))


def _says_something(column: str, cell: str) -> bool:
    return bool(cell) and not NOT_TAKEN[column].fullmatch(cell)


def _check_required(cells: _Cells) -> None:
    if cells.text("auth_type").lower() not in ("", "api_key"):
        raise InvalidChannel("auth_type must be api_key: a login by OAuth cannot be taken over", "auth_type")
    lacking = [name for name in ("name", "models") if not cells.text(name)]
    if not cells.text("url") and not cells.text("urls"):
        lacking.append("url")
    if not cells.text("api_key") and not cells.text("dialects"):
        lacking.append("api_key")
    if lacking:
        raise InvalidChannel(f"lacks {', '.join(lacking)}", lacking[0])


def _read_models(cells: _Cells, notes: list[str]) -> list[dict[str, str]]:
    models = _of("models", ccload.list_of, cells.text("models"))
    redirects = _of("model_redirects", ccload.redirects_of, cells.text("model_redirects"))
    if strangers := [name for name in redirects if name not in models]:
        notes.append(f"model_redirects of what models does not list are not taken: {', '.join(strangers)[:200]}")
    targets = {name: target for name, target in redirects.items() if target != name}
    return [{"name": name, "upstream_name": targets.get(name, "")} for name in models]


def _read_urls(cells: _Cells) -> tuple[list[dict[str, Any]], list[str]]:
    """The urls, and the dialects of the channel that are said, there or with it."""
    dialects = [_our_dialect(word) for word in _of("dialects", ccload.list_of, cells.text("dialects"))]
    type = cells.text("channel_type")
    if not dialects and (type or cells.has("channel_type")):
        dialects = [_of("channel_type", ccload.dialect_of, type or ccload.USUAL_TYPE)]
    urls = _read_our_urls(cells)
    if urls is None:
        column = "urls" if cells.text("urls") else "url"
        listed = _of(column, ccload.urls_of, cells.text(column))
        urls = [{"url": one.url, "dialects": list(one.dialects), "exact": one.exact} for one in listed]
        if not cells.text("dialects"):
            spoken = dict.fromkeys(dialect for one in listed for dialect in one.dialects)
            dialects = list(dict.fromkeys([*dialects, *spoken]))
    return urls, dialects


def _guessed(cells: _Cells, said: MappingOf[str, Any]) -> tuple[str, ...]:
    """Where ccLoad finds out by itself what a url speaks."""
    if cells.text("dialects") or cells.has("channel_type"):
        return ()
    urls = [url["url"] for url in said["urls"] if not url.get("dialects")]
    models = [model["name"] for model in said["models"]]
    return ccload.guessed_dialects(urls, models) if urls else ()


def _read_our_urls(cells: _Cells) -> list[dict[str, Any]] | None:
    """Those of a file of ours, as the API says them; None: the file is none."""
    if not cells.text("urls").startswith("["):
        return None
    entries: list[Any] = cells.json("urls", list)
    if not any(isinstance(entry, dict) and ("weight" in entry or "dialects" in entry) for entry in entries):
        return None
    first = cells.text("url")
    if first and first != (entries[0].get("url") if isinstance(entries[0], dict) else ""):
        text = "url and the first of urls are not the same: change urls, or take the column url out"
        raise InvalidChannel(text, "url")
    return entries


def _our_dialect(word: str) -> str:
    return ccload.DIALECTS.get(word, word)


def _read_plain(cells: _Cells, said: dict[str, Any]) -> None:
    for column, field in NUMBERS.items():
        if cells.has(column):
            text = cells.text(column)
            if text and not _NUMBER.fullmatch(text):
                raise InvalidChannel(f"{column} must be a whole number, not {text[:60]!r}", column)
            said[field] = int(text or 0)
    for column, default in TEXTS.items():
        if cells.has(column):
            said[column] = cells.text(column) or default
    for column, kind in OBJECTS.items():
        if cells.has(column):
            said[column] = cells.json(column, kind)


def _read_choices(cells: _Cells, said: dict[str, Any]) -> None:
    if cells.has("enabled"):
        said["enabled"] = _flag(cells, "enabled", default=True)
    if cells.has("key_strategy"):
        said["key_strategy"] = cells.text("key_strategy").lower() or ccload.USUAL_KEY_STRATEGY
    if cells.has("scheduled_check_model") or cells.has("scheduled_check_enabled"):
        checks = _flag(cells, "scheduled_check_enabled", default=bool(cells.text("scheduled_check_model")))
        said["check_model"] = (cells.text("scheduled_check_model") or _first_model(said)) if checks else ""


def _first_model(said: MappingOf[str, Any]) -> str:
    """What ccLoad checks a channel with where no model is named for it."""
    name = str(said["models"][0]["name"]) if said["models"] else ""
    return "" if name == "*" else name


def _flag(cells: _Cells, column: str, *, default: bool) -> bool:
    text = cells.text(column)
    flag = ccload.flag_of(text) if text else default
    if flag is None:
        raise InvalidChannel(f"{column} must be true or false, not {text[:60]!r}", column)
    return flag


def _of(column: str, read: Callable[[str], Any], cell: str) -> Any:
    try:
        return read(cell)
    except ValueError as error:
        raise InvalidChannel(f"{column} {error}", column) from None
