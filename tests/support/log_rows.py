"""Events of calls, and the request log that a ledger makes of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from app.certificate_files import CertificateFiles
from app.core.request_log.filters import LogFilter
from app.core.request_log.rows import LogRow
from app.core.statistics.events import ApiUse, FailedAttempt, RequestEvent
from app.storage.connections import LOG_WAITING, Redis
from app.storage.request_log.bundles import Bundling, Parts
from app.storage.request_log.kept_row import KeptRow
from app.storage.request_log.waiting import queue_bundles
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.logs.pages import read_page
from app.storage.sql.tables import log_traits, logs
from app.storage.statistics.envelopes import encode, pack
from app.storage.statistics.ledger import Ledger
from app.wire.database_url import sqlite_file
from tests.support.envelopes import send_events
from tests.support.environ import database_of
from tests.support.gateway import GatewayProcess, Reply
from tests.support.waiting import wait_until
from worker.log_writer import LogWriter

NOON_MS = 1_790_000_000_000
ALL = LogFilter()


def mapped(request_id: str = "id", **changes: Any) -> RequestEvent:
    """A call to a mapping: half a second long, begun at noon."""
    event = RequestEvent(request_id, NOON_MS + 500, "/up", "GET", 200, "", 3, 5, 500.0, 100.0, client="192.0.2.1")
    return event._replace(**changes)


def called(request_id: str = "id", *failed: FailedAttempt, use: dict[str, Any] | None = None, **changes: Any) -> Any:
    """A call to channels, of which `failed` are the attempts before the last; `use`: what its ApiUse says."""
    api = ApiUse("second", "sk-2…bbbb", "m", "m-there", "ok", "openai", "", "/v1/chat/completions", "curl/8")
    api.channel_id, api.key_id, api.token_id, api.token = "2", "22", "7", "team"
    api.failed = list(failed)
    for name, value in (use or {}).items():
        setattr(api, name, value)
    event = mapped(request_id, endpoint="/v1", method="POST", attempts=len(failed) + 1, api=api)
    return event._replace(**changes)


def refused(request_id: str = "id", code: str = "budget_exceeded", status: int = 429, **changes: Any) -> RequestEvent:
    """A call to channels for which nobody was asked."""
    api = ApiUse("", "", "m", "", "", "openai", "", "/v1/chat/completions", "curl/8")
    event = mapped(request_id, endpoint="/v1", method="POST", status=status, error_code=code, attempts=0, api=api)
    return event._replace(first_byte_ms=None, duration_ms=1.0, **changes)


def failed_attempt(ended_ms: float, **changes: Any) -> FailedAttempt:
    attempt = FailedAttempt(
        ended_ms, "1", "first", "11", "sk-1…aaaa", "m-here", 429, "rate_limited", "slow down", 50.0, 9
    )
    return attempt._replace(**changes)


def book(client: Redis, *events: RequestEvent, seq: int = 1, process: str = "p", now_ms: int = NOON_MS) -> None:
    """Sends events in one envelope, and rolls up all that waits."""
    send_events(client, process, seq, events)
    roll_up(client, now_ms)


def roll_up(client: Redis, now_ms: int = 0) -> None:
    ledger = Ledger(client)
    while ledger.roll_up(now_ms or time.time_ns() // 1_000_000):
        pass


def wait_in_redis(client: Redis, ids: Sequence[int]) -> None:
    """Has rows with these ids, which follow one another, wait to be written: each of a call `request-<id>`."""
    making = Bundling(ids[0], NOON_MS)
    making.add(pack("p", 1, 0, [encode(mapped(f"request-{id}")) for id in ids]), len(ids))
    queue_bundles(client, making.end(), len(ids))


def kept(client: Redis, wanted: LogFilter = ALL) -> list[KeptRow]:
    """All rows that wait to be written and fit, the latest first."""
    found = [one for rows in Parts(client.lrange(LOG_WAITING, 0, -1)) for one in rows if fits(wanted, one.row)]
    return sorted(found, key=lambda one: (one.row.at_ms, one.id), reverse=True)


def fits(wanted: LogFilter, row: LogRow) -> bool:
    """What a filter means, said once more: by looking at each row."""
    texts = (row.request_id, row.model, row.token, row.client, row.reason, row.path)
    return (
        all(getattr(row, name) == value for name, value in wanted.exact)
        and (not wanted.outcomes or row.outcome in wanted.outcomes)
        and (
            not (wanted.statuses or wanted.classes)
            or row.status in wanted.statuses
            or row.status // 100 in wanted.classes
        )
        and (wanted.stream is None or row.stream is wanted.stream)
        and (wanted.final is None or row.final is wanted.final)
        and (wanted.from_ms is None or row.at_ms >= wanted.from_ms)
        and (wanted.to_ms is None or row.at_ms < wanted.to_ms)
        and any(wanted.q in text.casefold() for text in texts)
    )


class Log:
    """The request log of a gateway, whose worker is the test. No connection to its database outlives a call."""

    def __init__(self, gateway: GatewayProcess, client: Redis) -> None:
        self.gateway = gateway
        self.client = client
        self.database = WorkerDatabase(sqlite_file(str(database_of(gateway.redis_url))), CertificateFiles())
        self._writer = LogWriter(client, self.database, lambda: True)

    def catch_up(self) -> None:
        """All that has ended is counted and written."""
        roll_up(self.client)
        self._writer.work()
        self.database.close()

    @contextmanager
    def caught_up(self) -> Iterator[None]:
        """Again and again meanwhile, for what waits for the worker."""
        stopping = threading.Event()

        def work() -> None:
            while not stopping.wait(0.05):
                self.catch_up()

        worker = threading.Thread(target=work)
        worker.start()
        try:
            yield
        finally:
            stopping.set()
            worker.join()

    def rows(self) -> list[KeptRow]:
        """All that was written, the latest first."""
        rows = self.database.run(lambda one: read_page(one, ALL, None, 100_000), writes=False)
        self.database.close()
        return rows

    def clear(self) -> None:
        """Of all that was written."""
        self.catch_up()
        for table in (logs, log_traits):
            self.database.run(lambda connection, table=table: connection.execute(table.delete()))
        self.database.close()

    def of(self, reply: Reply) -> dict[str, Any]:
        """`/api/logs/<request id>` of a call, as soon as it is there."""
        id = reply.field("x-gateway-request-id")

        def found() -> Reply | None:
            self.catch_up()
            answer = self.gateway.admin("GET", f"/api/logs/{id}")
            return answer if answer.status == 200 else None

        answer: dict[str, Any] = wait_until(found, f"the call {id} is in the log").json()
        return answer

    def list(self, query: str = "") -> dict[str, Any]:
        reply = self.gateway.admin("GET", f"/api/logs{query}")
        assert reply.status == 200, reply.body
        answer: dict[str, Any] = reply.json()
        return answer
