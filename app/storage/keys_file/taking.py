"""What a file of keys says becomes what Redis has: its keys are added, and those that it no longer names deleted.

What the file did not put there is never deleted. All is done in short steps, and may be done twice.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import islice
from typing import NamedTuple
from uuid import uuid4

from app.core.channels.keys_file import Line, lines_of, told_lines
from app.core.wording import counted
from app.storage.keys.edits import KeyEdits
from app.storage.keys.pools import KeyPools
from app.storage.keys_file.channel import CannotTake, KeysFileChannel
from app.storage.keys_file.file import Reading
from app.storage.keys_file.record import KeysFileRecord, Known
from app.waiting import Turns

PIECE = 250
"""Lines that are judged in one step, and keys that are looked for by one command."""
EDITED_AT_ONCE = 1000
TURN_S = 5.0
"""How long somebody who asks waits for another process."""
TURN_LOOK_S = 0.05


class Taken(NamedTuple):
    keys: int
    added: int
    removed: int
    bad: list[int]
    """Lines that cannot be keys."""

    def __str__(self) -> str:
        text = f"{counted(self.keys, 'key')}: {self.added:,} added, {self.removed:,} removed"
        if self.bad:
            text += f"; left out as no keys: {told_lines(self.bad)} (a line holds one key, or # and a comment)"
        return text


class HoldsNothing(CannotTake):
    """Nor will it before it is changed."""


class Taking:
    """One for each process, which takes one file at a time."""

    def __init__(self, record: KeysFileRecord, channel: KeysFileChannel, pools: KeyPools, edits: KeyEdits) -> None:
        self._record = record
        self._channel = channel
        self._pools = pools
        self._edits = edits
        self._holder = uuid4().hex
        self._turns = Turns()

    def known(self) -> Known:
        """Raises RedisError."""
        return self._record.look()

    def is_taken(self, known: Known, digest: str) -> bool:
        return known.said == self._said(digest) and self._channel.is_there(known)

    def is_there(self, known: Known) -> bool:
        """Whether some file was taken, and its channel still is there."""
        return bool(known.said) and self._channel.is_there(known)

    def is_others_turn(self) -> bool:
        """Whether another process takes a file now. Raises RedisError."""
        return self._record.turn() not in ("", self._holder)

    def hear(self) -> None:
        """This process has the keys that another one took. Raises RedisError."""
        self._pools.load()

    def take(self, reading: Reading, known: Known, *, removes: bool, patience_s: float = 0.0) -> Taken | None:
        """Without `removes` it only adds, and is to be taken again. None: another process is at it.

        Raises CannotTake, RedisError.
        """
        deadline_s = time.monotonic() + patience_s
        while not self._record.take_turn(self._holder):
            if time.monotonic() >= deadline_s:
                return None
            time.sleep(TURN_LOOK_S)
        try:
            channel_id = self._channel.get(known).id
            before = self._record.ids() if known.channel_id == channel_id else array("Q")
            return self._take(reading, channel_id, before, removes=removes)
        finally:
            self._record.end_turn(self._holder)

    def _take(self, reading: Reading, channel_id: str, before: array[int], *, removes: bool) -> Taken:
        """`before`: the ids of the keys that it named last."""
        if b"\0" in reading.data:
            raise HoldsNothing("is no text in UTF-8; what was read last stays")
        named = array("Q")
        """Ids of its keys. Objects that last as long as it is read would lie scattered among those of the pool."""
        missing: list[str] = []
        bad: list[int] = []
        added = 0
        for lines in _pieces(lines_of(reading.data)):
            bad += [line.number for line in lines if not line.key]
            secrets = [line.key for line in lines if line.key]
            found = self._pools.stored.find_all(channel_id, secrets)
            named.extend(filter(None, found))
            missing += [secret for secret, id in zip(secrets, found, strict=True) if not id]
            if len(missing) >= EDITED_AT_ONCE:
                added += self._add(channel_id, missing, named)
                missing = []
            self._go_on()
        added += self._add(channel_id, missing, named)
        if not named:
            _refuse_nothing(reading, bad)
        ids = self._without_doubles(named)
        keys, gone = len(ids), self._gone(before, ids)
        removed = self._remove(channel_id, gone) if removes else 0
        if not removes:
            ids.update(gone)
        said = self._said(reading.digest) if removes else ""
        self._record.note(channel_id, self._channel.said_urls, array("Q", ids), said)
        return Taken(keys, added, removed, bad)

    def _without_doubles(self, named: array[int]) -> set[int]:
        ids: set[int] = set()
        for begin in range(0, len(named), EDITED_AT_ONCE):
            ids.update(named[begin : begin + EDITED_AT_ONCE])
            self._go_on()
        return ids

    def _add(self, channel_id: str, secrets: Sequence[str], named: array[int]) -> int:
        if not secrets:
            return 0
        added = self._edits.add(channel_id, secrets).added
        for begin in range(0, len(secrets), PIECE):
            named.extend(filter(None, self._pools.stored.find_all(channel_id, secrets[begin : begin + PIECE])))
            self._go_on()
        return added

    def _gone(self, before: array[int], ids: set[int]) -> list[int]:
        """Those that the file no longer names."""
        gone: list[int] = []
        for begin in range(0, len(before), EDITED_AT_ONCE):
            gone += [id for id in before[begin : begin + EDITED_AT_ONCE] if id not in ids]
            self._go_on()
        return gone

    def _remove(self, channel_id: str, ids: list[int]) -> int:
        removed = 0
        for begin in range(0, len(ids), EDITED_AT_ONCE):
            removed += self._edits.delete(channel_id, map(str, ids[begin : begin + EDITED_AT_ONCE]))
            self._go_on()
        return removed

    def _said(self, digest: str) -> str:
        """By which it is known that a file, and where its keys lead, is what it was."""
        return sha256(f"{digest} {self._channel.said_urls}".encode()).hexdigest()

    def _go_on(self) -> None:
        """A step is done: it is our turn still, and that of others in this process."""
        self._record.keep_turn()
        self._turns.passed()


def _refuse_nothing(reading: Reading, bad: list[int]) -> None:
    """A file without a key may be one that is about to be written, or no file of keys at all. Raises HoldsNothing."""
    if not reading.data.strip():
        raise HoldsNothing("is empty; its keys stay. To be without any, write a line that begins with #")
    if bad:
        raise HoldsNothing("holds no key: one in a line, of visible ASCII characters; what was read last stays")


def _pieces(lines: Iterator[Line]) -> Iterator[list[Line]]:
    while piece := list(islice(lines, PIECE)):
        yield piece
