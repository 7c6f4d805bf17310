"""Whoever has a database of his own keeps everything, though Redis begins empty: as in a Space."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.storage.connections import open_redis
from tests.support.channels import add_channel
from tests.support.databases import copied_version
from tests.support.gateway import GatewayProcess
from tests.support.own_redis import running_redis
from tests.support.waiting import wait_until
from tests.support.worker_process import spawn_worker

KEYS = ["sk-of-the-space-0001", "sk-of-the-space-0002"]


@contextmanager
def deployment(folder: Path, database: Path) -> Iterator[GatewayProcess]:
    """Web, worker and a Redis that began empty, with the database that all of them have had."""
    environ = {"SQLITE_PATH": str(database), "ENCRYPTION_KEY": "k" * 43}
    folder.mkdir()
    with running_redis(folder) as server:
        gateway = GatewayProcess(server.url, environ).start()
        worker = spawn_worker(server.url, **environ)  # later: it would put the copy back, too
        try:
            yield gateway
        finally:
            worker.kill()
            worker.communicate(timeout=20)
            gateway.stop()


@pytest.mark.soak
def test_an_empty_redis_has_all_again(tmp_path: Path) -> None:
    """What was said, keys with it, and the audit; the defaults that an operator deleted are not seeded again."""
    database = tmp_path / "gateway.db"
    with deployment(tmp_path / "a", database) as gateway:
        gateway.admin("DELETE", "/api/mappings/openai")
        gateway.map("/mine", "https://mine.example")
        channel = add_channel(gateway, "kept", keys=KEYS)
        token = gateway.admin("POST", "/api/tokens", {"name": "alice"}).json()["access_token"]
        gateway.admin("PUT", "/api/settings", {"idle_timeout": 61})
        with open_redis(gateway.redis_url) as client:
            wait_until(lambda: copied_version(database) == copied_version(client), "all is copied", timeout_s=20)
    with deployment(tmp_path / "b", database) as gateway:
        mappings = gateway.admin("GET", "/api/mappings").json()["mappings"]
        assert ("/openai" in mappings, mappings["/mine"]) == (False, "https://mine.example")
        [there] = gateway.admin("GET", "/api/channels").json()["channels"]
        assert (there["id"], there["name"], there["created_at_ms"]) == (channel["id"], "kept", channel["created_at_ms"])
        assert gateway.admin("GET", f"/api/channels/{there['id']}/keys/export").body.decode().split() == KEYS
        assert [one["id"] for one in gateway.admin("GET", "/api/tokens").json()["access_tokens"]] == [token["id"]]
        assert gateway.admin("GET", "/api/settings").json()["settings"]["idle_timeout"]["value"] == 61
        wait_until(lambda: gateway.admin("GET", "/api/audit").status == 200, "the worker has prepared the database")
        entries = gateway.admin("GET", "/api/audit?object=mapping%20/mine").json()["entries"]
        assert [entry["action"] for entry in entries] == ["add_mapping"]
        gateway.log_with("Redis held nothing: 1 channel, 2 keys and all else were restored from the database")
