"""What docs/from_gpt_load.md promises: a keys.txt beside the Makefile, `make run`, and the calls are served."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.support.api_calls import good
from tests.support.clone import clone
from tests.support.environ import clean_environ
from tests.support.gateway import ROOT, free_port
from tests.support.upstream import Upstream
from tests.support.waiting import wait_until

__all__ = ["clone"]

KEYS = ["sk-proj-one-0123456789", "sk-proj-two-0123456789"]
STRICT = 'set -e\ncurl() { command curl --silent --show-error --fail-with-body "$@"; }\n'
AS_OPERATORS = {"GATEWAY_ENV_FILE": "", "KEYS_FILE": ""}
"""As they are for somebody who has said nothing of them."""


def blocks() -> list[str]:
    """What stands there to be pasted into a shell."""
    page = (ROOT / "docs/from_gpt_load.md").read_text(encoding="utf-8")
    return re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def paste(block: str, clone: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", STRICT + block],
        cwd=clone,
        env=clean_environ(**AS_OPERATORS),
        capture_output=True,
        text=True,
        timeout=50,
    )


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream(handler=good)
    yield server
    server.close()


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("curl") is None and "CI" not in os.environ, reason="wants curl")
def test_what_the_page_says_to_paste_works(clone: Path, upstream: Upstream) -> None:
    """From the file to the verbs; the same AUTH_KEY, and none that was there is written over."""
    port = free_port()
    env = f"PORT={port}\nOPENAI_BASE_URL={upstream.url}\nEGRESS_ALLOW=127.0.0.1\n"
    (clone / ".env").write_text(env)
    (clone / "keys.txt").write_text("# mine\n" + "\n".join(KEYS))
    begin, calls = blocks()
    for _ in range(2):
        assert paste(begin.replace("make run", ""), clone).returncode == 0
    assert (clone / ".env").read_text() == f"{env}AUTH_KEY=sk-the-token-of-my-clients\n"
    with (clone / "log").open("wb") as log:
        environ = clean_environ(**AS_OPERATORS)
        process = subprocess.Popen(["make", "run"], cwd=clone, env=environ, stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(port) or process.poll() is not None, "it answers", 30)
        pasted = paste(calls.replace(":8000", f":{port}"), clone)
        told = (clone / "log").read_text(errors="replace")
        assert pasted.returncode == 0, pasted.stdout + pasted.stderr + told
        assert "keys.txt: 2 keys: 2 added, 0 removed" in told
        assert '"content": "hi"' in pasted.stdout
        assert '"totalKeys": 2' in pasted.stdout
        assert upstream.seen[0].field("authorization") in {f"Bearer {key}" for key in KEYS}
        assert not [key for key in KEYS if key in told]
    finally:
        process.terminate()
        process.wait(40)


def answers(port: int) -> bool:
    with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", "/health")
            return bool(json.loads(connection.getresponse().read())["keys"]["total"])
        except OSError:
            return False


@pytest.mark.parametrize("command", [["-m", "app"], ["-m", "gunicorn", "-c", "gunicorn.conf.py", "app:create_app()"]])
def test_a_file_that_is_named_must_be_there(command: list[str], tmp_path: Path) -> None:
    """Else the start is refused, in a sentence that says what to do."""
    environ = clean_environ(
        KEYS_FILE=str(tmp_path / "none.txt"), REDIS_URL="redis://127.0.0.1:1", PORT=str(free_port())
    )
    ended = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=50
    )
    assert ended.returncode == 1
    assert f"gateway: KEYS_FILE: there is no {tmp_path}/none.txt: make it, with one key a line" in ended.stderr


def test_compose_and_the_image_leave_keys_outside() -> None:
    """No image and no commit holds them; what the compose file says of a mount is what the page says."""
    assert "/keys.txt" in (ROOT / ".gitignore").read_text().splitlines()
    assert "keys" not in (ROOT / ".dockerignore").read_text()
    compose, page = (ROOT / "docker-compose.yml").read_text(), (ROOT / "docs/from_gpt_load.md").read_text()
    for text in (compose, page):
        assert "KEYS_FILE=/home/gateway/keys/keys.txt" in text
        assert "/keys:/home/gateway/keys:ro" in text
    yaml = pytest.importorskip("yaml")
    lines = re.sub(r"^    # (- \./keys)", r"    \1", compose, flags=re.MULTILINE)
    for name in ("web", "worker"):
        assert yaml.safe_load(lines)["services"][name]["volumes"][-1] == "./keys:/home/gateway/keys:ro"
