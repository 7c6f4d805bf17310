"""What `python -m app` says of its settings and arguments, and what it refuses to start with."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.gateway import free_port
from tests.support.launched import NEEDS_PROC, Launch, ask, project_environ
from tests.support.waiting import wait_until

pytestmark = [NEEDS_PROC, pytest.mark.soak]


def test_the_environment_wins_over_the_env_file(launch: Launch, project: Path) -> None:
    """A variable in the environment counts more than the same one in `.env`; one only there counts too.

    A misspelt name in `.env` is doubted at the start, by one of the processes.
    """
    (project / ".env").write_text("PORT=1\nADMIN_TOKEN=from-the-file\nEGRES_ALLOW=127.0.0.1\n")
    gateway = launch().until_healthy()
    wait_until(lambda: "ADMIN_TOKEN in " + str(project / ".env") in gateway.said(), "the welcome", 20)
    assert "\n  keys        plain in Redis: set ENCRYPTION_KEY, then run `python " in gateway.said()
    assert gateway.stop() == 0
    assert gateway.said().count("EGRES_ALLOW is no setting and is passed over. Is EGRESS_ALLOW meant?") == 1


def test_the_banner_names_the_way_out_and_how_keys_are_stored(launch: Launch) -> None:
    """Whoever starts the gateway sees through which proxy it reaches upstreams; no process says a secret."""
    gateway = launch(HTTPS_PROXY="http://me:hush@proxy.test:3128", ENCRYPTION_KEY="hush too").until_healthy()
    wait_until(lambda: "way out     http://proxy.test:3128 for https://\n" in gateway.said(), "the welcome", 20)
    assert "\n  keys        encrypted with ENCRYPTION_KEY\n" in gateway.said()
    assert gateway.stop() == 0
    assert "hush" not in gateway.said()


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "eighty"), ("WEB_CONCURRENCY", "0"), ("REDIS_URL", "http://x:hush@y"), ("CORS", "maybe")],
)
def test_a_wrong_value_is_named_and_ends_the_start(project: Path, launch: Launch, name: str, value: str) -> None:
    """A variable that cannot be read ends the start with 1 and a line that names it; passwords stay hidden."""
    command = subprocess.run(
        [sys.executable, "-m", "app"],
        cwd=project,
        env=project_environ(project) | {name: value},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert command.returncode == 1
    assert name in command.stderr
    assert "hush" not in command.stderr
    assert "Traceback" not in command.stderr


@pytest.mark.parametrize("program", ["app", "worker"])
def test_asking_for_help_starts_nothing(project: Path, program: str) -> None:
    """`--help` says what the command does; an argument that it does not know ends it with 2."""
    told = ask(project, program, "--help")
    assert (told.returncode, told.stdout.splitlines()[0]) == (0, ask(project, program, "-h").stdout.splitlines()[0])
    assert told.stdout.startswith(f"usage: python -m {program}")
    refused = ask(project, program, "--port=9000")
    assert refused.returncode == 2
    assert "unrecognized arguments: --port=9000" in refused.stderr
    assert not (project / "data").exists()


def test_the_version_is_the_project_s(project: Path) -> None:
    """`--version` says what stands in pyproject.toml, and starts nothing."""
    (project / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    assert ask(project, "app", "--version").stdout == "1.2.3\n"
    assert not (project / "data").exists()


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("nobody.invalid", "HOST=nobody.invalid is no address of this machine. Set HOST to 127.0.0.1"),
        ("203.0.113.7", "Cannot assign requested address. Set HOST to another"),
    ],
)
def test_a_host_that_is_not_here_is_said(project: Path, host: str, says: str) -> None:
    """It is HOST that is to be changed then, and not PORT."""
    told = ask(project, "app", HOST=host)
    assert (told.returncode, "Traceback" in told.stderr) == (1, False)
    assert says in told.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_gunicorn_is_not_told_to_listen_where_host_does_not_say(project: Path, host: str) -> None:
    """Who may see web pages, and who does without a token, is decided by HOST."""
    told = ask(project, "app", GUNICORN_CMD_ARGS=f"--bind [{host}]:0" if ":" in host else f"--bind {host}:0")
    assert (told.returncode, f"Set HOST={host} (and PORT) in place of --bind." in told.stderr) == (1, True)


def test_the_redis_program_may_stand_in_the_env_file(project: Path) -> None:
    """As all settings may."""
    (project / ".env").write_text("REDIS_SERVER_BIN=/nowhere/redis-server\n")
    told = ask(project, "app")
    assert (told.returncode, "REDIS_SERVER_BIN='/nowhere/redis-server' is not a program" in told.stderr) == (1, True)


def test_a_port_in_use_is_said_before_anything_starts(launch: Launch) -> None:
    """With its port taken the start ends with 1 and names the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        gateway = launch(PORT=str(port))
        assert gateway.process.wait(20) == 1
    assert f"PORT={port} cannot be used: Address already in use" in gateway.said()
    assert not gateway.data_dir.exists()


def test_a_redis_that_is_away_is_named_without_its_password(launch: Launch) -> None:
    """With its Redis away the start tries for its patience, then ends with 1; the password stays hidden."""
    url = f"redis://me:hush-hush@127.0.0.1:{free_port()}/0"
    gateway = launch(REDIS_URL=url, REDIS_PATIENCE="1.5")
    assert gateway.process.wait(20) == 1
    said = gateway.said()
    assert "redis://me:***@127.0.0.1" in said
    assert "trying for" in said
    assert "giving up" in said
    assert "hush-hush" not in said
