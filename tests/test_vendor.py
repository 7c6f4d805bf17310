"""The libraries of the pages are what the manifest says, and each stands beside its licence."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

PAGES = Path(__file__).resolve().parents[1] / "admin_ui"
VENDOR = PAGES / "vendor"
LIBRARIES = json.loads((VENDOR / "manifest.json").read_text())["libraries"]


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library["npm"])
def test_each_library_is_as_recorded(library: dict) -> None:
    """Every file has the recorded sum, a licence file among them."""
    for name, sha256 in library["files"].items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == sha256, name
    assert any(Path(name).name == "LICENSE" for name in library["files"])
    assert library["version"]
    assert library["licence"]


def test_nothing_is_vendored_unrecorded() -> None:
    """A file that no library of the manifest owns may not lie there."""
    recorded = {name for library in LIBRARIES for name in library["files"]}
    present = {path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file()}
    assert present - {"manifest.json"} == recorded


def test_only_one_file_calls_fetch() -> None:
    """js/api.js is the only door to the server."""
    callers = {path.name for path in (PAGES / "js").rglob("*.js") if re.search(r"\bfetch\(", path.read_text())}
    assert callers == {"api.js"}
