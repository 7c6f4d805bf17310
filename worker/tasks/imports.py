"""Many keys are added to a channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from app.core.channels.given_keys import keys_in_file, keys_in_json
from app.core.channels.keys import InvalidKey
from app.core.wording import counted
from app.waiting import give_way
from worker.tasks.key_batches import check_channel
from worker.tasks.running import Running, TaskFailed

CHUNK: Final = 2_000
"""Keys that are added between two words about it."""


def import_keys(running: Running) -> dict[str, Any]:
    """Each is there once, however often this is begun; and each that this added is told as added."""
    keys = _keys_of(running)
    unique = list(dict.fromkeys(keys))
    stored = running.gateway.choosing.pools.stored
    begun, added = running.place, running.place.get("added", 0)
    running.tell(running.done, len(keys))
    for begin in range(begun.get("next", 0), len(unique), CHUNK):
        if running.cancelled:
            break
        _check_channel(running)
        chunk = unique[begin : begin + CHUNK]
        # Of a process that was killed nobody knows whether it added this chunk, but for the ids that were given since.
        after = begun["last_id"] if begun.get("next") == begin else stored.look().last_id
        running.save({"next": begin, "added": added, "last_id": after})
        if begun.get("next") == begin:
            added += _added_before(running, chunk, after)
        added += running.gateway.key_edits.add(running.channel_id, chunk).added
        running.tell(begin + len(chunk), message=f"{counted(added, 'key')} added")
    _check_channel(running)
    if not running.cancelled:
        running.tell(len(keys))
    total = len(running.gateway.choosing.pools.of(running.channel_id))
    return {"added": added, "duplicates": running.done - added, "total": total}


def _keys_of(running: Running) -> list[str]:
    """As the request gave them. Raises TaskFailed."""
    given, field = b"".join(running.input()), running.arguments["field"]
    try:
        match running.arguments["format"]:
            case "file":
                keys = keys_in_file(given, field, give_way)
            case "json":
                keys = keys_in_json(given, field)
            case _:
                keys = given.decode().split()
    except InvalidKey as error:
        raise TaskFailed(str(error)) from None
    if not keys:
        raise TaskFailed(f"{field} holds no key")
    return keys


def _check_channel(running: Running) -> None:
    """What was added to a channel while it was being deleted goes again. Raises TaskFailed, RedisError."""
    try:
        check_channel(running)
    except TaskFailed:
        running.gateway.key_edits.drop(running.channel_id)
        raise


def _added_before(running: Running, chunk: Sequence[str], after: int) -> int:
    pools = running.gateway.choosing.pools
    pools.load()
    pool = pools.of(running.channel_id)
    places = range(pool.place_from(after + 1), len(pool.ids))
    new = {key.secret for place in places if pool.is_there(place) and (key := pool.key_at(place)) is not None}
    return sum(key in new for key in chunk)
