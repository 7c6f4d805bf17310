"""What `make run` writes into `.env`, and what it tells the start besides."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.gateway import ROOT


def run(file: Path, environ: dict[str, str]) -> list[str]:
    """The assignments that the script prints."""
    command = [sys.executable, str(ROOT / "scripts/write_env.py")]
    environ = {"PATH": os.environ["PATH"], "GATEWAY_ENV_FILE": str(file), **environ}
    return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout.split()


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
