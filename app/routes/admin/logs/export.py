"""The request log as a file: read and sent page by page, so a slow client holds neither memory nor a transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import orjson
from flask import Response

from app.core.request_log.filters import LogFilter
from app.core.request_log.shapes import ROW
from app.core.usage import Usage
from app.routes.admin.logs.row_answers import row_answer
from app.storage.request_log.kept_row import KeptRow
from app.storage.request_log.reading import RequestLog
from app.waiting import give_way
from app.wire.csv_files import BOM, write_record

PAGE_ROWS: Final = 500
ROWS_A_STEP: Final = 50
"""Of a table, in about two milliseconds."""
TYPES: Final = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
"""Of a file, by its format."""

_USAGE: Final = tuple(f"usage_{name}" for name in Usage._fields)
COLUMNS: Final = tuple(column for name in ROW.fields for column in (_USAGE if name == "usage" else (name,)))


def export_answer(log: RequestLog, wanted: LogFilter, format: str) -> Response:
    """All rows that fit, the latest first. Raises what RequestLog raises, while nothing is sent yet."""
    pages = _pages(log, wanted)
    first = next(pages)
    name = time.strftime(f"requests-%Y%m%d-%H%M%S.{format}")
    fields = {"Content-Disposition": f'attachment; filename="{name}"'}
    written = _as_csv(first, pages) if format == "csv" else _as_ndjson(first, pages)
    return Response(written, content_type=f"{TYPES[format]}; charset=utf-8", headers=fields)


def _pages(log: RequestLog, wanted: LogFilter) -> Iterator[list[KeptRow]]:
    """One at least. New rows are later than where reading began, so it ends."""
    after = ""
    while True:
        rows, after = log.page(wanted, after, PAGE_ROWS)
        yield rows
        if not after:
            return


def _as_csv(first: list[KeptRow], pages: Iterator[list[KeptRow]]) -> Iterator[bytes]:
    yield BOM + write_record(COLUMNS).encode()
    yield from _steps(first, pages, lambda row: write_record(_cells(row)).encode())


def _as_ndjson(first: list[KeptRow], pages: Iterator[list[KeptRow]]) -> Iterator[bytes]:
    yield from _steps(first, pages, lambda row: orjson.dumps(row) + b"\n")


def _steps(
    first: list[KeptRow], pages: Iterator[list[KeptRow]], write: Callable[[dict[str, Any]], bytes]
) -> Iterator[bytes]:
    for rows in _each(first, pages):
        for begin in range(0, len(rows), ROWS_A_STEP):
            yield b"".join(write(_flat(one)) for one in rows[begin : begin + ROWS_A_STEP])
            give_way()


def _each(first: list[KeptRow], pages: Iterator[list[KeptRow]]) -> Iterator[list[KeptRow]]:
    yield first
    yield from pages


def _flat(kept: KeptRow) -> dict[str, Any]:
    """A row by columns: what it used stands in several."""
    answer = row_answer(kept)
    usage = answer["usage"]
    return {name: usage[name.removeprefix("usage_")] if name in _USAGE else answer[name] for name in COLUMNS}


def _cells(row: dict[str, Any]) -> Iterable[str]:
    for value in row.values():
        if value is None or value == {}:
            yield ""
        elif isinstance(value, str):
            yield value
        else:
            yield orjson.dumps(value).decode()
