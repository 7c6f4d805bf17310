"""Rows on their way to somebody else, in memory that the kernel keeps when their process is killed.

A journal is a file that its process has mapped: to append is to write memory, without a system call, and what is
written there is the kernel's. Whoever finds the journal of a process that has died goes on where that one was
(journal_files.py). Nothing doubles: rows go off in numbered batches, the bounds of a batch stand in the journal before
it is first sent, and until it is confirmed the same batch is given again, to whoever asks. So the receiver can skip
numbers that it has seen.

A living process holds the lock (flock) of its journal. The kernel lets it go however the process ends.

The file: a header, then rows, which go round. A row is its length, a checksum and its bytes, filled up to 8. The
checksum is begun with the row's number, so neither a row that was half written at the kill nor one of an earlier round
is taken for the next. Where it stands, and what is on its way, is told by two claims, written in turn.
What a crash of the whole machine loses, and where the files should be: docs/operations.md.
"""

from __future__ import annotations

import mmap
import os
import time
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple
from zlib import crc32

from app.unpatched import unpatched

STEP_BYTES: Final = 1024 * 1024
"""By so much a journal's file grows when rows wait, and to so much it shrinks when none do."""

_MAGIC: Final = b"rows\x00v1\n"
_HEADER_BYTES: Final = 256
_SENDER_AT: Final = 8
_SENDER_BYTES: Final = 64
_DROPPED_AT: Final = 80
_CLAIMS_AT: Final = (128, 192)
_COUNT: Final = Struct("@Q")  # native, so written at once
_ROW: Final = Struct("=II")
_ROW_HEAD_BYTES: Final = 8
_CLAIM: Final = Struct("=QQQQQQIII")
_CHECK: Final = Struct("=I")
_BACK_TO_START: Final = 0xFFFFFFFF
"""In place of a row's length: the next row stands at the beginning."""


class Batch(NamedTuple):
    """Rows that are sent at once."""

    seq: int
    """1, 2, 3, ... within a journal."""
    dropped: int
    """Rows that were given up since the batch before."""
    rows: list[bytes]


