"""Uses the compiled copy of the hot path where there is one (scripts/compile.py); else its sources are interpreted.

A copy is taken only if it was made from the very sources that stand here, for this Python: nothing stale is imported,
and an edit takes effect at the next start or reload.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
COPIES = ROOT / "build" / "compiled"
_SUFFIX = EXTENSION_SUFFIXES[0]
"""Names the Python that an extension module is for, such as `.cpython-311-x86_64-linux-gnu.so`."""


def copy_of_sources() -> Path:
    """Where the compiled copy of the present sources is, or would be."""
    from hashlib import sha256  # it brings OpenSSL, which processes without a copy may do without

    digest = sha256(_SUFFIX.encode())
    root = str(ROOT)  # pathlib would take twice as long, in each process of a start
    found = (os.path.join(folder, name) for folder, _, names in os.walk(f"{root}/app") for name in names)
    for path in sorted(path for path in found if path.endswith(".py")):
        with open(path, "rb") as source:
            digest.update(b"%b\0%b\0" % (path.removeprefix(root).encode(), source.read()))
    return COPIES / digest.hexdigest()[:16]


def use_copy() -> bool:
    """Lets imports find the compiled copy first. False when there is none, and all is interpreted."""
    if not COPIES.is_dir():
        return False
    copy = copy_of_sources()
    files = copy.glob(f"**/*{_SUFFIX}")
    modules = {str(file.relative_to(copy)).removesuffix(_SUFFIX).replace("/", "."): file for file in files}
    if modules:
        sys.meta_path.insert(0, _Finder(copy, modules))
    return bool(modules)


def keep_copy() -> bool:
    """For a process forked from one that may use a copy, before it imports the rest: whether that too is compiled.

    False when the sources have changed since, or the copy is gone; then what was not imported yet is interpreted.
    """
    for finder in [finder for finder in sys.meta_path if isinstance(finder, _Finder)]:
        if finder.copy == copy_of_sources() and finder.copy.is_dir():
            return True
        sys.meta_path.remove(finder)
    return False


def is_in_use() -> bool:
    """Whether imports find a compiled copy."""
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)


class _Finder(MetaPathFinder):
    def __init__(self, copy: Path, modules: dict[str, Path]) -> None:
        self.copy = copy
        self._modules = modules

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        location = self._modules.get(name)
        return spec_from_file_location(name, location) if location else None
