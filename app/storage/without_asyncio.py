"""redis-py without its half for asyncio, which nobody here uses and which it imports by itself: 1 MB of each process.

Whoever asks it for anything gets it whole. A module of it is to be imported after that, as it would ask in its turn.
importlib's LazyLoader would not do: the import system itself asks a package for its path.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

NAME = "redis.asyncio"


def put_off_asyncio() -> None:
    """To be called before redis-py is imported; afterwards it does nothing."""
    package = PathFinder.find_spec("redis")
    if NAME in sys.modules or "redis" in sys.modules or package is None:
        return
    spec = PathFinder.find_spec(NAME, package.submodule_search_locations)
    if spec is None or spec.loader is None:
        return
    module, loader = ModuleType(NAME), spec.loader
    module.__spec__, module.__loader__, module.__file__ = spec, loader, spec.origin
    module.__package__, module.__path__ = NAME, list(spec.submodule_search_locations or ())

    def read(name: str) -> Any:
        vars(module).pop("__getattr__", None)
        loader.exec_module(module)
        return getattr(module, name)

    module.__getattr__ = read  # type: ignore[method-assign]
    sys.modules[NAME] = module
