"""A request log of very many rows, as a busy gateway leaves it, written as the worker writes it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path

import orjson

from app.compiled import copy_of_sources
from app.core.request_log.rows import LogRow
from app.storage.request_log.kept_row import KeptRow
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.logs.inserting import insert_rows
from app.storage.sql.migrating import bring_up_to_date
from tests.support.databases import sqlite_database

FIRST_MS = 1_790_000_000_000
STEP_MS = 600
LATE_MS = 30_000
"""Rows come when their calls end, and stand where these began."""
BATCH = 5_000
TOKENS, CHANNELS, KEYS, MODELS = 40, 6, 20, 12
RARE = "channel-of-long-ago"
"""Of a channel that served the first rows alone."""


def many_rows(count: int, seed: int = 14) -> Iterator[list[KeptRow]]:
    """Each token calls a few models, each of these at one channel: of most combinations there is no row.

    Some tokens call much, others hardly. Of a hundred attempts six fail, a part of them in words that nobody repeats.
    """
    chosen = random.Random(seed)
    routes = [
        (token, chosen.randrange(CHANNELS), chosen.randrange(MODELS), chosen.random() < 0.7)
        for token in range(TOKENS)
        for _ in range(4)
    ]
    for begin in range(0, count, BATCH):
        yield [_row(id, routes, chosen) for id in range(begin + 1, min(begin + BATCH, count) + 1)]


def _row(id: int, routes: list[tuple[int, int, int, bool]], chosen: random.Random) -> KeptRow:
    token, channel, model, stream = routes[int(chosen.triangular(0, len(routes), 0))]
    failed = chosen.random() < 0.06
    status, outcome, reason = 200, "ok", ""
    if failed:
        said = f"overloaded, see req_{chosen.randrange(20_000):06}"
        kinds = ((429, "rate_limited", "slow down"), (500, "server_error", said), (401, "invalid_key", "no such key"))
        status, outcome, reason = chosen.choice(kinds)
    key = channel * 100 + chosen.randrange(KEYS)
    at_ms = FIRST_MS + id * STEP_MS - chosen.randrange(LATE_MS)
    row = LogRow(
        at_ms=at_ms,
        request_id=f"{at_ms:012x}{chosen.getrandbits(80):020x}",
        attempt=1,
        final=not failed or chosen.random() < 0.2,
        token_id=str(token),
        token=f"team-{token}",
        client=f"10.0.0.{token % 25}",
        method="POST",
        path="/v1/chat/completions",
        channel_id=RARE if id <= 100 else str(channel),
        channel=f"channel-{channel}",
        key_id=str(key),
        key_hint=f"sk-a…{key:04}",
        dialect="openai" if channel % 2 else "anthropic",
        model=f"model-{model}",
        upstream_model=f"model-{model}-there",
        status=status,
        outcome=outcome,
        reason=reason,
        stream=stream,
        first_byte_ms=100.0,
        first_content_ms=200.0,
        duration_ms=1500.0,
        usage=[100, 0, 0, 0, 200, None, "reported", {}],
        cost_nano=12_345,
        price_version="2026-11",
        request_bytes=1_000,
        response_bytes=5_000,
        user_agent="curl/8",
    )
    return KeptRow(id, row)


def fill(database: WorkerDatabase, count: int) -> list[KeptRow]:
    """Writes so many; the last batch is returned."""
    batch: list[KeptRow] = []
    for batch in many_rows(count):
        database.run(partial(insert_rows, rows=batch))
    return batch


@contextmanager
def kept(folder: Path, count: int) -> Iterator[tuple[WorkerDatabase, KeptRow]]:
    """A database of so many, to be read alone, and the last of them.

    To write a million takes most of a minute. So it stays in the folder, and whoever asks next, with the same sources,
    finds it there.
    """
    sources = sha256(copy_of_sources().name.encode() + Path(__file__).read_bytes()).hexdigest()[:16]
    place = folder / f"{count}-{sources}"
    whole = place / "last.json"
    if not whole.exists():
        for one in folder.iterdir():
            shutil.rmtree(one)
        place.mkdir()
    database = sqlite_database(place)
    try:
        if not whole.exists():
            bring_up_to_date(database)
            id, row = fill(database, count)[-1]
            whole.write_bytes(orjson.dumps([id, *row]))
        id, *values = orjson.loads(whole.read_bytes())
        yield database, KeptRow(id, LogRow(*values))
    finally:
        database.close()
