"""Keys that come with a request. Too many for it are left to a task, whose text nobody here looks at as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from flask import request

from app.core.channels.given_keys import keys_in_file, keys_in_json
from app.core.channels.keys import InvalidKey, keys_in
from app.core.said.reading import Said
from app.core.said.shapes import Listed, Shape, Text
from app.gateway import Gateway
from app.routes.admin.files.uploads import AS_BODY, Upload
from app.routes.admin.tasks.long_objects import SHORT_BYTES, LongBody, LongValue, long_value
from app.storage.tasks.task import Task

AT_ONCE: Final = 1_000
"""So many keys are added, changed or deleted while the client waits."""
LOOKED_AT: Final = 2 * AT_ONCE
"""A text that holds at most so many is read to know how many; there may be blanks and signs that part none."""
PIECE: Final = 1_000


class GivenKeys(NamedTuple):
    """Those that can be added at once, or an input for the task that adds them."""

    few: list[str]
    format: str = ""
    """How the input stands: `text`, `json` or `file`."""
    field: str = ""
    total: int = 0
    """How many there are; 0: nobody has counted them yet."""
    pieces: Sequence[bytes] = ()


@dataclass
class KeysBody(LongBody):
    """Keys and nothing else, by JSON or as a file; a route is given them as GivenKeys."""

    def read(self) -> Any:
        """Raises AdminError and Invalid."""
        if request.mimetype == "multipart/form-data" or request.mimetype in AS_BODY:
            return _read("file", long_value("file", FILE.read_pieces()), keys_in_file)
        said, long = self.read_long()
        if long is not None:
            return _read("json", long, lambda value: keys_in_json(value, long.name))
        name = next(name for name, value in said.values.items() if value is not None)
        return counted_keys(keys_in(said.values[name], name), name)

    def content(self) -> dict[str, Any]:
        return super().content() | FILE.content()


FILE: Final = Upload("file", "curl -F file=@keys.txt")
GIVEN: Final = KeysBody(
    Shape(
        {
            "text": Text(meaning="A key in each line, or between blanks, commas and semicolons, or a list as JSON"),
            "keys": Listed(Text(example="sk-1"), least=1),
        },
        one_of=("text", "keys"),
    ),
    {"keys": ["sk-1", "sk-2"]},
    long=("text", "keys"),
)


def read_keys_of(said: Said, long: LongValue | None) -> GivenKeys | None:
    """Those that come with a channel; None: there are none. Raises InvalidKey."""
    if long is not None:
        return _read("json", long, lambda value: keys_in_json(value, "keys"))
    given = said.any("keys")
    keys = [] if given is None or isinstance(given, dict) else keys_in(given, "keys")
    return counted_keys(keys, "keys") if keys else None


def order_import(gateway: Gateway, channel_id: str, given: GivenKeys) -> Task:
    """Raises TaskRunning."""
    arguments = {"format": given.format, "field": given.field}
    return gateway.tasks.order("import_keys", channel_id, arguments, given.total, given.pieces)


def _read(format: str, long: LongValue, read: Callable[[bytes], list[str]]) -> GivenKeys:
    if long.entries > LOOKED_AT and sum(map(len, long.pieces)) > SHORT_BYTES:
        return GivenKeys([], format, long.name, 0, long.pieces)
    return counted_keys(read(long.whole()), long.name)


def counted_keys(keys: Sequence[str], field: str) -> GivenKeys:
    """Raises InvalidKey where there are none."""
    if not keys:
        raise InvalidKey(f"{field} holds no key", field)
    if len(keys) <= AT_ONCE:
        return GivenKeys(list(keys))
    return GivenKeys([], "text", field, len(keys), list(_pieces(keys)))


def _pieces(keys: Sequence[str]) -> Iterator[bytes]:
    for begin in range(0, len(keys), PIECE):
        yield "".join(f"{key}\n" for key in keys[begin : begin + PIECE]).encode()
