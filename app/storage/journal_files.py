"""Where journals are: made for a process that starts, and found when theirs has died."""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from app.core.network.addresses import mask_url
from app.storage.journal import STEP_BYTES, Journal, fill

log = logging.getLogger(__name__)

SUFFIX = ".journal"
ROW_BYTES = 512
"""What a row takes at most on the average: by it the largest file is measured."""
MAX_BYTES = 256 * 1024 * 1024
MAX_LEFT_BEHIND = 64
"""With so many journals in a folder nobody sends them, and no more are made."""
TRIES = 3
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - below it a directory is made that is ours alone


def folder_of(journal_dir: Path | None, data_dir: Path, redis_url: str) -> Path:
    """Where the journals stand that go to one Redis.

    Of its own choice it takes shared memory, because a disk may hold up whoever writes to a file that it has mapped.
    Gateways may share a directory and send what others left there, but not to another Redis.
    """
    shared = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else data_dir / "journal"
    name = sha256(mask_url(redis_url).encode()).hexdigest()[:12]
    return (journal_dir or shared) / f"ai-gateway-{os.getuid()}-{name}"


def create(folder: Path | None, sender: str, max_rows: int) -> Journal:
    """A journal in `folder` for at most `max_rows` rows that wait; in memory alone where that cannot be or is None.

    `sender` is ASCII and new for each journal.
    """
    size = 2 * STEP_BYTES + min(max_rows * ROW_BYTES, MAX_BYTES) // STEP_BYTES * STEP_BYTES
    journal = _create_in(folder, sender, max_rows, size) if folder is not None else None
    if journal is None:
        journal = Journal(sender, mmap.mmap(-1, size), -1, None, max_rows)
        journal.begin()
    return journal


def _create_in(folder: Path, sender: str, max_rows: int, size: int) -> Journal | None:
    try:
        for _ in range(TRIES):
            _make_private(folder)
            if len(list(folder.glob(f"*{SUFFIX}"))) >= MAX_LEFT_BEHIND:
                raise OSError(f"{MAX_LEFT_BEHIND} journals are there already")
            journal = _create_file(folder / f"{sender}{SUFFIX}", sender, max_rows, size)
            if journal is not None:
                return journal
        raise OSError("it is removed while it is made")
    except OSError as error:
        log.warning(
            "No journal in %s: %s. When this process is killed, what it has not sent is not counted: half a "
            "second, and all that waits for Redis. Set JOURNAL_DIR to a directory that it can write to",
            folder,
            error.strerror or error,
        )
    return None


def _make_private(folder: Path) -> None:
    """Anyone can make directories in shared memory, and what a stranger can change there we would send."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or not folder.is_dir() or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise OSError("the directory is not ours alone")


def _create_file(path: Path, sender: str, max_rows: int, size: int) -> Journal | None:
    """None when somebody took the directory or, looking for journals of the dead, the file before it was one."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not fill(fd, 0):
            raise OSError("there is no room")
        os.ftruncate(fd, size)
        journal = Journal(sender, mmap.mmap(fd, size), fd, path, max_rows)
        journal.begin()
        if os.fstat(fd).st_nlink:
            return journal
    except BlockingIOError:
        pass
    except OSError:
        path.unlink(missing_ok=True)
        os.close(fd)
        raise
    os.close(fd)
    return None


def left_behind(folder: Path, ours: Path | None = None) -> Iterator[Journal]:
    """The journals in `folder` whose processes have died, each to be closed before the next is asked for.

    `ours` is that of this process, which need not be looked at.
    """
    names: list[str] = []
    with suppress(OSError):
        names = sorted(os.listdir(folder))
    for name in names:
        path = folder / name
        if not name.endswith(SUFFIX) or path == ours:
            continue
        journal = None
        with suppress(OSError):  # somebody else has just sent and removed it
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                journal = _resume(path, fd)
            finally:
                if journal is None:
                    os.close(fd)
        if journal is not None:
            yield journal


def _resume(path: Path, fd: int) -> Journal | None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None  # its process lives, or somebody else sends it already
    found = os.fstat(fd)
    if found.st_nlink == 0:
        return None
    if found.st_size >= STEP_BYTES:
        journal = Journal("", mmap.mmap(fd, found.st_size), fd, path, 0)
        if journal.resume():
            return journal
        log.warning("%s is no journal that can be read, and is removed", path)
    path.unlink()
    return None
