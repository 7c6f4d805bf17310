"""Web processes go without docstrings where that does not make each of them compile all that it imports."""

from __future__ import annotations

import os
import sys
from importlib.util import cache_from_source
from pathlib import Path

import flask
import pytest

import app.bytecode
from app.bytecode import without_docstrings

SOURCES = (os.__file__, app.bytecode.__file__, flask.__file__)


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
@pytest.mark.parametrize("writes", [False, True])
def test_docstrings_go_where_bytecode_without_them_is_or_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int, writes: bool
) -> None:
    """Of Python itself, of the libraries and of our own."""
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", not writes)
    for source in SOURCES[:kept]:
        file = Path(cache_from_source(source, optimization=2))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert without_docstrings() == ({"PYTHONOPTIMIZE": "2"} if writes or kept == 3 else {})


def test_what_may_not_be_written_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python's own modules are root's on Debian."""
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert without_docstrings() == {}
