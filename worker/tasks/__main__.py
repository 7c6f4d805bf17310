"""`python -m worker.tasks`: the tasks process. `python -m worker` starts it when a task waits; see keeper.py.

It is apart from the roll-up, which must run every second, and patched by gevent, for it asks upstreams as a web process
does. It ends when it has had nothing to do for a while, when it is told to (SIGTERM), and when its standard input
closes: the other end is its worker's, whatever becomes of that.
"""

from __future__ import annotations

from app.unpatched import patch_all

patch_all()

import gc  # noqa: E402 - what is imported from here on is to be patched
import logging  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from dataclasses import replace  # noqa: E402

import gevent  # noqa: E402
from gevent.event import Event  # noqa: E402
from rq import SimpleWorker  # noqa: E402
from rq.exceptions import StopRequested  # noqa: E402
from rq.serializers import JSONSerializer  # noqa: E402

from app.config import Config, ConfigError, load_config  # noqa: E402
from app.gateway import build_gateway  # noqa: E402
from app.storage.connections import Redis, RedisError, open_redis  # noqa: E402
from app.telemetry.set_up import set_up_logging  # noqa: E402
from app.telemetry.standard_error import take_over_stderr  # noqa: E402
from worker.tasks.keeper import QUEUE  # noqa: E402
from worker.tasks.runner import Runner, prepare  # noqa: E402

log = logging.getLogger("worker.tasks")

IDLE_S = 90.0
"""Without a task the process ends after about this long: its memory is worth more than the second of its start. So what
the clock has done each minute finds it still there."""
NICE = 10
"""Calls and roll-ups go first."""
PAUSE_S = 0.5
READABLE = 1
"""As libev says it. Nobody writes to our standard input, so then its other end has closed."""
WORKER_TTL_S = 30


class TasksWorker(SimpleWorker):
    """RQ's worker in a greenlet of its own: signals are the process's business, and a full house fetches no job."""

    max_connection_wait_time = 1.0
    runner: Runner

    def check_for_suspension(self, burst: bool) -> None:
        while self.runner.is_full:
            time.sleep(0.1)

    def _install_signal_handlers(self) -> None:
        pass

    def subscribe(self) -> None:
        """Not to RQ's remote commands: nobody sends any."""


def main() -> int:
    """The process's exit code."""
    take_over_stderr()
    os.nice(NICE)
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopping.set)
    workers_end = gevent.get_hub().loop.io(sys.stdin.fileno(), READABLE)
    workers_end.start(stopping.set)
    try:
        config = load_config()
    except ConfigError as error:  # of a file that was changed since the worker's start
        print(f"worker.tasks: {error}", file=sys.stderr)
        return 1
    set_up_logging(config.log_level, config.log_format)
    logging.getLogger("rq").setLevel(logging.CRITICAL)
    _serve(config, sys.argv[1] if len(sys.argv) > 1 else "", stopping)
    return 0


def _serve(config: Config, name: str, stopping: Event) -> None:
    """Works until told to stop, or until there has been nothing to do for a while."""
    gateway = build_gateway(replace(config, enable_stats=False))
    gateway.catalog.start()
    gateway.engine.admission.start()
    gateway.engine.tokens.start()  # who counts minutes, for channels, too
    runner = prepare(gateway, name)
    runner.start()
    assert config.redis_url is not None  # noqa: S101 - build_gateway asks for it
    client = open_redis(config.redis_url, tls_verify=config.redis_tls_verify, tcp_keepalive=config.tcp_keepalive)
    jobs = gevent.spawn(_fetch_jobs, client, runner, stopping)
    try:
        while not stopping.wait(PAUSE_S):
            if runner.is_idle and time.monotonic() - runner.idle_since_s > IDLE_S:
                stopping.set()
    finally:
        runner.stop()
        jobs.kill(StopRequested, timeout=1)
        gateway.stop()
        gc.freeze()  # else Python looks through all there is for cycles before it ends


def _fetch_jobs(client: Redis, runner: Runner, stopping: Event) -> None:
    """RQ's loop, again and again: it ends whenever Redis is away."""
    while not stopping.is_set():
        try:
            worker = TasksWorker([QUEUE], connection=client, serializer=JSONSerializer, worker_ttl=WORKER_TTL_S)
            worker.runner = runner
            worker.work(logging_level="CRITICAL")
        except StopRequested:
            return
        except RedisError as error:
            log.debug("RQ's loop ended and begins anew: %s", error)
        except Exception:
            log.exception("RQ's loop ended and begins anew")
        stopping.wait(PAUSE_S)


if __name__ == "__main__":
    sys.exit(main())
