"""What the request log costs the worker: `python -m benchmarks.log_writing [database url]`.

Rows as they wait in Redis go into a database, in batches, with its indexes: of 30 access tokens, each with one model
and a few of the 100 keys that 10 channels have, as conversations keep theirs; one call in fifty failed. Told are
rows for each second of one core, alone and with the statistics that are written with them; the same where every
token uses every key and model; and of SQLite how much room a row takes.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import orjson

from app.certificate_files import CertificateFiles
from app.core.request_log.rows import LogRow
from app.storage.request_log import waiting
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.migrating import bring_up_to_date
from app.storage.sql.statistics.writing import add_rows
from app.storage.sql.writing import Adder, write
from app.wire.database_url import DatabaseKind, parse_database_url
from worker.log_writer import BATCH_ROWS

ROWS = 6 * BATCH_ROWS
MODELS = ("claude-sonnet-4-5", "gpt-5.1", "gemini-2.5-pro", "o4-mini")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder}/gateway.db"
        database = WorkerDatabase(parse_database_url(url), CertificateFiles())
        bring_up_to_date(database)
        now_ms, number = time.time_ns() // 1_000_000, 0
        for few in (True, False):
            for adders in ((), (add_rows,)):
                members = [member(one, now_ms + one // 20, few=few) for one in range(number, number + ROWS)]
                number += ROWS
                cpu_s, wall_s = put(database, members, adders)
                what = f"{'few' if few else 'many'} combinations, {'log and statistics' if adders else 'log'}"
                print(f"{what}: {ROWS / cpu_s:,.0f} rows a second of one core, {ROWS / wall_s:,.0f} of the clock")
        if database.url.kind is DatabaseKind.SQLITE:
            print(f"a row takes {Path(database.url.name).stat().st_size / number:,.0f} bytes with its indexes")
        database.close()


def put(database: WorkerDatabase, members: Sequence[bytes], adders: Sequence[Adder]) -> tuple[float, float]:
    """Seconds of this process's CPU, and of the clock."""
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    for at in range(0, len(members), BATCH_ROWS):
        kept = waiting.unpacked(members[at : at + BATCH_ROWS])
        database.run(partial(write, kept=kept, adders=adders))
    return time.process_time() - cpu_s, time.perf_counter() - wall_s


def member(number: int, at_ms: int, *, few: bool) -> bytes:
    token, failed = random.randrange(30), random.random() < 0.02
    spread = random.randrange(5) if few else random.randrange(100)
    key = (token * 7 + spread) % 100
    chosen, model = key // 10, MODELS[token % 4] if few else random.choice(MODELS)
    row = LogRow(
        at_ms=at_ms,
        request_id=f"{at_ms:012x}{random.getrandbits(80):020x}",
        attempt=1,
        final=True,
        token_id=str(token),
        token=f"team-{token}",
        client=f"192.0.2.{token}",
        method="POST",
        path="/v1/chat/completions",
        channel_id=str(chosen),
        channel=f"channel-{chosen}",
        key_id=str(key),
        key_hint=f"sk-{key}…abcd",
        dialect="openai",
        model=model,
        upstream_model=model,
        status=503 if failed else 200,
        outcome="server_error" if failed else "ok",
        stream=True,
        first_byte_ms=round(random.lognormvariate(6, 1), 1),
        first_content_ms=round(random.lognormvariate(6.5, 1), 1),
        duration_ms=round(random.lognormvariate(8, 1), 1),
        usage=[random.randrange(20_000), 0, 0, 0, random.randrange(2_000), None, "reported", {}],
        cost_nano=random.randrange(10**8),
        price_version="genai-prices 0.2.3",
        request_bytes=random.randrange(50_000),
        response_bytes=random.randrange(50_000),
        user_agent="OpenAI/Python 2.8.1",
        attempts=1,
    )
    return waiting.packed(orjson.dumps(tuple(row)), number + 1)


if __name__ == "__main__":
    main()
