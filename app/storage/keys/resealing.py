"""Brings stored keys in line with `ENCRYPTION_KEY`, piece by piece, while others read and change them.

Each piece is one script, so a kill leaves every key as it was or as it shall be, and whoever begins anew has the rest
to do. What somebody changes meanwhile stays as he says, and is found by the next pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.core.channels.keys import StoredKey
from app.storage.keys.form import Edit, Known
from app.storage.keys.stored import StoredKeys
from app.storage.secrets import CannotOpen

PIECE = 250
"""Keys that are rewritten by one script, so that Redis is busy for two milliseconds."""
PASSES = 5
"""After so many it is others who store keys otherwise all the while."""


@dataclass
class Resealed:
    """Of one channel."""

    done: int = 0
    """Keys that were rewritten."""
    in_line: int = 0
    """Keys that need not be."""
    unreadable: int = 0
    """Keys that no key of ENCRYPTION_KEY opens. They stay as they are."""
    is_whole: bool = True
    """Nothing is left to do, but for those."""

    @property
    def found_in_line(self) -> int:
        return max(0, self.in_line - self.done)


def reseal(stored: StoredKeys, channel_id: str, known: Known, tell: Callable[[Resealed], object]) -> Resealed:
    """`tell` hears of each piece. Raises RedisError; what was done until then stays done.

    KeysLost is raised where Redis has lost what was `known` at the beginning.
    """
    done = 0
    for _ in range(PASSES):
        counts = _one_pass(stored, channel_id, known, done, tell)
        if counts.done == done and counts.is_whole:
            return counts
        done = counts.done
    counts.is_whole = False
    return counts


def _one_pass(
    stored: StoredKeys, channel_id: str, known: Known, done: int, tell: Callable[[Resealed], object]
) -> Resealed:
    counts = Resealed(done)
    for keys in pieces(stored, channel_id, known):
        wanted: list[tuple[str, StoredKey]] = []
        for key in keys:
            if stored.secrets.is_current(key.sealed):
                counts.in_line += 1
                continue
            try:
                wanted.append((stored.secrets.open(key.sealed, channel_id), key))
            except CannotOpen:
                counts.unreadable += 1
        if wanted:
            made = stored.reseal(channel_id, known, wanted)
            counts.done += made
            counts.is_whole &= made == len(wanted)
        tell(counts)
    return counts


def delete_unreadable(stored: StoredKeys, channel_id: str, known: Known) -> int:
    """Those that no key of ENCRYPTION_KEY opens. How many there were; a piece that somebody just changes stays."""
    deleted = 0
    for keys in pieces(stored, channel_id, known):
        gone = [Edit(key, None) for key in keys if _is_unreadable(stored, channel_id, key)]
        if gone and stored.change(channel_id, known, gone) > 0:
            deleted += len(gone)
    if deleted:
        stored.drop_stale_digests(channel_id)
    return deleted


def _is_unreadable(stored: StoredKeys, channel_id: str, key: StoredKey) -> bool:
    try:
        stored.secrets.open(key.sealed, channel_id)
    except CannotOpen:
        return True
    return False


def pieces(stored: StoredKeys, channel_id: str, known: Known) -> Iterator[list[StoredKey]]:
    """All that are there from begin to end, each once. Raises KeysLost."""
    for ids in stored.ids(channel_id, known, PIECE):
        for begin in range(0, len(ids), PIECE):
            yield stored.read(channel_id, known, ids[begin : begin + PIECE])
