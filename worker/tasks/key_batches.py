"""Many keys of a channel are deleted, restored, enabled or disabled."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

import orjson

from app.core.channels.keys import KeyState
from app.core.snapshot import CHANNELS
from app.core.wording import counted
from app.storage.keys.edits import KeyEdits
from app.storage.keys.pool import KeyPool
from app.waiting import give_way
from worker.tasks.running import Running, TaskFailed

CHUNK: Final = 1_000
"""Keys that are changed between two words about it."""
STORED_S: Final = 10.0
"""How long it is waited until more of what is observed of keys is stored, so that a kill does not undo it."""


class Act(NamedTuple):
    """What is done to keys."""

    done: str
    """As it is told."""
    is_due: Callable[[KeyState], bool]
    """Whether a key in this state is another one afterwards."""
    do: Callable[[KeyEdits, str, Sequence[str]], int]
    """How many it changed."""


DELETE: Final = Act("deleted", lambda state: True, lambda edits, channel_id, ids: edits.delete(channel_id, ids))
RESTORE: Final = Act(
    "restored",
    lambda state: state in (KeyState.RESTING, KeyState.BLACKLISTED),
    lambda edits, channel_id, ids: edits.restore(channel_id, ids),
)
ENABLE: Final = Act(
    "enabled",
    lambda state: state is KeyState.DISABLED,
    lambda edits, channel_id, ids: edits.enable(channel_id, ids),
)
DISABLE: Final = Act(
    "disabled",
    lambda state: state is not KeyState.DISABLED,
    lambda edits, channel_id, ids: edits.enable(channel_id, ids, False),
)


def change_keys(running: Running, act: Act) -> dict[str, Any]:
    """Begun anew it does what is still due, and looks how the chunk is that a killed process may have changed."""
    check_channel(running)
    pools, edits = running.gateway.choosing.pools, running.gateway.key_edits
    pools.load()
    changed = running.place.get("changed", 0) + _done_before(running, act)
    ids = meant_ids(running)
    running.tell(running.done, running.place.get("total", len(ids)))
    passed, waiting = running.total - len(ids), iter(ids)
    while not running.cancelled and (chunk := list(islice(waiting, CHUNK))):
        check_channel(running)
        due = _due(pools.of(running.channel_id), chunk, act)
        running.save({"changed": changed, "total": running.total, "doubt": due})
        if due:
            changed += act.do(edits, running.channel_id, due)
        passed += len(chunk)
        running.tell(max(passed, running.done), message=f"{counted(changed, 'key')} {act.done}")
        give_way()
    if act is RESTORE:
        wait_until_stored(running)
    running.save({"changed": changed, "total": running.total, "doubt": []})
    return {"changed": changed}


def check_channel(running: Running) -> None:
    """As Redis has it at this moment. Raises TaskFailed, RedisError."""
    if running.channel_id not in CHANNELS.of(running.gateway.catalog.look()).by_id:
        raise TaskFailed(f"channel {running.channel_id} was deleted meanwhile")


def meant_ids(running: Running) -> list[str]:
    """Those of a batch, that there still are: of `ids`, of a long list that came with it, in a `state`, or all.

    Of the latter two no key that came after the order. Raises TaskFailed.
    """
    said = running.arguments
    ids = said.get("ids")
    given = b"".join(running.input()) if ids is None else b""
    if given:
        try:
            ids = orjson.loads(given)
        except orjson.JSONDecodeError:
            ids = None
        if not isinstance(ids, list):
            raise TaskFailed("ids must be a list of ids; nothing was changed")
    if ids is None:
        states = [KeyState(said["state"])] if "state" in said else []
        ids = list(running.gateway.key_edits.ids(running.channel_id, states))
        return ids[: bisect_right(ids, int(said["last_id"]), key=int)] if "last_id" in said else ids
    pool = running.gateway.choosing.pools.of(running.channel_id)
    return [id for id in dict.fromkeys(map(str, ids)) if _place(pool, id) >= 0]


def _due(pool: KeyPool, ids: Sequence[str], act: Act) -> list[str]:
    return [id for id in ids if (place := _place(pool, id)) >= 0 and act.is_due(pool.state_at(place))]


def _done_before(running: Running, act: Act) -> int:
    """How many of the chunk in doubt are as they should become."""
    pool, doubt = running.gateway.choosing.pools.of(running.channel_id), running.place.get("doubt", [])
    return len(doubt) - len(_due(pool, doubt, act))


def _place(pool: KeyPool, id: str) -> int:
    return pool.place_of(int(id)) if id.isdecimal() and len(id) < 20 else -1


def wait_until_stored(running: Running) -> None:
    """What is observed of keys until now: for as long as it becomes less, as Redis may be away."""
    health, left, deadline_s = running.gateway.choosing.health, 0, 0.0
    while count := len(health.dirty):
        if count < left or not left:
            left, deadline_s = count, time.monotonic() + STORED_S
        elif time.monotonic() >= deadline_s:
            return
        time.sleep(0.05)
