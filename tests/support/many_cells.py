"""Statistics of a month of a busy gateway, as its worker would have left them."""

from __future__ import annotations

import random
from typing import Any

from app.core.request_log.rows import LogRow
from app.core.statistics.sums.cells import HOUR_MS, MINUTE_MS, Cell, Dimensions, fold, together
from app.core.statistics.sums.vectors import BINS, MINUTES
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.statistics import tables

CHANNELS, MODELS, TOKENS = 50, 20, 20
SHAPES = 200
"""So many different cells are made; each hour counts these in many places."""


def fill(database: WorkerDatabase, begin_ms: int, hours: int, cells_an_hour: int, seed: int = 14) -> None:
    """Each hour counts other cells of all that there can be; a few hold most calls."""
    chosen = random.Random(seed)
    keys = [
        Dimensions(str(channel), str(token), "", str(channel * 10), f"model-{model}", "openai")
        for channel in range(CHANNELS)
        for model in range(MODELS)
        for token in range(TOKENS)
    ]
    shapes = [_shape(chosen) for _ in range(SHAPES)]
    ids = [key.id for key in keys]
    names = [
        (id, begin_ms + hours * HOUR_MS, *key, key.channel_id, key.token_id, "")
        for id, key in zip(ids, keys, strict=True)
    ]
    _insert(database, tables.cells, names)
    for hour in range(hours):
        at_ms = begin_ms + hour * HOUR_MS
        first = at_ms // MINUTE_MS * 2
        told = [
            (*cell.numbers, bins, MINUTES.packed({first + number: count for number, count in cell.minutes.items()}))
            for cell, bins in shapes
        ]
        _insert(database, tables.hours, [(at_ms, id, *told[id % SHAPES]) for id in chosen.sample(ids, cells_an_hour)])


def _shape(chosen: random.Random) -> tuple[Cell, bytes]:
    """What one cell of an hour holds, which begins with the epoch; and its bins, packed."""
    usage = [1000, 200, 0, 0, 500, None, "reported", {}]
    rows = [
        LogRow(
            chosen.randrange(HOUR_MS),
            "",
            1,
            True,
            outcome="ok" if chosen.random() < 0.95 else "timeout",
            duration_ms=chosen.lognormvariate(8, 1),
            first_byte_ms=chosen.lognormvariate(6, 1),
            first_content_ms=chosen.lognormvariate(6, 1),
            usage=usage,
            cost_nano=1_234_567,
        )
        for _ in range(min(500, int(chosen.paretovariate(1))))
    ]
    whole = together(*(cell for cells in fold(rows).values() for cell in cells.values()))
    return whole, BINS.packed(whole.bins)


def _insert(database: WorkerDatabase, table: Any, rows: list[tuple[Any, ...]]) -> None:
    signs = ", ".join("?" * len(table.c))
    statement = f"INSERT INTO {table.name} VALUES ({signs})"
    database.run(lambda connection: connection.exec_driver_sql(statement, rows))
