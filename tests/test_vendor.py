"""The libraries of the pages, and of their tests, are what manifests say, and each stands beside its licence."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

PAGES = Path(__file__).resolve().parents[1] / "admin_ui"
FOLDERS = (PAGES / "vendor", Path(__file__).parent / "browser" / "axe")


def libraries(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "manifest.json").read_text())["libraries"]
    return found


@pytest.mark.parametrize(
    ("folder", "library"),
    [(folder, library) for folder in FOLDERS for library in libraries(folder)],
    ids=lambda one: one.name if isinstance(one, Path) else one["npm"],
)
def test_each_library_is_as_recorded(folder: Path, library: dict[str, Any]) -> None:
    """Every file has the recorded sum, a licence file among them."""
    for name, sha256 in library["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256, name
    assert any(Path(name).name == "LICENSE" for name in library["files"])
    assert library["version"]
    assert library["licence"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_nothing_is_vendored_unrecorded(folder: Path) -> None:
    """A file that no library of the manifest owns may not lie there."""
    recorded = {name for library in libraries(folder) for name in library["files"]}
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert present - {"manifest.json"} == recorded


def test_only_one_file_calls_fetch() -> None:
    """js/api.js is the only door to the server."""
    callers = {path.name for path in (PAGES / "js").rglob("*.js") if re.search(r"\bfetch\(", path.read_text())}
    assert callers == {"api.js"}
