"""What `make run` writes into `.env`, and what it tells the start besides."""

from __future__ import annotations

import os
import runpy
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from dotenv import dotenv_values

from app.storage.connections import CHANNEL_KEYS, CHANNEL_KEYS_SEALED_BY, CHANNEL_KEYS_VERSIONS, Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from tests.support.gateway import ROOT, free_port
from tests.support.own_redis import running_redis


def run(file: Path, environ: dict[str, str]) -> list[str]:
    """The assignments that the script prints."""
    data = str(file.parent / "data")
    environ = {"PATH": os.environ["PATH"], "GATEWAY_ENV_FILE": str(file), "DATA_DIR": data, **environ}
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as told:
        patch.setattr(sys, "path", [*sys.path])
        for name in [*os.environ]:
            patch.delenv(name)
        for name, value in environ.items():
            patch.setenv(name, value)
        runpy.run_path(str(ROOT / "scripts/write_env.py"), run_name="__main__")
    return told.getvalue().split()


@pytest.mark.parametrize(
    ("before", "environ", "kept"),
    [
        ("PORT=9000", {}, "PORT=9000\n"),
        ("ADMIN_TOKEN=mine\n", {}, "ADMIN_TOKEN=mine\n"),
        ("ADMIN_TOKEN=\n", {"ADMIN_TOKEN": "from-outside"}, "ADMIN_TOKEN=\n"),
    ],
)
def test_the_env_file_keeps_what_is_in_it(tmp_path: Path, before: str, environ: dict[str, str], kept: str) -> None:
    """A token is added only where there is none, after what was there."""
    file = tmp_path / ".env"
    file.write_text(before)
    run(file, environ)
    assert file.read_text().startswith(kept)
    assert ("ADMIN_TOKEN=" in file.read_text().removeprefix(kept)) == (before == "PORT=9000")


@pytest.mark.parametrize(
    ("before", "environ", "opened"),
    [
        ("", {}, True),
        ("", {"HOST": "::1"}, True),
        ("", {"HOST": "[::1]"}, True),
        ("", {"HOST": "127.8.8.8"}, True),
        ("HOST=localhost\n", {}, True),
        ("HOST=0.0.0.0\n", {}, False),
        ("HOST=0.0.0.0\n", {"HOST": "127.0.0.1"}, True),
        ("", {"HOST": "0.0.0.0"}, False),
        ("", {"HOST": "::"}, False),
        ("", {"HOST": "box.example"}, False),
        ("", {"TRUSTED_PROXY_COUNT": "1"}, False),
        ("WEB_PROXY=token\n", {}, False),
        ("", {"WEB_PROXY": "off"}, False),
    ],
)
def test_web_pages_are_open_on_loopback_only(
    tmp_path: Path, before: str, environ: dict[str, str], opened: bool
) -> None:
    """`make run` opens them where nobody else can come and nothing was said of them, and writes nothing of it."""
    file = tmp_path / ".env"
    file.write_text(before)
    assert run(file, environ) == (["WEB_PROXY=open"] if opened else [])
    assert "WEB_PROXY" not in file.read_text().removeprefix(before)


def encryption_key(folder: Path, **environ: str) -> str:
    """That of the file after a run."""
    file = folder / ".env"
    file.touch()
    run(file, environ)
    return dotenv_values(file).get("ENCRYPTION_KEY") or ""


def add_key(client: Redis) -> None:
    client.hset(CHANNEL_KEYS + "1", "1", '{"value":"sk-1"}')
    client.hset(CHANNEL_KEYS_VERSIONS, "1", 1)


def test_an_encryption_key_is_written_once(tmp_path: Path) -> None:
    """It is random, only its owner may read it, and it is never changed."""
    written = encryption_key(tmp_path)
    assert len(written) == 43
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert encryption_key(tmp_path) == written
    (tmp_path / "other").mkdir()
    assert encryption_key(tmp_path / "other") != written


@pytest.mark.parametrize("said", ["mine", "off,old"])
def test_an_encryption_key_that_is_there_stays(tmp_path: Path, said: str) -> None:
    assert encryption_key(tmp_path, ENCRYPTION_KEY=said) == "", "the environment has one"
    (tmp_path / ".env").write_text(f"ENCRYPTION_KEY={said}\n")
    assert encryption_key(tmp_path) == said


def test_none_is_written_beside_keys_that_it_would_not_open(tmp_path: Path, own_server: EmbeddedRedis) -> None:
    """Plain ones stay as they are, and where another gateway encrypts, one of our own would part the two."""
    with open_redis(own_server.url) as client:
        client.flushall()
        add_key(client)
        assert encryption_key(tmp_path, REDIS_URL=own_server.url) == ""
        client.flushall()
        client.sadd(CHANNEL_KEYS_SEALED_BY, "01234567")
        assert encryption_key(tmp_path, REDIS_URL=own_server.url) == ""
        client.flushall()
        client.hset(CHANNEL_KEYS_VERSIONS, "1", 1)
        assert encryption_key(tmp_path, REDIS_URL=own_server.url) != "", "keys that were deleted are none"


def test_none_is_written_while_nobody_tells_what_is_stored(tmp_path: Path) -> None:
    assert encryption_key(tmp_path, REDIS_URL=f"redis://127.0.0.1:{free_port()}") == ""


def test_the_embedded_redis_is_asked_what_it_holds(tmp_path: Path) -> None:
    """It is started to look and stopped again; while a gateway leads it nothing is written."""
    with running_redis(tmp_path / "data") as server, open_redis(server.url) as client:
        add_key(client)
        assert encryption_key(tmp_path) == ""
    assert encryption_key(tmp_path) == ""
    with running_redis(tmp_path / "data") as server, open_redis(server.url) as client:
        client.delete(CHANNEL_KEYS + "1")
        client.sadd(CHANNEL_KEYS_SEALED_BY, "01234567")
    assert encryption_key(tmp_path) != "", "nothing is stored, and nobody else is there"
    assert not server.socket.exists()
