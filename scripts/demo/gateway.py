"""A whole gateway for the demo, `python -m app` with data of its own, and the calls of many days in it."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from app.config import ROOT
from app.core.statistics.events import RequestEvent
from app.storage.connections import Redis, open_redis
from app.storage.embedded import embedded_url
from app.storage.request_log.waiting import trouble_of_log
from app.storage.statistics.envelopes import backlog, encode, pack, push

AT_ONCE = 500
MOST_WAITING = 20_000
"""Events that the worker has not booked yet, and rows of the log that are not in the database."""
START_S = 30.0


class DemoGateway:
    def __init__(self, data_dir: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.admin_token = secrets.token_hex(16)
        self._data_dir = data_dir
        environ = {"PATH": os.environ["PATH"], "HOME": str(data_dir)} | {
            "PORT": str(port), "HOST": "127.0.0.1", "DATA_DIR": str(data_dir), "ADMIN_TOKEN": self.admin_token,
            "ENCRYPTION_KEY": secrets.token_hex(32), "EGRESS_ALLOW": "127.0.0.0/8", "WEB_CONCURRENCY": "2",
            "GATEWAY_ENV_FILE": os.devnull, "KEYS_FILE": "off", "LOG_LEVEL": "WARNING", "TZ": "UTC",
        }  # fmt: skip
        self._process = subprocess.Popen([sys.executable, "-m", "app"], cwd=ROOT, env=environ)
        try:
            self._until_healthy()
        except BaseException:  # Ctrl-C, too
            self.stop()
            raise

    def say(self, method: str, path: str, body: Any = None) -> Any:
        """What the admin API answers."""
        request = urllib.request.Request(f"{self.url}{path}", method=method)  # noqa: S310 - it is our own
        request.add_header("Authorization", f"Bearer {self.admin_token}")
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{method} {path}: {error.read().decode()}") from None

    def remember(self, events: Iterable[RequestEvent]) -> int:
        """Has the worker book them, as it books those of web processes. Returns how many."""
        waiting: list[bytes] = []
        process, seq, many = f"demo-{secrets.token_hex(4)}", 0, 0
        with open_redis(embedded_url(self._data_dir)) as client:

            def send() -> None:
                nonlocal seq, many
                seq, many = seq + 1, many + len(waiting)
                push(client, pack(process, seq, 0, waiting), len(waiting))
                waiting.clear()

            for event in events:
                waiting.append(encode(event))
                if len(waiting) == AT_ONCE:
                    send()
                    while _waiting(client) > MOST_WAITING:
                        time.sleep(0.1)
            send()
            while _waiting(client):
                time.sleep(0.1)
        return many

    def wait(self) -> None:
        self._process.wait()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=60)
        finally:
            self._process.kill()

    def _until_healthy(self) -> None:
        deadline = time.monotonic() + START_S
        while True:
            if self._process.poll() is not None:
                raise SystemExit(f"the gateway ended with {self._process.returncode}")
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=2) as answer:  # noqa: S310
                    if answer.status == HTTPStatus.OK:
                        return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise SystemExit(f"the gateway did not answer within {START_S:g} s")
            time.sleep(0.1)


def _waiting(client: Redis) -> int:
    return backlog(client) + trouble_of_log(client).waiting
