"""`python -m app`: the whole gateway by one command.

Starts an embedded Redis (only when no Redis URL is given), the worker (`python -m worker`) and gunicorn, and stops them
in reverse: gunicorn lets its streams end, the worker rolls up what is left, Redis writes it down.

Signals: SIGINT and SIGTERM stop everything in that order, a second one cuts the streams short; SIGHUP makes gunicorn
load its settings anew. When the terminal that we were started in is closed, that is a stop.
A worker or an embedded Redis that dies is started again, each time later; when gunicorn dies everything ends with 1,
so that whoever watches this process (a container engine, systemd) sees it.

The processes are children in groups of their own: a Ctrl-C reaches us alone, and the order is ours.
This process is no web server and imports nothing of gevent, nor redis-py: it stays for as long as the gateway does.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from app import IS_COMPILED
from app.bytecode import without_docstrings
from app.config import ROOT, Config, env_file, load_config
from app.core.network.addresses import mask_url
from app.signals import Interrupted, Signals
from app.storage.embedded import EmbeddedRedis, EmbeddedRedisError, end, spawn
from app.storage.made_ready import IS_READY, make_ready
from app.telemetry.log_sink import sink_of
from app.telemetry.standard_error import in_child, take_over_stderr

WORKER_STOP_S = 20.0
GUNICORN_SLACK_S = 12.0
"""What gunicorn may take beyond the streams' time before it is killed; more than SETTLE_S in gunicorn.conf.py."""

BACKOFF_S = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
"""The pauses before a dead child is started again."""

HINT_S = 1.5
"""How long gunicorn may take to end before it is said how to hurry it."""

STEADY_S = 60.0
"""A child that lived as long starts again with the first pause."""


class StartError(RuntimeError):
    """The gateway cannot start. Its text says why, and what would do; where it has none, that is said already."""


