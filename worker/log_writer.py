"""Writes the request log: rows that wait in Redis go into the SQL database, in batches, by one thread of the worker.

That the database is away, slow or full stops nothing else: rows wait in Redis, and this thread tries again.
Any number of workers may run. The one that holds the lease writes; that no row is written twice is the business of
storage/sql/writing.py.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from app.core.settings import Settings
from app.core.wording import counted
from app.storage.connections import Redis, RedisError
from app.storage.request_log.bundles import Parts
from app.storage.request_log.pruning_orders import PruningOrders
from app.storage.request_log.waiting import WaitingRows
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.errors import DatabaseError

if TYPE_CHECKING:
    from app.storage.request_log.kept_row import KeptRow
    from app.storage.sql.writing import Written

log = logging.getLogger(__name__)

BEGIN_S: Final = 0.5
"""Roll-ups begin first: SQLAlchemy, which is imported then, takes half a second."""
TICK_S: Final = 0.5
BUSY_TICK_S: Final = 2.0
"""Where many rows come, as a transaction costs as much as a thousand."""
BUSY_ROWS_A_S: Final = 100
MOST_ROWS: Final = 20_000
"""After so many the next are written soon: there is an end to what may wait, MOST_WAITING."""
AWAY_S: Final = 5.0
"""Between two tries while the database is away."""


class LogWriter(threading.Thread):
    """A thread of the worker."""

    def __init__(
        self,
        client: Redis,
        database: WorkerDatabase,
        holds_lease: Callable[[], bool],
        settings: Callable[[], Settings] = Settings,
    ) -> None:
        super().__init__(name="log", daemon=True)
        self._waiting = WaitingRows(client)
        self._orders = PruningOrders(client)
        self._database = database
        self._holds_lease = holds_lease
        self._settings = settings
        self._stopping = threading.Event()
        self._is_ready = False
        self._trouble = ""

    def run(self) -> None:
        pause_s = BEGIN_S
        while not self._stopping.wait(pause_s):
            waited_s, pause_s = pause_s, TICK_S
            try:
                if self._holds_lease() and BUSY_ROWS_A_S * waited_s <= self.work() < MOST_ROWS:
                    pause_s = BUSY_TICK_S
            except RedisError:
                self._is_ready = False  # the ticker says so; another Redis may not know the database
            except DatabaseError as error:
                self._is_ready, pause_s = False, AWAY_S
                self._tell(str(error))
            except Exception:
                log.exception("the request log could not be written")
                pause_s = AWAY_S

    def stop(self) -> None:
        """Ends the thread after what it does."""
        self._stopping.set()
        self.join(timeout=5)
        self._database.close()

    def work(self) -> int:
        """Writes all that waits, prunes if that is due. Returns the rows written. Raises RedisError, DatabaseError."""
        from app.storage.sql.migrating import bring_up_to_date
        from worker.log_pruning import LogPruning

        if not self._is_ready:
            self._waiting.tell_database(bring_up_to_date(self._database))
            self._is_ready = True
            self._tell("")
            self._pruning = LogPruning(self._database, self._orders, self._settings)
        rows = 0
        while not self._stopping.is_set():
            written, is_more = self._write_batch()
            rows += written
            if not (self._pruning.step() or is_more):
                break
        return rows

    def _write_batch(self) -> tuple[int, bool]:
        """How many rows it wrote, and whether more wait."""
        bundles = self._waiting.read()
        if not bundles:
            return 0, False
        parts = Parts(bundles)
        written = self._write(parts)
        left = self._waiting.trim(bundles, parts.ids, written.last_id)
        if lost := parts.lost + written.refused:
            log.warning("%s of the request log made no sense and were left out", counted(lost, "row"))
            self._waiting.count_dropped(lost)
        return written.rows, left > 0

    def _write(self, parts: Iterable[Sequence[KeptRow]]) -> Written:
        """Raises DatabaseError. What a row is to blame for stops no other: it is left out where nothing helps."""
        from app.storage.sql.statistics.writing import Sums
        from app.storage.sql.troubles import is_values_fault
        from app.storage.sql.writing import Written, write

        for cuts in (False, True):
            act = partial(write, parts=parts, share=self._settings().log_success_share, adders=[Sums], cuts=cuts)
            try:
                return self._database.run(act)
            except Exception as error:
                if not is_values_fault(error):
                    raise
        rows = [row for part in parts for row in part]
        if len(rows) == 1:
            return Written(0, 0, refused=1)
        half = len(rows) // 2
        first, second = self._write([rows[:half]]), self._write([rows[half:]])
        return Written(max(first.last_id, second.last_id), first.rows + second.rows, first.refused + second.refused)

    def _tell(self, trouble: str) -> None:
        """Says what is wrong once, and again when it is mended; and to web processes for as long as it is."""
        if trouble and trouble != self._trouble:
            log.warning("The request log waits in Redis: %s", trouble)
        if self._trouble and not trouble:
            log.warning("The request log is written again")
        self._trouble = trouble
        try:
            self._waiting.tell_trouble(trouble)
        except RedisError:
            pass  # the ticker says so
