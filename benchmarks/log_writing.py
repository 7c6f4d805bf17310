"""What the request log costs the worker: `python -m benchmarks.log_writing [database url]`.

Calls as they wait in Redis become rows of a database, in batches, with its indexes: of 30 access tokens, each with one
model and a few of the 100 keys that 10 channels have, as conversations keep theirs; one call in fifty failed. Told are
rows for each second of one core, alone and with the statistics that are written with them; the same where every
token uses every key and model; and of SQLite how much room a row takes.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from app.certificate_files import CertificateFiles
from app.core.statistics.events import ApiUse, RequestEvent
from app.core.usage import REPORTED, Usage
from app.storage.request_log.bundles import FULL_ROWS, Bundling, Parts
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.migrating import bring_up_to_date
from app.storage.sql.statistics.writing import Sums
from app.storage.sql.writing import Adder, write
from app.storage.statistics.envelopes import encode, pack
from app.wire.database_url import DatabaseKind, parse_database_url

BUNDLES_AT_ONCE = 5
ROWS = 6 * BUNDLES_AT_ONCE * FULL_ROWS
MODELS = ("claude-sonnet-4-5", "gpt-5.1", "gemini-2.5-pro", "o4-mini")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder}/gateway.db"
        database = WorkerDatabase(parse_database_url(url), CertificateFiles())
        bring_up_to_date(database)
        now_ms, number = time.time_ns() // 1_000_000, 0
        for few in (True, False):
            for adders in ((), (Sums,)):
                calls = [call(now_ms + one // 20, few=few) for one in range(number, number + ROWS)]
                waiting = bundles(calls, number + 1, now_ms)
                number += ROWS
                cpu_s, wall_s = put(database, waiting, adders)
                what = f"{'few' if few else 'many'} combinations, {'log and statistics' if adders else 'log'}"
                print(f"{what}: {ROWS / cpu_s:,.0f} rows a second of one core, {ROWS / wall_s:,.0f} of the clock")
        if database.url.kind is DatabaseKind.SQLITE:
            print(f"a row takes {Path(database.url.name).stat().st_size / number:,.0f} bytes with its indexes")
        database.close()


def bundles(calls: Sequence[RequestEvent], first_id: int, now_ms: int) -> list[bytes]:
    """As the ledger books them."""
    making = Bundling(first_id, now_ms)
    for at in range(0, len(calls), FULL_ROWS):
        some = calls[at : at + FULL_ROWS]
        making.add(pack("p", at + 1, 0, [encode(one) for one in some]), len(some))
    return making.end()


def put(
    database: WorkerDatabase, waiting: Sequence[bytes], adders: Sequence[Callable[[], Adder]]
) -> tuple[float, float]:
    """Seconds of this process's CPU, and of the clock."""
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    for at in range(0, len(waiting), BUNDLES_AT_ONCE):
        database.run(partial(write, parts=Parts(waiting[at : at + BUNDLES_AT_ONCE]), adders=adders))
    return time.process_time() - cpu_s, time.perf_counter() - wall_s


def call(ended_at_ms: int, *, few: bool) -> RequestEvent:
    """One that ends then."""
    token, failed = random.randrange(30), random.random() < 0.02
    spread = random.randrange(5) if few else random.randrange(100)
    key = (token * 7 + spread) % 100
    chosen, model = key // 10, MODELS[token % 4] if few else random.choice(MODELS)
    outcome = "server_error" if failed else "ok"
    api = ApiUse(f"channel-{chosen}", f"sk-{key}…abcd", model, model, outcome, "openai", "", "/v1/chat/completions")
    api.user_agent = "OpenAI/Python 2.8.1"
    api.channel_id, api.key_id, api.token_id, api.token = str(chosen), str(key), str(token), f"team-{token}"
    api.is_stream, api.first_content_ms = True, random.lognormvariate(6.5, 1)
    api.usage = Usage(random.randrange(20_000), 0, 0, 0, random.randrange(2_000), None, REPORTED, {})
    api.cost_nano, api.price_version = random.randrange(10**8), "genai-prices 0.2.3"
    return RequestEvent(
        request_id=f"{ended_at_ms:012x}{random.getrandbits(80):020x}",
        ended_at_ms=ended_at_ms,
        endpoint="/v1",
        method="POST",
        status=503 if failed else 200,
        error_code="",
        request_bytes=random.randrange(50_000),
        response_bytes=random.randrange(50_000),
        duration_ms=random.lognormvariate(8, 1),
        first_byte_ms=random.lognormvariate(6, 1),
        client=f"192.0.2.{token}",
        api=api,
    )


if __name__ == "__main__":
    main()
