"""What an operator does to what is observed of channels and keys: each act sees all that was done before it, anywhere.

His calls come one by one, and to whichever process has a hand free: what one did must be known to the next.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from app.storage.health.keeper import HealthKeeper
from app.storage.health.observed import Health

LONGEST_S: Final = 1.0
"""So long it is waited for what others stored, and then for what is done here, in a gateway that is very busy."""
_LOOK_S: Final = 0.01


@contextmanager
def shared(keeper: HealthKeeper, health: Health) -> Iterator[None]:
    """What is done within rests on what was stored before, and is stored when it ends. Raises RedisError."""
    keeper.catch_up(LONGEST_S)
    yield
    deadline_s = time.monotonic() + LONGEST_S
    while health.dirty and time.monotonic() < deadline_s:
        time.sleep(_LOOK_S)
