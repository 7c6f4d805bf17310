"""What a newcomer does first: what README says to paste, and the verbs around a start."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from tests.support.clone import clone, make
from tests.support.environ import clean_environ
from tests.support.gateway import free_port
from tests.support.upstream import Upstream
from tests.support.waiting import wait_until

__all__ = ["clone"]

ROOT = Path(__file__).resolve().parent.parent
READMES = ("README.md", "README.zh-CN.md")
STRICT_CURL = 'set -e\ncurl() { command curl --silent --show-error --fail-with-body "$@"; }\n'


def blocks(readme: str) -> list[str]:
    """What stands there to be pasted into a shell."""
    return re.findall(r"^```sh\n(.*?)^```", (ROOT / readme).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def answers(port: int) -> bool:
    with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False


@pytest.fixture
def newcomer(clone: Path) -> Iterator[int]:
    """`make run` in a fresh clone; its port."""
    port = free_port()
    environ = clean_environ(EGRESS_ALLOW="127.0.0.1", GATEWAY_ENV_FILE="")
    with (clone / "log").open("wb") as log:
        process = subprocess.Popen(["make", "run", f"PORT={port}"], cwd=clone, env=environ, stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(port) or process.poll() is not None, "it answers", 30)
        yield port
    finally:
        process.terminate()
        process.wait(40)


def paste(block: str, clone: Path, port: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", STRICT_CURL + block.replace("127.0.0.1:8000", f"127.0.0.1:{port}")],
        cwd=clone,
        env=clean_environ(OPENAI_API_KEY="sk-mine"),
        capture_output=True,
        text=True,
        timeout=20,
    )


@pytest.mark.skipif(shutil.which("curl") is None and "CI" not in os.environ, reason="wants curl")
def test_what_readme_says_to_paste_works(clone: Path, newcomer: int) -> None:
    """Every command in README's shell blocks succeeds beside `make run`, twice over, in both languages."""
    upstream = Upstream()
    there = "-H \"Authorization: Bearer $(sed -n 's/^ADMIN_TOKEN=//p' .env)\" http://127.0.0.1:8000/api/mappings/openai"
    channels = "curl -X DELETE -H \"Authorization: Bearer $(sed -n 's/^ADMIN_TOKEN=//p' .env)\" http://127.0.0.1:8000/api/channels/"
    put = f"curl -X PUT -H 'Content-Type: application/json' -d '{{\"target\": \"{upstream.url}\"}}' {there}"
    assert paste(put, clone, newcomer).returncode == 0
    for readme in READMES:
        pasted = [block for block in blocks(readme) if "curl" in block]
        assert len(pasted) == 3
        for block in pasted * 2:
            told = paste(block, clone, newcomer)
            assert told.returncode == 0, f"{block}\n{told.stdout}\n{told.stderr}"
            assert not re.search(r'"error"', told.stdout), told.stdout
            for added in re.findall(r'"channel":\{.*?"id":"(\d+)"', told.stdout):
                assert paste(channels + added, clone, newcomer).returncode == 0
    [first, *_] = upstream.seen
    assert (first.target, first.field("authorization")) == ("/v1/chat/completions", "Bearer sk-mine")
    upstream.close()


@pytest.mark.parametrize("readme", READMES)
def test_what_is_to_be_pasted_suits_every_shell(readme: str) -> None:
    """No comments, which an interactive zsh (macOS) takes for arguments; each verb of make is one of ours."""
    verbs = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for block in blocks(readme):
        assert not re.search(r"(^|\s)#", block), block
    text = (ROOT / readme).read_text(encoding="utf-8")
    theirs = {"build", "tidy", "check"}
    assert set(re.findall(r"(?<=`|\n)make ([a-z-]+)", text)) - theirs <= verbs
    for word in ("git clone", "docker run", *(f"make {verb}" for verb in theirs)):
        assert word in text


def test_clean_leaves_what_cannot_be_made_again(clone: Path) -> None:
    """The environment, the compiled copy and caches go; `.env`, data and sources stay."""
    kept = [clone / ".env", clone / "data/redis/appendonly.aof", clone / "app/__init__.py"]
    gone = [
        clone / "build/compiled/x.so",
        clone / "app/__pycache__/x.pyc",
        clone / ".mypy_cache/x",
        clone / ".coverage",
    ]
    for file in kept + gone:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert make("clean", cwd=clone).returncode == 0
    assert [file.exists() for file in kept] == [True] * len(kept)
    assert [file.exists() for file in [*gone, clone / ".venv"]] == [False] * (len(gone) + 1)


def test_the_image_is_run_with_the_secrets_that_make_run_wrote(clone: Path) -> None:
    """`make docker-run` gives the engine those of the environment or .env by name, so that no list shows them."""
    engine = clone / "engine/docker"
    engine.parent.mkdir()
    engine.write_text('#!/bin/sh\necho "$ADMIN_TOKEN $ENCRYPTION_KEY: $@"\n')
    engine.chmod(0o755)
    path = f"{engine.parent}:{os.environ['PATH']}"
    (clone / ".env").write_text("# The password of /admin.\nADMIN_TOKEN=from-the-file\nENCRYPTION_KEY=new,old\n")
    told = make("docker-run", "ARGS=-e EGRESS_ALLOW=10.0.0.5", cwd=clone, PATH=path).stdout
    assert told.startswith("from-the-file new,old: run ")
    assert told.count("from-the-file") == 1
    for part in (
        "-p 127.0.0.1:8000:8000",
        ":/home/gateway/app/data",
        "-e ADMIN_TOKEN -e ENCRYPTION_KEY -e EGRESS_ALLOW=10.0.0.5 ai-api-gateway",
    ):
        assert part in told
    assert make("docker-run", cwd=clone, PATH=path, ADMIN_TOKEN="mine").stdout.startswith("mine new,old: run ")


def post_compile(clone: Path, path: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(clone / "bin/post_compile")],
        env=clean_environ(PATH=path, **environ),
        capture_output=True,
        text=True,
        timeout=600,
    )


def has_bytecode(folder: Path) -> bool:
    sources = list(folder.rglob("*.py"))
    return all(Path(cache_from_source(one, optimization=level)).is_file() for one in sources for level in ("", "2"))


@pytest.mark.soak
def test_a_heroku_build_goes_on_without_a_compiler(clone: Path, tmp_path: Path) -> None:
    """bin/post_compile ends with 0 and says that the gateway runs interpreted; nothing is installed for it."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("env", "bash", "dirname", "mktemp", "rm"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    (tools / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tools / "python3").chmod(0o755)
    told = post_compile(clone, str(tools))
    assert (told.returncode, told.stdout) == (
        0,
        "The hot path is not compiled. The gateway runs all the same, interpreted.\n",
    )
    assert "there is no C compiler" in told.stderr
    assert not (clone / "build").exists()
    assert has_bytecode(clone / "app")
    assert has_bytecode(clone / "worker")
