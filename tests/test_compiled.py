"""The compiled copy of the hot path: made of the very sources that stand here, or not used."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from app.compiled import COPIES, copy_of_sources
from scripts.compile import HOT_PATH

ROOT = Path(__file__).resolve().parents[1]
ASK = "import app, app.wire.http1; print(app.IS_COMPILED, app.wire.http1.__file__)"


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
    assert (is_compiled, Path(file)) == ("False", project / "app/wire/http1.py")


@pytest.mark.skipif(not copy_of_sources().is_dir(), reason="wants a compiled copy: make compile")
def test_a_copy_serves_as_long_as_no_source_changes(project: Path) -> None:
    """A copy of these sources is used; after an edit, even of a comment in another file, it is not."""
    shutil.copytree(COPIES, project / "build/compiled")
    is_compiled, file = asked(project)
    assert is_compiled == "True"
    assert Path(file).is_relative_to(project / "build/compiled")
    with (project / "app/config.py").open("a") as source:
        source.write("# an edit\n")
    assert asked(project) == ["False", str(project / "app/wire/http1.py")]


@pytest.mark.skipif(not copy_of_sources().is_dir(), reason="wants a compiled copy: make compile")
def test_the_tests_run_on_the_copy() -> None:
    """Where there is one, what these tests import is compiled."""
    from app.proxy import exchange

    assert Path(exchange.__file__).suffix == ".so"


@pytest.mark.parametrize("path", HOT_PATH)
def test_no_name_stands_for_two_kinds_of_exceptions(path: str) -> None:
    """Within a function each `except ... as` has a name of its own: mypyc gives a name one type only."""
    for function in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(function, ast.FunctionDef):
            handlers = [node for node in ast.walk(function) if isinstance(node, ast.ExceptHandler)]
            names = Counter(handler.name for handler in handlers if handler.name)
            assert all(count == 1 for count in names.values()), function.name
