"""Takes a file of keys: as the process starts, as the file changes, and when somebody asks.

A file that vanishes, that cannot be read or that is being written says nothing: what was read last goes on serving.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from pathlib import Path

from app.storage.connections import RedisError
from app.storage.keys_file.channel import CannotTake
from app.storage.keys_file.file import CannotRead, Mark, NotThere, WatchedFile
from app.storage.keys_file.record import Known
from app.storage.keys_file.taking import TURN_S, HoldsNothing, Taken, Taking
from app.storage.refusals import answer_of

log = logging.getLogger(__name__)

LOOK_S = 2.0
SETTLED_S = 2.0
"""A file that was changed so lately may still be written."""
RESTED_S = 1.5
"""Nor is it written any more if it stays the same for so long."""
START_S = 5.0
"""How long the start of a process waits until the keys are there; where they are very many it goes on without."""
START_LOOK_S = 0.05


class KeysFileKeeper:
    """One for each process: `start` it after any fork."""

    def __init__(self, path: Path, taking: Taking, *, must_be_there: bool = True) -> None:
        """`must_be_there`: somebody misses it also where it never was."""
        self._file = WatchedFile(path)
        self._name = path.name
        self._taking = taking
        self._must_be_there = must_be_there
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._has_begun = threading.Event()
        self._seen: Mark | None = None
        self._seen_s = 0.0
        """When it was seen first."""
        self._taken: Mark | None = None
        """Of the file as it is known to be in Redis."""
        self._has_taken = False
        self._empty: Mark | None = None
        """Of a file that holds no key."""
        self._digest: tuple[Mark | None, str] = (None, "")
        """Of the file as it was read last."""
        self._reported = ""
        """The digest of the file that was told of last."""
        self._told = ""
        self.trouble = ""
        """Why the file as it stands does not count; empty: it does, or there is none that is missed."""
        self._thread = threading.Thread(target=self._watch, name="keys file", daemon=True)

    def start(self) -> None:
        """Begins to watch. Where there is a file it waits for its keys, for a while."""
        is_there = False
        with suppress(CannotRead):
            self._file.mark()
            is_there = True
        self._thread.start()
        if is_there:
            self._has_begun.wait(START_S)

    def stop(self) -> None:
        self._stopping.set()

    def read_again(self) -> str:
        """Takes the file as it stands, whatever was taken before. What to tell of it; empty: there is no file.

        Raises RedisError.
        """
        with self._lock:
            try:
                reading = self._file.read()
                taken = self._taking.take(reading, self._taking.known(), removes=True, patience_s=TURN_S)
            except NotThere as error:
                return f"{self._name} {error}; its keys stay" if self._is_missed else ""
            except (CannotRead, HoldsNothing, CannotTake) as error:
                return self._sentence(error)
            if taken is None:
                return f"{self._name} is being read by another process"
            self._note(reading.mark, is_settled=_is_old(reading.mark))
            return self._report(taken)

    @property
    def _is_missed(self) -> bool:
        return self._must_be_there or self._has_taken

    def _watch(self) -> None:
        ends_s = time.monotonic() + START_S
        while not self._stopping.is_set():
            if self.look() or time.monotonic() > ends_s:
                self._has_begun.set()
            self._stopping.wait(LOOK_S if self._has_begun.is_set() else START_LOOK_S)

    def look(self) -> bool:
        """Takes the file where it says something new. True: nothing more is to be done at once."""
        try:
            with self._lock:
                if is_done := self._look():
                    self._told = ""
                return is_done
        except NotThere as error:
            if self._is_missed:
                self._tell(f"{self._name} {error}; its keys stay until it is back")
            else:
                self.trouble = ""
            return True
        except (CannotRead, HoldsNothing, CannotTake) as error:
            if isinstance(error, HoldsNothing):
                self._empty = self._seen
            self._tell(self._sentence(error))
            return not isinstance(error, CannotRead)
        except RedisError as error:
            if answer := answer_of(error):  # of one that is away the watch of the catalogue says so
                self._tell(f"{self._name} cannot be taken: Redis {answer}")
            return False
        except Exception:
            log.exception("%s could not be taken", self._name)
            return False

    def _look(self) -> bool:
        mark = self._file.mark()
        known = self._taking.known()
        if mark == self._empty:
            return True
        if mark == self._taken and self._taking.is_there(known):
            self.trouble = ""
            return True
        is_settled = self._has_rested(mark) or _is_old(mark)
        if self._has_taken and not is_settled:
            return False
        if self._digest[0] == mark:
            if self._is_taken(mark, known):
                return True
            if self._taking.is_others_turn():
                return False
        reading = self._file.read()
        self._digest = reading.mark if is_settled else None, reading.digest
        if self._is_taken(reading.mark, known):
            return True
        taken = self._taking.take(reading, known, removes=is_settled)
        if taken is None:
            return False
        self._note(reading.mark, is_settled=is_settled)
        if reading.digest != self._reported or taken.added or taken.removed:
            self._report(taken)
        self._reported = reading.digest
        return True

    def _has_rested(self, mark: Mark) -> bool:
        """Whether it stays as it is, by our own clock: the disk's may be another one."""
        if mark != self._seen:
            self._seen, self._seen_s = mark, time.monotonic()
            return False
        return time.monotonic() - self._seen_s >= RESTED_S

    def _is_taken(self, mark: Mark, known: Known) -> bool:
        """Whether Redis has the file as it was read last, by whoever took it."""
        if not self._taking.is_taken(known, self._digest[1]):
            return False
        self._taking.hear()
        self._note(mark, is_settled=self._digest[0] is not None)
        return True

    def _note(self, mark: Mark, *, is_settled: bool) -> None:
        """A file that was changed this moment may change again and bear the same mark: clocks of disks are coarse."""
        self._has_taken, self.trouble = True, ""
        self._taken = mark if is_settled else None

    def _report(self, taken: Taken) -> str:
        text = f"{self._name}: {taken}"
        log.log(logging.WARNING if taken.bad else logging.INFO, "%s", text)
        return text

    def _sentence(self, error: Exception) -> str:
        match error:
            case HoldsNothing():
                return f"{self._name} {error}"
            case CannotTake():
                return str(error)
            case _:
                return f"{self._name} {error}; its keys stay"

    def _tell(self, text: str) -> None:
        """Once for each trouble."""
        if text != self._told:
            log.warning("%s", text)
        self._told = self.trouble = text


def _is_old(mark: Mark) -> bool:
    return time.time_ns() - mark.changed_at_ns > SETTLED_S * 1e9
