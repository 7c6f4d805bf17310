"""With another ENCRYPTION_KEY than that of the stored keys nothing starts, whichever way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from app.storage.connections import CHANNEL_KEYS, CHANNEL_KEYS_VERSIONS, CHANNELS_SET, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.keys.encryption import note
from app.storage.secrets import Secrets
from tests.support.environ import clean_environ
from tests.support.gateway import GUNICORN, ROOT, free_port
from tests.support.own_redis import running_redis

OLD = "the old key of the operator"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A Redis that holds an encrypted key of a channel."""
    secrets = Secrets([OLD])
    with running_redis(tmp_path_factory.mktemp("sealed")) as server:
        with open_redis(server.url) as client:
            note(client, secrets)
            client.hset(CHANNEL_KEYS + "1", "1", orjson.dumps({"value": secrets.seal("sk-1", "1")}))
            client.hset(CHANNEL_KEYS_VERSIONS, "1", 1)
            client.hset(CHANNELS_SET, "1", orjson.dumps({"said": {"name": "main"}}))
        yield server


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "-m", "app"],
        [sys.executable, "-m", "worker"],
        GUNICORN,
        [sys.executable, "-c", "from app import create_app; create_app()"],
    ],
    ids=["supervisor", "worker", "gunicorn", "another server"],
)
def test_a_wrong_key_stops_the_start_and_is_told(server: EmbeddedRedis, tmp_path: Path, command: list[str]) -> None:
    environ = clean_environ(
        REDIS_URL=server.url, ENCRYPTION_KEY="the new key", PORT=str(free_port()), JOURNAL_DIR=str(tmp_path)
    )
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.count("ENCRYPTION_KEY does not open the keys of these channels: main (1)") == 1
    assert "the new key" not in ended.stderr
