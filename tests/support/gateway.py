"""A gateway as it is deployed: gunicorn with its configuration file, in processes of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from app.storage.made_ready import IS_READY
from tests.support.environ import clean_environ
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "app:create_app()"]
SERVERS = {
    "": GUNICORN,
    "gevent": [*GUNICORN, "-k", "gevent"],
    "uwsgi": [str(Path(sys.executable).parent / "uwsgi"), "--ini", "deploy/uwsgi.ini"],
}
"""How the gateway is started: under our own worker class, gunicorn's `gevent` one, uWSGI."""
ADMIN_TOKEN = "test-admin-token-0123456789"
made_ready: set[str] = set()
"""URLs of Redis servers that are made ready. Gateways on them are told so, as `python -m app` tells its own: they start
in four fifths of the time."""
FIRST_PORT, PORTS_OF_A_WORKER = 10_000, 2_500
"""Below the range that Linux takes for connections: no one's call gets a port between its choice and its use."""


def free_port() -> int:
    """A port that nobody listens at. Test processes that run side by side (pytest-xdist) never get the same."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
    first = FIRST_PORT + worker * PORTS_OF_A_WORKER
    while True:
        try:
            with socket.create_server(("127.0.0.1", first + secrets.randbelow(PORTS_OF_A_WORKER))) as listener:
                return int(listener.getsockname()[1])
        except OSError:
            pass  # somebody listens there


@dataclass
class Reply:
    status: int
    reason: str
    fields: list[tuple[str, str]]
    body: bytes

    def field(self, name: str) -> str | None:
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class GatewayProcess:
    """A gateway on a free port, with the given environment over defaults fit for tests.

    Its server is gunicorn with our own worker class, unless the environment's TEST_SERVER names another.
    """

    redis_url: str
    environ: dict[str, str] = field(default_factory=dict)
    admin_token: str = ADMIN_TOKEN
    server: str = os.environ.get("TEST_SERVER", "")
    """One of SERVERS."""
    root: Path = ROOT
    """Where its sources are."""
    log_to: int | None = None
    """A file descriptor for its log; None: a file, which `read_log` reads."""

    def __post_init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> GatewayProcess:
        environ = clean_environ(REDIS_URL=self.redis_url) | {
            "PORT": str(self.port),
            "HOST": "127.0.0.1",
            "ADMIN_TOKEN": self.admin_token,
            "EGRESS_ALLOW": "127.0.0.0/8,::1/128",
            "WEB_CONCURRENCY": "1",
            "PYTHONOPTIMIZE": "2",
            "PYTHONWARNINGS": "error",
            "JOURNAL_DIR": f"/tmp/gateway-test-{self.port}-journals",
            **({IS_READY: "1"} if self.redis_url in made_ready else {}),
            **self.environ,
        }
        self.log = open(f"/tmp/gateway-test-{self.port}.log", "w+b")  # noqa: SIM115 - closed by stop()
        command = SERVERS[self.server]
        log = self.log if self.log_to is None else self.log_to
        self.process = subprocess.Popen(command, cwd=self.root, env=environ, stdout=log, stderr=log)
        try:
            wait_until(self._is_up, "the gateway answers", timeout_s=60)
        except BaseException as error:
            error.add_note(self.read_log())
            self.stop()
            raise
        return self

    def _is_up(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the gateway ended with {self.process.returncode}")
        try:
            return self.request("GET", "/health").status == 200
        except OSError:
            return False

    # --- its log ---

    def read_log(self) -> str:
        """The log's whole lines now. A thread writes them, a moment late: tests judge what the following three give."""
        text = Path(self.log.name).read_text(errors="replace")
        return text[: text.rfind("\n") + 1]

    def log_with(self, *texts: str) -> str:
        """The log, once it holds all of these."""
        wait_until(lambda: all(text in self.read_log() for text in texts), f"the log says {texts}")
        return self.read_log()

    def settled_log(self, *texts: str) -> str:
        """The log, once it holds these and all that the one web process said before this.

        A process's lines come in their order, so the line of a call that is made now is the last.
        """
        assert self.environ.get("WEB_CONCURRENCY", "1") == "1", "each process has a thread of its own: use final_log"
        self.map("/settled", f"http://127.0.0.1:{free_port()}")
        call = self.request("GET", "/settled/").field("x-request-id")
        self.admin("DELETE", "/api/mappings/settled")
        return self.log_with(*texts, f"{call}")

    def final_log(self) -> str:
        """All that it said. Ends it first."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=20)
        return self.read_log()

    def worker_pids(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=20)
        finally:
            self.process.kill()
            self.log.close()
            Path(self.log.name).unlink(missing_ok=True)
            shutil.rmtree(f"/tmp/gateway-test-{self.port}-journals", ignore_errors=True)

    # --- asking it ---

    def connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def raw(self, request: bytes) -> bytes:
        """Everything that comes back for these bytes until the gateway closes, which it must."""
        with self.connect() as sock:
            sock.sendall(request)
            return receive_all(sock)

    def request(self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, target, body=body, headers=headers or {})
            response = connection.getresponse()
            return Reply(response.status, response.reason, response.getheaders(), response.read())
        finally:
            connection.close()

    def admin(self, method: str, path: str, body: Any = None) -> Reply:
        headers = {"Authorization": f"Bearer {self.admin_token}", "Content-Type": "application/json"}
        return self.request(method, path, None if body is None else json.dumps(body), headers)

    def map(self, prefix: str, target: str) -> None:
        """Makes `prefix` lead to `target`, in every process by the time this returns for one process."""
        reply = self.admin("POST", "/api/mappings", {"prefix": prefix, "target": target})
        if reply.status == 400 and b"exists" in reply.body:
            reply = self.admin("PUT", f"/api/mappings{quote(prefix)}", {"target": target})
        assert reply.status in (200, 201), reply.body


def receive_all(sock: socket.socket) -> bytes:
    data = b""
    try:
        while piece := sock.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def error_of(reply: http.client.HTTPResponse | object) -> tuple[int, str]:
    error = reply.json()["error"]  # type: ignore[attr-defined]
    assert set(error) == {"message", "type", "code", "request_id"}
    assert reply.field("x-request-id") == error["request_id"]  # type: ignore[attr-defined]
    return reply.status, error["code"]  # type: ignore[attr-defined]


@contextlib.contextmanager
def begin(gateway: GatewayProcess, target: str) -> Iterator[http.client.HTTPResponse]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)) as connection:
        connection.request("GET", target)
        with connection.getresponse() as response:
            yield response
