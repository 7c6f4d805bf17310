"""A Redis that is emptied in the midst of something."""

from __future__ import annotations

from typing import Any

from app.storage.keys.stored import StoredKeys

ASKING = frozenset({"look", "since", "_some_ids", "read", "is_lost", "write_aside", "write_back", "end_write_back"})


class EmptiedBefore(StoredKeys):
    """Stored keys whose Redis is emptied before it is asked for the nth time."""

    def __init__(self, stored: StoredKeys, n: int) -> None:
        super().__init__(stored._redis, stored.secrets)
        self.left = n

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name in ASKING:
            self.left -= 1
            if self.left == 0:
                self._redis.flushdb()
        return found
