"""While the request log is asked, a web process's loop has its turn within milliseconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.servers.gunicorn_worker import GC_THRESHOLD
from app.storage.connections import LOG_DATABASE, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.sql.migrating import bring_up_to_date
from tests.support.databases import sqlite_database
from tests.support.many_rows import fill
from tests.support.turns import least

LATE_MS = 20

ASKS = """
from gevent import monkey; monkey.patch_all()
import gc, glob, sys, time, gevent
from app.certificate_files import CertificateFiles
from app.core.request_log.filters import LogFilter
from app.storage.connections import open_redis
from app.storage.request_log.reading import RequestLog
from app.storage.sql.database import Database
from app.wire.database_url import sqlite_file

def queued_ms():
    "How long threads of ours waited for a processor: that the machine is busy is no fault of ours."
    return sum(int(open(path).read().split()[1]) for path in glob.glob("/proc/self/task/*/schedstat")) / 1e6

gc.freeze()  # as a web process begins
gc.set_threshold(int(sys.argv[3]), 10, 10)
frozen, late, asked = gc.get_freeze_count(), [], False
def tick():
    before = queued_ms()
    while not asked:
        began_s = time.perf_counter()
        gevent.sleep(0.001)
        waited_ms = (time.perf_counter() - began_s) * 1000 - 1
        if waited_ms > 5:
            now = queued_ms()
            waited_ms, before = waited_ms - (now - before), now
        elif len(late) % 20 == 0:
            before = queued_ms()
        late.append(waited_ms)

ticking = gevent.spawn(tick)
log = RequestLog(Database(sqlite_file(sys.argv[2]), CertificateFiles(), open_redis(sys.argv[1])))
assert not [name for name in sys.modules if name.startswith("sqlalchemy")]
for wanted in (LogFilter(), LogFilter(q="abcdef01"), LogFilter(q="nothing of it"), LogFilter(exact=(("model", "no"),))):
    for _ in range(3):
        log.page(wanted, "", 500)
        log.count(wanted)
asked = True
ticking.join()
assert gc.get_freeze_count() > frozen + 10_000, "what was imported is not looked at again"
print(max(late))
"""


@pytest.mark.timing
@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel does not tell who waited how long")
def test_the_loop_goes_on_while_the_log_is_asked(tmp_path: Path, own_server: EmbeddedRedis) -> None:
    """Also while the first question imports SQLAlchemy."""
    database = sqlite_database(tmp_path)
    with open_redis(own_server.url) as client:
        client.set(LOG_DATABASE, bring_up_to_date(database))
    fill(database, 10_000)
    command = [sys.executable, "-c", ASKS, own_server.url, database.url.name, str(GC_THRESHOLD)]
    assert least(lambda: float(subprocess.run(command, check=True, capture_output=True).stdout), LATE_MS) < LATE_MS
    database.close()
