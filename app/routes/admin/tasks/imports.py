"""Keys that come with a request. Too many for it are left to a task, whose text nobody here looks at as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from flask import request

from app.core.channels.given_keys import keys_in_file, keys_in_json
from app.core.channels.keys import InvalidKey, keys_in
from app.gateway import Gateway
from app.routes.admin.answers import AdminError
from app.routes.admin.files.uploads import AS_BODY, read_upload
from app.routes.admin.tasks.long_objects import SHORT_BYTES, LongValue, long_file, read_long_object
from app.storage.tasks.task import Task

AT_ONCE: Final = 1_000
"""So many keys are added, changed or deleted while the client waits."""
LOOKED_AT: Final = 2 * AT_ONCE
"""A text that holds at most so many is read to know how many; there may be blanks and signs that part none."""
PIECE: Final = 1_000
EXAMPLE: Final = '{"text": "one key a line"} or {"keys": ["one", "two"]}'


class GivenKeys(NamedTuple):
    """Those that can be added at once, or an input for the task that adds them."""

    few: list[str]
    format: str = ""
    """How the input stands: `text`, `json` or `file`."""
    field: str = ""
    total: int = 0
    """How many there are; 0: nobody has counted them yet."""
    pieces: Sequence[bytes] = ()


def read_given_keys() -> GivenKeys:
    """The keys of a request that gives nothing else. Raises AdminError and InvalidKey."""
    if request.mimetype == "multipart/form-data" or request.mimetype in AS_BODY:
        data = read_upload("file", "curl -F file=@keys.txt")
        return _read("file", long_file("file", data), keys_in_file)
    body, long = read_long_object(EXAMPLE, ("text", "keys"), ("text", "keys"))
    if len(body) != 1:
        raise AdminError(400, "invalid", "say either text or keys", "text")
    if long is not None:
        return _read("json", long, lambda value: keys_in_json(value, long.name))
    [(name, said)] = body.items()
    return counted_keys(keys_in(said, name), name)


def read_keys_of(body: dict[str, Any], long: LongValue | None) -> GivenKeys | None:
    """Those that come with a channel; None: there are none. Raises InvalidKey."""
    if long is not None:
        return _read("json", long, lambda value: keys_in_json(value, "keys"))
    said = body.get("keys")
    keys = [] if said is None or isinstance(said, dict) else keys_in(said, "keys")
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
