"""Functions of Python as they are without gevent, which puts its own in their place."""

from __future__ import annotations

import sys
from typing import Any


def unpatched(module: str, name: str) -> Any:
    """A function of an imported module; also where gevent has patched it, and where there is no gevent."""
    monkey = sys.modules.get("gevent.monkey")
    return getattr(sys.modules[module], name) if monkey is None else monkey.get_original(module, name)
