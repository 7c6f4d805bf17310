"""How gunicorn serves the gateway. Every figure comes from the environment and `.env`, through app/config.py.

`gunicorn -c gunicorn.conf.py "app:create_app()"` starts the web part alone; Redis must be given by URL then.
The master stays small and unpatched: gevent patches each web process, and a module that took parts of `ssl` before
that (as redis-py does) would keep the unpatched ones.
"""

from __future__ import annotations

import mmap
import os
import signal
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from app.config import ConfigError, load_config  # noqa: E402 - the console script does not look here by itself
from app.core.network.addresses import only_here  # noqa: E402
from app.storage.made_ready import IS_READY, make_ready  # noqa: E402
from app.telemetry.standard_error import in_child, take_over_stderr  # noqa: E402

take_over_stderr()  # the master must not wait for whoever reads its log


def _say(text: str) -> None:
    print(f"gateway: {text}", file=sys.stderr, flush=True)


try:  # not "config": gunicorn takes that name for a setting of its own
    deployment = load_config()
except ConfigError as error:
    _say(str(error))
    sys.exit(1)
for doubt in deployment.doubts:
    _say(doubt)

if deployment.keys_file is not None:
    os.environ.update(deployment.keys_file.told(ROOT))

wsgi_app = "app:create_app()"
chdir = str(ROOT)
proc_name = "ai-api-gateway"

bind = f"[{deployment.host}]:{deployment.port}" if ":" in deployment.host else f"{deployment.host}:{deployment.port}"
workers = deployment.web_concurrency
worker_class = "app.servers.gunicorn_worker.GatewayWorker"
worker_connections = deployment.worker_connections
backlog = 4096

# The master kills what still lives after this. A web process gives its streams less (post_fork): the rest is for what
# comes after them, their settling and the last events.
SETTLE_S = 8
graceful_timeout = deployment.graceful_timeout_s + SETTLE_S
keepalive = deployment.keepalive_s
limit_request_line = 8190  # of gunicorn's own workers, the longest that they take; ours has a bound of its own

# A web process reports to the master each second; one that is silent for so long hangs, and is replaced.
timeout = 60
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - the report must not wait for a disk

# Whom to believe about X-Forwarded-Proto TRUSTED_PROXY_COUNT decides (app/wire/http/forwarded.py), not gunicorn.
forwarded_allow_ips = ""

accesslog = None  # the gateway writes its own
errorlog = "-"
# Its DEBUG prints all its settings at each start and, of its own workers, targets, which may hold keys.
loglevel = deployment.log_level.replace("DEBUG", "INFO").lower()
# gunicorn's own lines look like ours; a web process then sets up the rest (app/telemetry/logs.py).
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"ours": {"()": f"app.telemetry.logs.{deployment.log_format.title()}Formatter"}},
    "handlers": {"stderr": {"class": "app.telemetry.standard_error.SinkHandler", "formatter": "ours"}},
    "root": {"level": deployment.log_level, "handlers": ["stderr"]},
    "loggers": {"gunicorn.error": {"level": loglevel.upper(), "handlers": [], "propagate": True}},
}
control_socket_disable = True  # it would want a writable home directory


def _judge_addresses(addresses: list[Any]) -> None:
    """Ends the process where `--bind` lets others reach what HOST says that only this machine does.

    On HOST depends who sees web pages and who may do without a token.
    """
    for host in (address[0] for address in addresses if isinstance(address, tuple)):
        if only_here(deployment.host) and not only_here(host):
            _say(f"gunicorn is told to listen at {host}, and HOST={deployment.host} says that nobody else reaches us.")
            _say(f"Set HOST={host} (and PORT) in place of --bind.")
            sys.exit(1)


def on_starting(server: Any) -> None:
    """Waits for Redis and seeds it the first time, so that every way to start ends up the same.

    Ends the process with 1 when Redis does not answer in time. `python -m app` has seen to all that itself.
    """
    _judge_addresses(server.cfg.address)
    try:
        if deployment.keys_file is not None:
            deployment.keys_file.check()
    except ValueError as error:
        _say(str(error))
        sys.exit(1)
    server.reloads = mmap.mmap(-1, 1)  # shared with the web processes
    url = deployment.redis_url
    if url is None:
        _say("REDIS_URL is not set. `python -m app` starts the gateway with a Redis of its own.")
        sys.exit(1)
    if IS_READY not in os.environ and in_child(lambda: make_ready(deployment, url, _say)):
        sys.exit(1)


def on_reload(server: Any) -> None:
    """Tells the web processes that new ones take their place."""
    server.reloads[0] = (server.reloads[0] + 1) % 256


STOPS = (signal.SIGTERM, signal.SIGQUIT)
"""What the master sends to a web process that is to end."""


def pre_fork(server: Any, worker: Any) -> None:
    """Keeps a stop from the new process until it has a handler of its own (post_fork).

    The master's, with which it begins, would swallow it, and the master would wait as long as for a stream.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)


os.register_at_fork(after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS))


def post_fork(server: Any, worker: Any) -> None:
    """Sets the web process's own limits, in its own copy of the settings.

    A stop ends it at once until it listens to signals itself.
    """
    for number in STOPS:
        signal.signal(number, lambda _number, _frame: os._exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    worker.cfg.set("graceful_timeout", deployment.graceful_timeout_s)
    worker.head_timeout_s = deployment.head_timeout_s
    worker.client_timeout_s = deployment.client_timeout_s
    worker.has_vanished = deployment.tcp_keepalive.has_vanished
    if worker.cfg.reload:  # it looks where modules were loaded from, and compiled ones were not from their sources
        sources = (*ROOT.glob("app/**/*.py"), *ROOT.glob("admin_ui/**/*.*"))  # the pages' addresses are made at a start
        worker.cfg.set("reload_extra_files", [str(source) for source in sources])
    begun_at = server.reloads[0]
    worker.is_replaced = lambda: server.reloads[0] != begun_at
    for listener in server.LISTENERS:
        deployment.tcp_keepalive.set_on(listener.sock)  # what it accepts has it, too
