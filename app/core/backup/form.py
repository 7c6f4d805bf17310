"""The form of a backup: one JSON document of all that the operator said.

    {"backup": 1, "product": "0.1.0", "made_at_ms": ..., "version": 12, "secrets": "encrypted", "encryption": {...},
     "entries": [{"table": "settings", "field": "idle_timeout", "value": "60"}, ...,
                 {"channel": "1", "keys": [{"id": 7, "secret": "...", "note": "mine"}, ...]}, ...],
     "sha256": "..."}

An entry is a field of a table of the catalogue, so a noun that comes later stands in it by itself; or some keys of a
channel. Text that is JSON stands there as such. The sum is that of the text of `entries`, from bracket to bracket.
What is worked out of other entries (which id a name has) is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from typing import Any, Final, Literal, NamedTuple

import orjson

from app.core.channels.definition import comparable
from app.core.said.reading import Said
from app.core.said.shapes import Anything, Listed, OneOf, Shape, Text, Whole
from app.core.snapshot import CHANNELS, NOUNS, PRICE_TABLE, Table

FORM: Final = 1
"""Grows when an older gateway would misread what a newer one writes."""
ENCRYPTED: Final = "encrypted"
LEFT_OUT: Final = "left_out"
SAID: Final = tuple(noun for noun in NOUNS if noun is not PRICE_TABLE)
"""The nouns that are the operator's words."""
NAMES: Final = CHANNELS.tables[1]
"""Worked out of the channels."""
TABLES: Final = tuple(table for noun in SAID for table in noun.tables if table != NAMES)

HEADING: Final = Shape(
    {
        "backup": Whole(is_needed=True, minimum=1, maximum=FORM, meaning="The form of the document"),
        "product": Text(meaning="The version of the gateway that wrote it"),
        "made_at_ms": Whole(is_needed=True, minimum=0),
        "version": Whole(is_needed=True, minimum=0),
        "secrets": OneOf((LEFT_OUT, ENCRYPTED), is_needed=True),
        "encryption": Anything(meaning="How the secrets are encrypted"),
        "entries": Listed(Anything(), is_needed=True, meaning="All that was said"),
        "sha256": Text(meaning="Of the text of the entries; left out by whoever has edited them"),
    },
    optional=("encryption",),
    title="Backup",
    whole="a backup",
)

RefusalCode = Literal["backup_damaged", "backup_newer", "passphrase_missing", "passphrase_wrong", "key_unreadable"]
Tables = dict[str, dict[str, str]]
"""What is stored, by the names of tables."""


class BackupRefused(ValueError):
    """A document that cannot be taken. Its text says why, and what would do; nothing was changed."""

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class Heading(NamedTuple):
    """What stands beside the entries."""

    product: str
    """The version of the gateway that wrote it."""
    made_at_ms: int
    version: int
    """That of the catalogue."""
    encryption: dict[str, Any] | None
    """How its secrets are encrypted; None: they are left out."""
    sha256: str
    """Of the text of the entries; empty: nobody says."""


def damaged(reason: str) -> BackupRefused:
    return BackupRefused("backup_damaged", f"the backup is damaged, or is none: {reason}; nothing was changed")


def read_heading(value: MappingOf[str, Any], product: str) -> Heading:
    """`product`: our own version, for whoever has a newer document. Raises BackupRefused, Invalid."""
    form = value.get("backup")
    if not isinstance(form, int) or isinstance(form, bool) or form < 1:
        raise damaged('it does not say "backup": 1')
    if form > FORM:
        text = f"the backup is of form {form}, written by version {value.get('product')!s:.40} of the gateway; this is"
        text += f" {product}, which knows form {FORM}: update it first; nothing was changed"
        raise BackupRefused("backup_newer", text)
    said = Said(value, "", HEADING)
    encryption = said.any("encryption")
    if (said.choice("secrets") == ENCRYPTED) != isinstance(encryption, dict):
        raise damaged("it does not say how its secrets are encrypted, or they are not")
    said.items("entries")
    return Heading(
        said.text("product"), said.number("made_at_ms"), said.number("version"), encryption, said.text("sha256")
    )


def value_of(text: str) -> Any:
    """How a stored text stands in an entry: as JSON, where that gives it back to the letter."""
    if text[:1] in ("{", "["):
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
        if orjson.dumps(value).decode() == text:
            return value
    return text


def text_of(value: Any) -> str:
    """The text of which `value_of` made it."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def ids_by_name(channels: Table) -> dict[str, str]:
    """The table NAMES. Raises BackupRefused where two channels have one name."""
    names: dict[str, str] = {}
    for channel_id, text in channels.items():
        name = comparable(channel_name(text))
        if name in names:
            raise damaged(f"its channels {names[name]} and {channel_id} have the same name")
        if name:
            names[name] = channel_id
    return names


def channel_name(text: str) -> str:
    """Of a stored channel; empty where that makes no sense."""
    return _name_in(text)


def entries_of(tables: MappingOf[str, Table]) -> Iterator[tuple[str, str, str]]:
    """Table, field and text of all that stands in a backup, always in the same order."""
    for table in TABLES:
        for field, text in sorted(tables.get(table, {}).items()):
            yield table, field, text


def name_of(noun: str, field: str, text: str) -> str:
    """How an operator calls what stands in a field of a noun's first table."""
    return _name_in(text) or field if noun in ("channels", "access_tokens") else field


def _name_in(text: str) -> str:
    try:
        return str(orjson.loads(text)["said"]["name"])
    except (ValueError, TypeError, KeyError):
        return ""
