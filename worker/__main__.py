"""`python -m worker`: the second process. An RQ worker that rolls up what the web processes recorded, keeps the
built-in table of prices, and has tasks done by a process of their own.

It outlives Redis: while Redis is away it tries again, and it ends only when it is told to (SIGTERM, SIGINT)
or when Redis is away at its start for longer than 30 s. Any number may run; see worker/ticker.py.
"""

from __future__ import annotations

import argparse
import gc
import logging
import signal
import sys
import time
from functools import partial
from types import FrameType
from typing import Any
from uuid import uuid4

import redis
from rq import SimpleWorker
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from app.config import Config, ConfigError, load_config
from app.core.network.addresses import mask_url
from app.storage.connections import Redis, open_redis, wait_for_redis
from app.storage.keys.encryption import check
from app.storage.refusals import describe
from app.storage.secrets import Secrets
from app.storage.sql.database import WorkerDatabase
from app.telemetry.set_up import set_up_logging
from app.telemetry.standard_error import take_over_stderr
from worker.checks.clock import Clock
from worker.keeper import Keeper
from worker.log_writer import LogWriter
from worker.prices import PriceTableKeeper
from worker.roll_up import prepare, roll_up
from worker.said import SaidSettings
from worker.scheduling import take_long_turns
from worker.tasks.keeper import TasksKeeper
from worker.ticker import QUEUE, Ticker

log = logging.getLogger("worker")

PAUSE_S = 0.5
"""Between two tries to go on after Redis was away."""
WORKER_TTL_S = 30
"""RQ's own measure: it waits for a job at most 15 s less than this, and for an answer of Redis 5 s less."""


class RollUpWorker(SimpleWorker):
    """RQ's worker, made to stand by without the lease and to come back soon after Redis did."""

    max_connection_wait_time = 1.0
    ticker: Ticker
    stops = False

    def check_for_suspension(self, burst: bool) -> None:
        """RQ asks this before it fetches a job. Without the lease this worker does not fetch any."""
        while not self._stop_requested and not self.ticker.holds_lease:
            time.sleep(0.1)

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """What RQ does on SIGTERM: ends a blocking wait at once, or stops after the running job.

        The wait ends by an exception. Whatever swallows that, such as a logging handler or `__del__`, loses no stop.
        """
        self.stops = self._stop_requested = True
        super().request_stop(signum, frame)

    def heartbeat(self, *arguments: Any, **options: Any) -> None:
        """RQ does this before each wait for a job, too, and there looks at no flag."""
        if self.stops and self.get_state() == WorkerStatus.IDLE:
            raise StopRequested
        super().heartbeat(*arguments, **options)

    def subscribe(self) -> None:
        """Not to RQ's remote commands: nobody sends any, and it is one more connection to lose."""


def main() -> int:
    """The process's exit code."""
    gc.set_threshold(50_000, 10, 10)  # SQLAlchemy comes later, and what imports make stays
    argparse.ArgumentParser(prog="python -m worker", description="Rolls up what the web processes saw.").parse_args()
    take_over_stderr()
    take_long_turns()
    try:
        config = load_config()
    except ConfigError as error:
        return _complain(str(error))
    if config.redis_url is None:
        return _complain("The worker needs a Redis: set API_PROXY_REDIS_URL or REDIS_URL, or start python -m app")
    set_up_logging(config.log_level, config.log_format)
    # RQ reports every second of an outage and every job. Our own lines say what matters, once.
    logging.getLogger("rq").setLevel(logging.CRITICAL)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each of its plugins
    _end_on_signals()
    connect = partial(
        open_redis, config.redis_url, tls_verify=config.redis_tls_verify, tcp_keepalive=config.tcp_keepalive
    )
    client = connect()
    try:
        wait_for_redis(client.ping, config.redis_url, log.warning)
        check(client, Secrets(config.encryption_keys))
    except ConfigError as error:
        return _complain(str(error))
    except redis.RedisError as error:
        return _complain(f"Redis at {mask_url(config.redis_url)} {describe(error)}")
    # RQ changes the timeout of the client that it is given; ours keep theirs.
    _serve(client, connect(), config)
    return 0


def _serve(client: Redis, rq_client: Redis, config: Config) -> None:
    """Works until told to stop."""
    prepare(client)
    ticker = Ticker(client, uuid4().hex)
    ticker.start()
    prices = PriceTableKeeper(client)
    prices.start()
    tasks = TasksKeeper(client, config, lambda: ticker.holds_lease)
    tasks.start()
    clock = Clock(client, config, lambda: ticker.holds_lease)
    clock.start()
    database = WorkerDatabase(config.database, config.certificate_files)
    log_writer = LogWriter(client, database, lambda: ticker.holds_lease, SaidSettings(client, config).read)
    log_writer.start()
    keeper = Keeper(client, database, Secrets(config.encryption_keys), lambda: ticker.holds_lease)
    keeper.start()
    log.info("Worker ready")
    try:
        roll_up()  # at once: whatever waited for a worker
        while _work(rq_client, ticker):
            _end_on_signals()
            time.sleep(PAUSE_S)
    finally:
        keeper.stop()
        log_writer.stop()
        clock.stop()
        tasks.stop()
        prices.stop()
        ticker.stop()
        log.info("Worker stopped")
        gc.freeze()  # else Python looks through all there is for cycles before it ends, which takes 0.1 s


def _work(rq_client: Redis, ticker: Ticker) -> bool:
    """Runs RQ's loop until it ends. True when it should be run again."""
    worker = None
    try:
        worker = RollUpWorker([QUEUE], connection=rq_client, serializer=JSONSerializer, worker_ttl=WORKER_TTL_S)
        worker.ticker = ticker
        worker.work(logging_level="CRITICAL")
    except StopRequested:
        pass  # RQ raises it in its signal handler, and beyond its loop, as while it connects anew, does not catch it
    except redis.RedisError as error:
        log.debug("RQ's loop ended and begins anew: %s", error)
        ticker.tell_of(error)
    return worker is None or not worker.stops


def _end_on_signals() -> None:
    """Lets SIGTERM and SIGINT end the process while RQ does not listen to them."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: sys.exit(0))


def _complain(message: str) -> int:
    print(f"worker: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
