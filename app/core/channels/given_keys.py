"""Keys as an operator gives them: in a file, or as a value in JSON. Both come to what `keys_in` reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import orjson

from app.core.channels.keys import InvalidKey, keys_in
from app.wire.csv_files import nothing, read_records

COLUMNS: Final = frozenset(
    {"key", "keys", "key_value", "api_key", "api_keys", "apikey", "api key", "secret", "密钥", "api密钥", "api 密钥"}
)
"""What the keys' column may be called in a table, in small letters."""


def keys_in_json(value: bytes, field: str) -> list[str]:
    """The keys in a text or a list, which stands there as JSON. Raises InvalidKey."""
    try:
        said = orjson.loads(value)
    except orjson.JSONDecodeError:
        raise InvalidKey(f"{field} is no JSON", field) from None
    return keys_in(said, field)


def keys_in_file(data: bytes, field: str = "file", pause: Callable[[], object] = nothing) -> list[str]:
    """The keys in a text, between any separators or as a list in JSON; or in a table whose heading names them.

    Raises InvalidKey.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidKey(f"{field} must be a text with a key in each line", field) from None
    head = next(read_records(text[:4096].encode()), None)
    names = [cell.strip().casefold() for cell in head.cells] if head is not None else []
    place = next((place for place, name in enumerate(names) if name in COLUMNS), -1)
    if place < 0:
        return keys_in(text, field)
    cells = [record.cells[place] for record in read_records(data, pause) if len(record.cells) > place]
    return keys_in([cell for cell in cells[1:] if cell.strip()], field)
