"""The house holds: imports run downwards only, and the ground floors do no I/O."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ["wire", "core", "storage", "telemetry", "proxy", "gateway", "routes", "__init__"]
"""From the ground up. `config` is a leaf that any floor from the gateway up may read; `servers` know only `wire`."""

PURE = {"wire", "core"}
IMPURE_MODULES = {"socket", "ssl", "time", "os", "threading", "gevent", "redis", "requests", "flask", "subprocess"}
ONLY_IN = {"requests": {"proxy"}, "redis": {"storage"}, "flask": {"routes", "__init__"}, "rq": set()}


def modules() -> list[Path]:
    return sorted((ROOT / "app").rglob("*.py"))


def floor_of(path: Path) -> str:
    parts = path.relative_to(ROOT / "app").parts
    return parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Dotted names imported at run time (not under TYPE_CHECKING)."""
    names: set[str] = set()
    tree = ast.parse(path.read_text())
    skipped = {
        id(node)
        for guard in ast.walk(tree)
        if isinstance(guard, ast.If) and isinstance(guard.test, ast.Name) and guard.test.id == "TYPE_CHECKING"
        for node in ast.walk(guard)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_downwards(path: Path) -> None:
    """A floor imports only itself and floors below it."""
    floor = floor_of(path)
    if floor not in FLOORS:
        return
    for name in imports(path):
        if name.startswith("app."):
            other = name.split(".")[1]
            if other in FLOORS:
                assert FLOORS.index(other) <= FLOORS.index(floor), f"{path.name} of {floor} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_ground_floors_are_pure(path: Path) -> None:
    """wire and core import nothing that does I/O or reads a clock."""
    if floor_of(path) in PURE:
        assert not {name.split(".")[0] for name in imports(path)} & IMPURE_MODULES


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_foreign_packages_have_one_door(path: Path) -> None:
    """requests, redis and flask are each imported on their own floor only."""
    floor = floor_of(path)
    for package, floors in ONLY_IN.items():
        if package in {name.split(".")[0] for name in imports(path)}:
            assert floor in floors, f"{path.name} imports {package}"


@pytest.mark.parametrize("path", sorted((ROOT / "app" / "servers").glob("*.py")), ids=lambda path: path.name)
def test_the_servers_know_nothing_of_the_gateway(path: Path) -> None:
    """They could serve any WSGI application: of ours they import only their own parts, wire and waiting."""
    ours = {name for name in imports(path) if name.startswith("app.")}
    assert all(name.startswith(("app.wire.", "app.waiting.", "app.client_gone.", "app.servers.")) for name in ours)


def test_the_application_never_imports_the_worker() -> None:
    """worker imports app; app never imports worker."""
    for path in modules():
        assert not any(name.split(".")[0] == "worker" for name in imports(path)), path
