"""A clone of the project beside it, in which its verbs may be tried. Import the fixture."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.environ import clean_environ

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.txt", "requirements-compile.txt", "requirements-dev.txt")


def make(*arguments: str, cwd: Path = ROOT, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments],
        cwd=cwd,
        env=clean_environ(**environ),
        capture_output=True,
        text=True,
        timeout=50,
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The project with a virtual environment that counts as installed."""
    clone = tmp_path / "clone"
    clone.mkdir()
    for part in ("app", "worker", "admin_ui", "scripts", "bin"):
        shutil.copytree(ROOT / part, clone / part, ignore=shutil.ignore_patterns("*.pyc.*"))
    for part in ("gunicorn.conf.py", "Makefile", "pyproject.toml", *LOCKS):
        shutil.copy(ROOT / part, clone / part)
    (clone / ".venv/bin").mkdir(parents=True)
    (clone / ".venv/bin/python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (clone / ".venv/bin/python").chmod(0o755)
    for stamp in ("run", "compile", "dev"):
        (clone / f".venv/installed-{stamp}").touch()
    return clone
