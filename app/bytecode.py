"""Whether a process may go without docstrings (`python -OO`), which is 4 MB less of it.

Bytecode without them is another file. Debian's packages of Python do not have it, and where it cannot be kept each
process would compile a thousand modules when it starts, and stay larger by what that takes.
"""

from __future__ import annotations

import os
import sys
from importlib.util import cache_from_source, find_spec
from pathlib import Path


def without_docstrings() -> dict[str, str]:
    """The environment of a process without docstrings; empty where its bytecode is not there and cannot be kept.

    Only for a process whose libraries were looked at: assertions go, too, and one of RQ's takes its job off a stack.
    """
    flask = find_spec("flask")
    sources = (os.__file__, __file__, flask.origin if flask is not None else None)  # Python's, ours, libraries'
    return {"PYTHONOPTIMIZE": "2"} if all(source is None or _is_kept(source) for source in sources) else {}


def _is_kept(source: str) -> bool:
    file = Path(cache_from_source(source, optimization=2))
    folder = next(parent for parent in file.parents if parent.exists())
    return file.exists() or (not sys.dont_write_bytecode and os.access(folder, os.W_OK))
