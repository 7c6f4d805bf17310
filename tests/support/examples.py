"""How many examples a search for a counterexample tries."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import settings

EVERY = 1 if os.environ.get("ALL_EXAMPLES") else 5


def examples(count: int) -> Callable[[Any], Any]:
    """So many with ALL_EXAMPLES=1, which `.ci/run` sets once; else a fifth of them."""
    return settings(max_examples=count // EVERY)
