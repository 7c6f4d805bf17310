"""The compiled copy of the hot path: made of the very sources that stand here, or not used."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.compiled import COPIES, copy_of_sources
from scripts.compile import HOT_PATH
from tests.support.gateway import GatewayProcess
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[1]
WANTS_COPY = pytest.mark.skipif(not copy_of_sources().is_dir(), reason="wants a compiled copy: make compile")
ASK = "import app, app.wire.http.http1; print(app.IS_COMPILED, app.wire.http.http1.__file__)"


def asked(project: Path) -> list[str]:
    run = subprocess.run([sys.executable, "-c", ASK], cwd=project, capture_output=True, text=True, check=True)
    return run.stdout.split()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The sources, without a compiled copy."""
    shutil.copytree(ROOT / "app", tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_without_a_copy_the_sources_are_interpreted(project: Path) -> None:
    """Nothing need be compiled for the gateway to run."""
    is_compiled, file = asked(project)
    assert (is_compiled, Path(file)) == ("False", project / "app/wire/http/http1.py")


@WANTS_COPY
def test_a_copy_serves_as_long_as_no_source_changes(project: Path) -> None:
    """A copy of these sources is used; after an edit, even of a comment in another file, it is not."""
    shutil.copytree(COPIES, project / "build/compiled")
    is_compiled, file = asked(project)
    assert is_compiled == "True"
    assert Path(file).is_relative_to(project / "build/compiled")
    with (project / "app/config.py").open("a") as source:
        source.write("# an edit\n")
    assert asked(project) == ["False", str(project / "app/wire/http/http1.py")]


@WANTS_COPY
def test_the_tests_run_on_the_copy() -> None:
    """Where there is one, what these tests import is compiled."""
    from app.proxy.upstream import exchange

    assert Path(exchange.__file__).suffix == ".so"


NEW_SOURCE = """        if upstream.port == 1:
            raise AddressRefused(502, "edited", "")
        try:
            return self._dialer"""


def told_by(gateway: GatewayProcess) -> str:
    try:
        return str(gateway.request("GET", "/nobody").json()["error"]["code"])
    except OSError:
        return "nothing: it reloads"


@pytest.fixture
def compiled_gateway(project: Path, redis_url: str) -> Iterator[Callable[..., GatewayProcess]]:
    """Starts a gateway from the project's own sources and their compiled copy."""
    shutil.copytree(COPIES, project / "build/compiled")
    shutil.copy(ROOT / "gunicorn.conf.py", project)
    shutil.copytree(ROOT / "admin_ui", project / "admin_ui")
    started: list[GatewayProcess] = []

    def start(**environ: str) -> GatewayProcess:
        process = GatewayProcess(redis_url, environ, server="", root=project).start()
        started.append(process)
        process.log_with("the hot path is compiled")
        process.map("/nobody", "http://127.0.0.1:1")
        return process

    yield start
    for process in started:
        process.stop()


@WANTS_COPY
@pytest.mark.parametrize("told", ["by a signal", "by --reload"])
def test_a_reload_runs_the_new_sources(
    compiled_gateway: Callable[..., GatewayProcess], project: Path, told: str
) -> None:
    """A web process that starts after an edit runs the edited source, although its master had loaded the copy."""
    gateway = compiled_gateway(GUNICORN_CMD_ARGS="--reload" if told == "by --reload" else "")
    source = project / "app/proxy/upstream/transport.py"
    source.write_text(source.read_text().replace("        try:\n            return self._dialer", NEW_SOURCE, 1))
    if told == "by a signal":
        gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: told_by(gateway) == "edited", "the edit has taken effect")


@WANTS_COPY
def test_a_copy_that_goes_takes_no_gateway_with_it(
    compiled_gateway: Callable[..., GatewayProcess], project: Path
) -> None:
    """When the copy is gone, as it is once newer sources were compiled, a web process that is replaced still starts."""
    gateway = compiled_gateway()
    shutil.rmtree(project / "build/compiled")
    [before] = gateway.worker_pids()
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: told_by(gateway) == "upstream_unreachable", "there is another web process")
    assert gateway.worker_pids() != [before]


def test_a_copy_is_of_one_python() -> None:
    """Another Python's copy does not pass for this one's, so that it is compiled anew."""
    of_another = "import app.compiled as c; c._SUFFIX = '.cpython-399.so'; print(c.copy_of_sources())"
    run = subprocess.run([sys.executable, "-c", of_another], cwd=ROOT, capture_output=True, text=True, check=True)
    assert Path(run.stdout.strip()) != copy_of_sources()


def test_no_name_stands_for_two_kinds_of_exceptions() -> None:
    """Within a function each `except ... as` has a name of its own: mypyc gives a name one type only."""
    for path in HOT_PATH:
        for function in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(function, ast.FunctionDef):
                handlers = [node for node in ast.walk(function) if isinstance(node, ast.ExceptHandler)]
                names = Counter(handler.name for handler in handlers if handler.name)
                assert all(count == 1 for count in names.values()), (path, function.name)
