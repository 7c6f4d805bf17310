"""Room for one call or attempt among those that are limited."""

from __future__ import annotations

from app.storage.limits.minutes import Counted, Minutes
from app.storage.limits.slots import Slot


class Place:
    """Among those at once, those of a minute, or both."""

    __slots__ = ("_counted", "_minutes", "_slot")

    def __init__(self, slot: Slot | None, counted: Counted | None, minutes: Minutes) -> None:
        self._slot = slot
        self._counted = counted
        self._minutes = minutes

    def release(self) -> None:
        """It is over. Never waits, never fails, and does nothing the second time."""
        if self._slot is not None:
            self._slot.release()

    def cancel(self) -> None:
        """It did not begin after all, so it counts for no minute either."""
        self.release()
        counted, self._counted = self._counted, None
        if counted is not None:
            self._minutes.cancel(counted)
