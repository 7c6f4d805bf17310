"""A thread of the worker: what must outlive Redis goes into the SQL database, the audit and a copy of the catalogue.

That the database is away stops nothing else. Any number of workers may run; the one that holds the lease works.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from app.storage.connections import COPY_TROUBLE, Redis, RedisError
from app.storage.copy.following import FollowingCopy
from app.storage.copy.restoring import CopyUnreadable
from app.storage.request_log.waiting import WaitingRows
from app.storage.secrets import Secrets
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.errors import DatabaseError
from worker.audit_writer import AuditWriter

log = logging.getLogger(__name__)

BEGIN_S: Final = 0.5
"""Roll-ups begin first."""
TICK_S: Final = 0.5
TROUBLE_S: Final = 60
"""For how long trouble is believed that nobody tells again."""
AWAY_S: Final = 5.0
"""Between two tries while the database is away."""


class Keeper(threading.Thread):
    def __init__(
        self, client: Redis, database: WorkerDatabase, secrets: Secrets, holds_lease: Callable[[], bool]
    ) -> None:
        super().__init__(name="keeper", daemon=True)
        self._client = client
        self._audit = AuditWriter(client, database)
        self._copy = FollowingCopy(client, database, secrets)
        self._database = database
        self._holds_lease = holds_lease
        self._stopping = threading.Event()
        self._is_ready = False
        self._told, self._tell_at_s = "", 0.0

    def run(self) -> None:
        pause_s = BEGIN_S
        while not self._stopping.wait(pause_s):
            pause_s = TICK_S
            try:
                if self._holds_lease():
                    self.work()
                else:
                    self._copy.forget()
            except RedisError:
                self._copy.forget()  # the ticker says so
            except CopyUnreadable as error:
                pause_s = AWAY_S
                self._tell(str(error))
            except DatabaseError:
                self._copy.forget()
                self._is_ready, pause_s = False, AWAY_S  # the writer of the log says so
            except Exception:
                log.exception("what must outlive Redis could not be kept")
                pause_s = AWAY_S

    def stop(self) -> None:
        """Ends the thread after what it does."""
        self._stopping.set()
        self.join(timeout=5)

    def work(self) -> None:
        """Raises RedisError, DatabaseError."""
        from app.storage.sql.migrating import bring_up_to_date

        if not self._is_ready:
            # Also here: whichever thread makes the tables first, the other meets no error that would have it tell.
            WaitingRows(self._client).tell_database(bring_up_to_date(self._database))
            self._is_ready = True
        self._audit.work()
        self._copy.work()
        self._tell(self._copy.trouble)

    def _tell(self, trouble: str) -> None:
        """Tells web processes why the copy does not follow, for as long as that is so."""
        if trouble and trouble != self._told:
            log.error("%s", trouble)
        if trouble and (trouble != self._told or time.monotonic() >= self._tell_at_s):
            with suppress(RedisError):  # the ticker says so
                self._client.set(COPY_TROUBLE, trouble, ex=TROUBLE_S)
            self._tell_at_s = time.monotonic() + TROUBLE_S / 3
        elif self._told and not trouble:
            self._client.delete(COPY_TROUBLE)
        self._told = trouble
