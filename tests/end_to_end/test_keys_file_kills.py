"""kill -9 of all web processes while they take a file of very many keys."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.gateway import GatewayProcess
from tests.support.own_redis import running_redis
from tests.support.waiting import wait_until

LINES = 20_000


@pytest.mark.soak
def test_no_key_is_there_twice_and_none_is_lost(tmp_path: Path) -> None:
    """Whoever comes after takes what is left, and what a kill left of the file that was there before."""
    file = tmp_path / "keys.txt"
    keys = [f"sk-proj-{number:040}" for number in range(LINES)]

    def total() -> int:
        with suppress(OSError):
            return int(gateway.request("GET", "/health").json()["keys"]["total"])
        return -1

    with running_redis(tmp_path / "redis") as redis:
        file.write_text("sk-old\n")
        gateway = GatewayProcess(redis.url, {"KEYS_FILE": str(file), "WEB_CONCURRENCY": "2"}).start()
        try:
            assert total() == 1
            file.write_text("\n".join(keys))
            for there in (LINES // 4, LINES // 2):
                wait_until(lambda: total() > there, "a part of them is there", 60)  # noqa: B023 - asked at once
                for pid in gateway.worker_pids():
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            wait_until(lambda: total() == LINES, "all of them are there, and no other", 60)
            [channel] = gateway.admin("GET", "/api/channels").json()["channels"]
            exported = gateway.admin("GET", f"/api/channels/{channel['id']}/keys/export").body.decode().split()
            assert exported == keys
        finally:
            gateway.stop()
