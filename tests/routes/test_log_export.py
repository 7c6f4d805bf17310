"""`/api/logs/export`: all that fits as a file, however long it is and however slowly it is taken."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response

from app.certificate_files import CertificateFiles
from app.core.request_log.filters import LogFilter
from app.core.request_log.shapes import ROW
from app.routes.admin.logs import export
from app.routes.admin.logs.export import PAGE_ROWS, export_answer
from app.storage.connections import LOG_DATABASE, Redis
from app.storage.request_log.kept_row import KeptRow
from app.storage.request_log.reading import RequestLog
from app.storage.sql.database import Database, WorkerDatabase
from app.storage.sql.logs.inserting import insert_rows
from app.storage.sql.migrating import bring_up_to_date
from tests.support.api_calls import Accounts
from tests.support.databases import row, sqlite_database

USAGE = [7, 1, 2, 3, 5, None, "reported", {"seconds": 1.5}]


@pytest.fixture
def worker(tmp_path: Path, own_redis: Redis) -> Iterator[WorkerDatabase]:
    database = sqlite_database(tmp_path)
    own_redis.set(LOG_DATABASE, bring_up_to_date(database))
    yield database
    database.close()


@pytest.fixture
def database(worker: WorkerDatabase, own_redis: Redis) -> Iterator[Database]:
    database = Database(worker.url, CertificateFiles(), own_redis)
    yield database
    database.close()


def put(worker: WorkerDatabase, *rows: KeptRow) -> None:
    worker.run(partial(insert_rows, rows=rows))


def exported(database: Database, format: str, wanted: LogFilter | None = None) -> Response:
    with Flask("test").app_context():
        return export_answer(RequestLog(database), wanted or LogFilter(), format)


def test_a_table_has_all_fields_and_nothing_that_a_spreadsheet_runs(worker: WorkerDatabase, database: Database) -> None:
    """Usage in columns of its own, and an apostrophe before what would be a formula."""
    odd = '=cmd|"/c calc"!A0'
    put(
        worker,
        row(1, usage=USAGE, cost_nano=1_500_000_000, model=odd, reason="two\nlines, and a comma"),
        row(2, usage=None),
    )
    answer = exported(database, "csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="requests-')
    second, first = csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig")))
    usage = {name: text for name, text in first.items() if name.startswith("usage_")}
    assert usage == {
        "usage_input": "7", "usage_cached": "1", "usage_cache_write_5m": "2", "usage_cache_write_1h": "3",
        "usage_output": "5", "usage_reasoning": "", "usage_source": "reported", "usage_other": '{"seconds":1.5}',
    }  # fmt: skip
    fields = [name for name in ROW.fields for name in (usage if name == "usage" else [name])]
    assert list(first) == fields
    assert fields[fields.index("usage_other") + 1] == "cost_usd"
    assert (first["id"], first["model"], first["cost_usd"], first["final"]) == ("1", f"'{odd}", "1.500000", "true")
    assert first["reason"] == "two\nlines, and a comma"
    assert (second["usage_input"], second["usage_source"], second["usage_other"]) == ("", "absent", "")


def test_lines_of_json_say_what_rows_say(worker: WorkerDatabase, database: Database) -> None:
    """With the columns of the table, and null for what is not known."""
    put(worker, row(1, usage=USAGE), row(2, status=0, outcome="timeout"), row(3))
    answer = exported(database, "ndjson", LogFilter(outcomes=frozenset({"ok"})))
    assert answer.headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
    lines = [json.loads(line) for line in answer.get_data().splitlines()]
    assert [line["id"] for line in lines] == ["3", "1"]
    assert (lines[1]["usage_input"], lines[1]["usage_other"], lines[1]["channel"]) == (7, {"seconds": 1.5}, None)
    assert exported(database, "ndjson", LogFilter(q="nowhere")).get_data() == b""


def test_nothing_is_open_and_little_is_held_while_a_client_is_slow(worker: WorkerDatabase, database: Database) -> None:
    """Each page is read when it is wanted; what is written and what goes meanwhile disturbs nobody."""
    count = 3 * PAGE_ROWS + 7
    put(worker, *(row(id) for id in range(1, count + 1)))
    pieces: Iterator[Any] = iter(exported(database, "ndjson").response)
    found = [json.loads(line)["id"] for line in next(pieces).splitlines()]
    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    put(worker, *(row(id) for id in range(count + 1, count + 50)))
    worker.run(lambda one: one.exec_driver_sql("DELETE FROM gateway_logs WHERE id <= 5"))
    for piece in pieces:
        assert len(piece) < 100_000
        assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        found += [json.loads(line)["id"] for line in piece.splitlines()]
    assert found == [str(id) for id in range(count, 5, -1)]


def test_pieces_are_short_steps(worker: WorkerDatabase, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each of which others have their turn."""
    put(worker, *(row(id) for id in range(1, 501)))
    turns: list[None] = []
    monkeypatch.setattr(export, "give_way", lambda: turns.append(None))
    assert len(exported(database, "csv").get_data().splitlines()) == 501
    assert len(turns) == 10


def test_the_log_of_a_gateway_is_exported(accounts: Accounts) -> None:
    """As its admin asks for it; other formats are refused, and nobody else is served."""
    gateway = accounts.gateway
    assert gateway.request("GET", "/api/logs/export").status == 401
    reply = gateway.admin("GET", "/api/logs/export?format=xml")
    assert (reply.status, reply.json()["field"]) == (400, "format")
