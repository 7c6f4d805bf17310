"""A backup as it is read: entry by entry, while others run. Keys stay as they stand there until they are needed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from app.core.backup.form import TABLES, Heading, Tables, damaged, text_of
from app.core.backup.secret_values import unseal
from app.core.snapshot import CHANNELS
from app.storage.backup.passphrase import Cipher
from app.wire.json_array import ArraySplitter

LONGEST_ENTRY: Final = 16 << 20


@dataclass
class Document:
    heading: Heading
    cipher: Cipher | None
    """None: its secrets are left out."""
    tables: Tables = field(default_factory=lambda: {table: {} for table in TABLES})
    """With its secrets, where it has any."""
    keys: dict[str, list[bytes]] = field(default_factory=dict)
    """By channel: the lists of its keys, as they stand there."""


def read(heading: Heading, cipher: Cipher | None, entries: Iterable[bytes], pause: Callable[[], object]) -> Document:
    """`entries`: the text of the array, in pieces. Raises BackupRefused."""
    document, splitter, total = Document(heading, cipher), ArraySplitter(LONGEST_ENTRY), hashlib.sha256()
    for piece in entries:
        total.update(piece)
        for element in splitter.feed(piece):
            if not element.is_whole:
                raise damaged(f"an entry is longer than {LONGEST_ENTRY:,} bytes")
            _take(document, element.data)
            pause()
        pause()
    if splitter.is_other or not splitter.is_closed:
        raise damaged("its entries are no whole array")
    if heading.sha256 and heading.sha256 != total.hexdigest():
        text = 'its entries are not those that were written (leave "sha256" out if you have edited them)'
        raise damaged(text)
    for channel_id in document.keys:
        if channel_id not in document.tables[CHANNELS.tables[0]]:
            raise damaged(f"it has keys of channel {channel_id}, and no such channel")
    return document


def keys_in(entry: bytes) -> list[dict[str, Any]]:
    """Those of one list."""
    keys: list[dict[str, Any]] = orjson.loads(entry)["keys"]
    return keys


def _take(document: Document, data: bytes) -> None:
    """Raises BackupRefused."""
    try:
        entry = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise damaged("an entry is no JSON") from None
    if "channel" in entry:
        keys = entry.get("keys")
        if not isinstance(entry["channel"], str) or not isinstance(keys, list) or not all(map(_is_key, keys)):
            raise damaged("an entry of keys makes no sense")
        if document.cipher is None:
            raise damaged("it has keys, though its secrets are left out")
        document.keys.setdefault(entry["channel"], []).append(data)
        return
    table, name, value = entry.get("table"), entry.get("field"), entry.get("value")
    if table not in document.tables or not isinstance(name, str) or not isinstance(value, str | dict | list):
        raise damaged(f"an entry makes no sense: {data[:80].decode('utf-8', 'replace')!r}")
    if document.cipher is not None:
        unseal(table, name, value, document.cipher.open)
    document.tables[table][name] = text_of(value)


def _is_key(key: Any) -> bool:
    if not isinstance(key, dict) or not isinstance(key.get("id"), int) or not 0 < key["id"] < 1 << 53:
        return False
    return isinstance(key.get("secret", key.get("sealed")), str)