@dataclass(slots=True)
class _Child:
    """A process that is started again when it dies."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes]
    started_at: float
    deaths: int = 0
    due_at: float | None = None

    def tend(self, now: float) -> None:
        """Notices a death, and starts the process again when its pause is over."""
        if self.due_at is None:
            code = self.process.poll()
            if code is not None:
                self._plan(code, now)
        elif now >= self.due_at:
            self.process, self.started_at, self.due_at = self.start(), now, None

    def _plan(self, code: int, now: float) -> None:
        if now - self.started_at > STEADY_S:
            self.deaths = 0
        pause = BACKOFF_S[min(self.deaths, len(BACKOFF_S) - 1)]
        self.deaths, self.due_at = self.deaths + 1, now + pause
        _complain(f"{self.name} ended unexpectedly ({_ending(code)}); starting it again in {pause:g} s")


class Supervisor:
    """The gateway's processes, from `run` to its end."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.signals = Signals()
        # Where the directory that a process starts in is no place to import from (PYTHONSAFEPATH), this one is.
        places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        of_keys = config.keys_file.told(ROOT) if config.keys_file is not None else {}
        self.environ: dict[str, str] = {**os.environ, **of_keys, "PYTHONPATH": os.pathsep.join(places)}
        self.redis: EmbeddedRedis | None = None
        self.tended: list[_Child] = []
        self.gunicorn: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Starts everything, tends it, stops it. Returns the exit code."""
        self.signals.install()
        try:
            self._start()
            return self._tend()
        except Interrupted:
            return 0
        except StartError as error:
            for text in error.args:
                _complain(text)
            return 1
        finally:
            self._stop()

    # Start.

    def _start(self) -> None:
        self.environ["PORT"] = str(free_port(self.config.host, self.config.port))
        try:
            with self.signals.interrupting():
                self._start_redis()
        except EmbeddedRedisError as error:
            raise StartError(str(error)) from None
        self._tend_also("the worker", lambda: self._python("-m", "worker"))
        conf = str(ROOT / "gunicorn.conf.py")
        self.gunicorn = self._python("-m", "gunicorn", "-c", conf, "app:create_app()", more=without_docstrings())

    def _start_redis(self) -> None:
        if self.config.redis_url is not None:
            self._make_ready(self.config.redis_url)
            return
        chosen = {"REDIS_SERVER_BIN": self.config.redis_server_bin or ""}
        server = self.redis = EmbeddedRedis(self.config.data_dir, os.environ | chosen)
        server.start()
        server.wait_until_ready()
        self._make_ready(server.url)
        self.environ["API_PROXY_REDIS_URL"] = server.url
        self._tend_also("the embedded Redis", server.spawn, server.process)

    def _make_ready(self, url: str) -> None:
        """Here, once, rather than by each process in its turn."""
        if in_child(lambda: make_ready(self.config, url, _complain)):
            raise StartError
        self.environ[IS_READY] = "1"

    def _tend_also(
        self, name: str, start: Callable[[], subprocess.Popen[bytes]], process: subprocess.Popen[bytes] | None = None
    ) -> None:
        self.tended.append(_Child(name, start, process or start(), time.monotonic()))

    def _python(self, *arguments: str, more: Mapping[str, str] = MappingProxyType({})) -> subprocess.Popen[bytes]:
        return spawn([sys.executable, *arguments], env={**more, **self.environ}, cwd=ROOT)

    # Run.

    def _tend(self) -> int:
        announced = False
        while True:
            for number in self.signals.taken():
                if number != signal.SIGHUP:
                    return 0
                self._reload()
            now = time.monotonic()
            for child in self.tended:
                child.tend(now)
            if self.gunicorn is None or self.gunicorn.poll() is not None:
                code = self.gunicorn.returncode if self.gunicorn else 1
                _complain(f"the web server ended unexpectedly ({_ending(code)}); stopping everything")
                return 1
            if not announced and (announced := self._answers()):
                sink_of(1).write(self._welcome().encode())
            self.signals.wait(self._until_due(now) if announced else 0.05)

    def _until_due(self, now: float) -> float:
        return min((child.due_at - now for child in self.tended if child.due_at is not None), default=3600.0)

    def _reload(self) -> None:
        if self.gunicorn is not None and self.gunicorn.poll() is None:
            self.gunicorn.send_signal(signal.SIGHUP)

    def _answers(self) -> bool:
        """Whether a web process does. Whatever it says, an HTTP library would stay for this one question."""
        try:
            with socket.create_connection(
                (_reachable(self.config.host), int(self.environ["PORT"])), timeout=1
            ) as asked:
                asked.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return bool(asked.recv(1))
        except OSError:
            return False

    def _welcome(self) -> str:
        host = _reachable(self.config.host)
        base = f"http://{f'[{host}]' if ':' in host else host}:{self.environ['PORT']}"
        data = mask_url(self.config.redis_url) if self.config.redis_url else f"{self.config.data_dir} (embedded Redis)"
        return "\n".join(
            [
                "",
                f"  dashboard   {base}/",
                f"  admin       {base}/admin",
                f"  token       {token_place(self.config, os.environ)}",
                f"  data        {data}",
                f"  keys        {at_rest(self.config)}",
                f"  way out     {str(self.config.forward_proxies) or 'direct'}",
                f"  hot path    {'compiled' if IS_COMPILED else 'interpreted: `make compile` makes calls cheaper'}",
                "  stop        Ctrl-C",
                "",
                "",
            ]
        )

    # Stop.

    def _stop(self) -> None:
        self._stop_gunicorn()
        for child in reversed(self.tended):
            if self.redis is None or child.process is not self.redis.process:
                _end_child(child)
        if self.redis is not None:
            self.redis.stop()

    def _stop_gunicorn(self) -> None:
        if self.gunicorn is None or self.gunicorn.poll() is not None:
            return
        self.signals.taken()
        self.gunicorn.terminate()
        asked_at = time.monotonic()
        hint_at: float | None = asked_at + HINT_S
        deadline = asked_at + self.config.graceful_timeout_s + GUNICORN_SLACK_S
        while self.gunicorn.poll() is None and (now := time.monotonic()) < deadline:
            if self.signals.taken():
                self.gunicorn.send_signal(signal.SIGQUIT)  # asked twice: now
                hint_at = None
            elif hint_at is not None and now >= hint_at:
                _complain("still stopping; Ctrl-C (or SIGTERM) once more cuts the calls in flight")
                hint_at = None
            self.signals.wait((hint_at or deadline) - now)
        if self.gunicorn.poll() is None:
            _complain("the web server does not end; killing it")
            os.killpg(self.gunicorn.pid, signal.SIGKILL)
            self.gunicorn.wait()


def _end_child(child: _Child) -> None:
    if child.process.poll() is None and not end(child.process, WORKER_STOP_S):
        _complain(f"{child.name} did not end within {WORKER_STOP_S:.0f} s and was killed")


def free_port(host: str, port: int) -> int:
    """The port to listen on: `port`, or one that is free when it is 0. Raises StartError when it cannot be had."""
    wanted = socket.AF_INET6 if ":" in host else socket.AF_INET  # as gunicorn takes it
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, wanted, socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except socket.gaierror:
        raise StartError(f"HOST={host} is no address of this machine. Set HOST to 127.0.0.1, or to 0.0.0.0.") from None
    except OSError as error:
        name = "PORT" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "HOST"
        raise StartError(f"HOST={host} PORT={port} cannot be used: {error.strerror}. Set {name} to another.") from None


def token_place(config: Config, environ: Mapping[str, str]) -> str:
    """Where the admin's token stands; never the token itself."""
    file = env_file(environ)
    if config.admin_token is None:
        return f"none yet, so the admin page is shut: set ADMIN_TOKEN in {file}"
    name = config.admin_token_name
    return f"{name} in the environment" if name in environ else f"{name} in {file}"


def at_rest(config: Config) -> str:
    """How keys of channels lie in Redis from now on."""
    if config.encryption_keys and config.encryption_keys[0]:
        return "encrypted with ENCRYPTION_KEY"
    return "plain in Redis: set ENCRYPTION_KEY, then run `python scripts/encrypt_keys.py`"


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - read, not bound


def _ending(code: int) -> str:
    return f"code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def _complain(text: str) -> None:
    print(f"gateway: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """The command. Returns its exit code: 0 after a stop by signal, 1 when something else ended it."""
    parser = argparse.ArgumentParser(
        prog="python -m app",
        description="Starts the gateway: a Redis where none is given, the worker and the web server. Ctrl-C stops it.",
        epilog="It takes no arguments: settings are environment variables or lines in .env; see .env.example.",
    )
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    if parser.parse_args().version:
        import tomllib

        print(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])
        return 0
    take_over_stderr()  # nor does this process wait for whoever reads what it says
    try:
        config = load_config()
        if config.keys_file is not None:
            config.keys_file.check()
    except ValueError as error:  # a ConfigError is one
        _complain(str(error))
        return 1
    return Supervisor(config).run()


if __name__ == "__main__":
    sys.exit(main())