class Journal:
    """One process's rows. storage/journal_files.py makes them."""

    def __init__(self, sender: str, memory: mmap.mmap, fd: int, path: Path | None, max_rows: int) -> None:
        """`fd` is -1 and `path` None for rows that die with their process."""
        self.sender = sender
        self.path = path
        self.claimed_at_ms = 0
        """When the open batch was first given, or the last one confirmed: milliseconds since the epoch."""
        self.dropped = 0
        """Rows that were given up, ever."""
        self._memory = memory
        self._fd = fd
        self._max_rows = max_rows
        self._lock = unpatched("_thread", "allocate_lock")()  # gevent's costs more than all the rest of an append
        self._limit = STEP_BYTES if fd >= 0 else len(memory)
        self._tail = _HEADER_BYTES
        self._next_number = 0
        self._head = _HEADER_BYTES
        self._head_number = 0
        self._version = 0
        self._seq = 0
        self._told = 0
        self._is_open = False
        self._batch_rows = 0
        self._batch_dropped = 0
        self._batch_end = 0

    @property
    def waiting(self) -> int:
        """Rows that are not confirmed."""
        return self._next_number - self._head_number

    @property
    def appended(self) -> int:
        """Rows that were ever taken."""
        return self._next_number

    @property
    def is_open(self) -> bool:
        """True while a batch was given and not confirmed: it may have arrived."""
        return self._is_open

    # Appending. -------------------------------------------------------------------------------------------------

    def append(self, row: bytes) -> bool:
        """Takes a row, which must not be empty. False when there is no room: then it is counted as dropped."""
        size = len(row)
        taken = (_ROW_HEAD_BYTES + size + 7) & ~7
        with self._lock:
            at = self._place(taken) if self._next_number - self._head_number < self._max_rows else -1
            if at < 0:
                self._drop()
                return False
            number = self._next_number
            begin = at + _ROW_HEAD_BYTES
            self._memory[begin : begin + size] = row
            _ROW.pack_into(self._memory, at, size, crc32(row, number & 0xFFFFFFFF))
            self._tail = at + taken
            self._next_number = number + 1
        return True

    def drop(self) -> None:
        """Counts a row that could not be made."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        self.dropped += 1
        if not self._memory.closed:
            _COUNT.pack_into(self._memory, _DROPPED_AT, self.dropped)

    def _place(self, taken: int) -> int:
        """Where so many bytes fit, and a way back to the beginning behind them; -1 for nowhere."""
        at = self._tail
        if at < self._head:
            return at if at + taken + _ROW_HEAD_BYTES <= self._head else -1
        while at + taken + _ROW_HEAD_BYTES > self._limit:
            if not self._grow():
                if _HEADER_BYTES + taken + _ROW_HEAD_BYTES > self._head:
                    return -1
                _ROW.pack_into(self._memory, at, _BACK_TO_START, self._way_back(self._next_number))
                return _HEADER_BYTES
        return at

    @staticmethod
    def _way_back(number: int) -> int:
        return crc32(b"back to the start", number & 0xFFFFFFFF)

    def _grow(self) -> bool:
        """Makes the file larger on the disk: to write to memory that the disk has no room for would kill us."""
        if self._limit + STEP_BYTES > len(self._memory) or not fill(self._fd, self._limit):
            return False
        self._limit += STEP_BYTES
        return True

    # Sending. ---------------------------------------------------------------------------------------------------

    def next_batch(self, most: int) -> Batch | None:
        """The open batch again, else a new one of at most so many rows; None when nothing waits."""
        if not self._is_open:
            count = min(self._next_number - self._head_number, most)
            dropped = self.dropped - self._told
            if not count and not dropped:
                return None
            self._seq += 1
            self._told += dropped
            self._batch_rows, self._batch_dropped = count, dropped
            self._is_open = True
            self._write_claim(self._head, self._head_number)
        rows, self._batch_end = self._read_batch()
        return Batch(self._seq, self._batch_dropped, rows)

    def confirm(self) -> None:
        """The batch that `next_batch` gave has arrived."""
        end = self._batch_end
        with self._lock:
            number = self._head_number + self._batch_rows
            is_empty = number == self._next_number
            if is_empty:
                end = _HEADER_BYTES
            self._is_open = False
            self._batch_rows = self._batch_dropped = 0
            self._write_claim(end, number)  # before its place is used again
            self._head, self._head_number = end, number
            if is_empty:
                self._tail = end
                self._shrink()

    def _read_batch(self) -> tuple[list[bytes], int]:
        """The rows of the open batch, and where they end."""
        rows = []
        at = self._head
        for number in range(self._head_number, self._head_number + self._batch_rows):
            row, at = self._row(at, number)
            if row is None:
                raise ValueError(f"the journal {self.path} is damaged")
            rows.append(row)
        return rows, at

    def _row(self, at: int, number: int) -> tuple[bytes | None, int]:
        """The row of that number, if it stands whole at `at`, and where the next one does."""
        size: int
        check: int
        size, check = _ROW.unpack_from(self._memory, at)
        if size == _BACK_TO_START and check == self._way_back(number):
            at = _HEADER_BYTES
            size, check = _ROW.unpack_from(self._memory, at)
        begin = at + _ROW_HEAD_BYTES
        end = at + ((_ROW_HEAD_BYTES + size + 7) & ~7)
        if not size or end + _ROW_HEAD_BYTES > len(self._memory):
            return None, at
        row = self._memory[begin : begin + size]
        return (row, end) if crc32(row, number & 0xFFFFFFFF) == check else (None, at)

    def _write_claim(self, head: int, head_number: int) -> None:
        self._version += 1
        self.claimed_at_ms = time.time_ns() // 1_000_000
        claim = _CLAIM.pack(
            self._version, self._seq, head, head_number, self._told, self.claimed_at_ms,
            self._batch_rows, self._batch_dropped, self._is_open,
        )  # fmt: skip
        at = _CLAIMS_AT[self._version % 2]
        self._memory[at : at + len(claim) + _CHECK.size] = claim + _CHECK.pack(crc32(claim))

    def _shrink(self) -> None:
        """Gives back what was needed while many rows waited."""
        if self._fd >= 0 and self._limit > STEP_BYTES:
            size = len(self._memory)
            os.ftruncate(self._fd, STEP_BYTES)
            os.ftruncate(self._fd, size)
            self._limit = STEP_BYTES

    # Beginning and end. -----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Makes the file a journal."""
        self._write_claim(self._head, self._head_number)
        self._memory[_SENDER_AT : _SENDER_AT + _SENDER_BYTES] = self.sender.encode().ljust(_SENDER_BYTES, b"\0")
        self._memory[: len(_MAGIC)] = _MAGIC

    def resume(self) -> bool:
        """Takes over what a process that has died left in the file. False when that is damaged."""
        claims = [self._claim(at) for at in _CLAIMS_AT]
        known = [claim for claim in claims if claim is not None]
        if self._memory[: len(_MAGIC)] != _MAGIC or not known:
            return False
        (
            self._version, self._seq, self._head, self._head_number, self._told, self.claimed_at_ms,
            self._batch_rows, self._batch_dropped, is_open,
        ) = max(known)  # fmt: skip
        self._is_open = bool(is_open)
        name = self._memory[_SENDER_AT : _SENDER_AT + _SENDER_BYTES]
        self.sender = name.rstrip(b"\0").decode("ascii", "replace")
        self.dropped = max(self._told, _COUNT.unpack_from(self._memory, _DROPPED_AT)[0])
        at, number = self._head, self._head_number
        if not _HEADER_BYTES <= at <= len(self._memory) - _ROW_HEAD_BYTES:
            return False
        while True:
            row, at = self._row(at, number)
            if row is None:
                break
            number += 1
        self._tail, self._next_number = at, number
        return self.waiting >= self._batch_rows

    def _claim(self, at: int) -> tuple[int, ...] | None:
        claim = self._memory[at : at + _CLAIM.size]
        is_whole = _CHECK.unpack_from(self._memory, at + _CLAIM.size)[0] == crc32(claim)
        return _CLAIM.unpack(claim) if is_whole else None

    def close(self) -> None:
        """Removes the file when nothing waits in it, and its directory with the last; else it is there to be found."""
        self._max_rows = 0
        if self.path is not None and not self.waiting and not self._is_open and self.dropped == self._told:
            self.path.unlink(missing_ok=True)
            with suppress(OSError):  # there are others
                self.path.parent.rmdir()
        self._memory.close()
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def fill(fd: int, at: int) -> bool:
    """Has the disk keep room for a step of the file."""
    try:
        return os.pwrite(fd, bytes(STEP_BYTES), at) == STEP_BYTES
    except OSError:
        return False
