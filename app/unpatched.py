"""Functions of Python as they are without gevent, and how gevent puts its own in their place."""

from __future__ import annotations

import sys
from typing import Any


def unpatched(module: str, name: str) -> Any:
    """A function of an imported module; also where gevent has patched it, and where there is no gevent."""
    monkey = sys.modules.get("gevent.monkey")
    return getattr(sys.modules[module], name) if monkey is None else monkey.get_original(module, name)


def patch_all() -> None:
    """Has gevent put its functions in the place of Python's.

    At each of 25 steps it would look for plugins, of which we have none, and for that read what all installed packages
    say of themselves: 50 to 80 ms, a fifth of a web process's start.
    """
    from gevent import events, monkey

    events.notify_and_call_entry_points = events.notify
    monkey.patch_all()
