"""The calls of this process that have not ended: what is told of them, and how the operator ends one.

Calls themselves only stand in a dictionary; all else is made when it is asked for.
"""

from __future__ import annotations

import time
from typing import Final

import gevent

from app.proxy.api.attempts import Attempts
from app.proxy.api.told import tell_so_far
from app.proxy.call import Call, Calls
from app.storage.statistics.envelopes import encode

_CLOCK_STEP_S: Final = 0.5
"""A smaller change of the clock leaves the times as they were told."""


class RunningCalls:
    """See storage.active.calls.LocalCalls."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._clock_s = time.time() - time.monotonic()

    def count(self) -> int:
        """How many there are."""
        return len(self._calls.running)

    def older_than(self, age_s: float, known: set[str]) -> list[Call]:
        """Those that have gone on for so long and are not among `known`, the oldest first.

        Whoever is known, so is all that came before it; the others are few, and looked for from the newest on.
        """
        latest_s = time.monotonic() - age_s
        found = []
        for call in reversed(self._calls.running):
            if call.started_s > latest_s:
                continue
            if call.request_id in known:
                break
            found.append(call)
        found.reverse()
        return found

    def before(self, place: tuple[int, str], most: int) -> list[Call]:
        """The newest that stand before a place (`place_of`), `most` and those that began in the same millisecond."""
        found: list[Call] = []
        latest_s = (place[0] + 1) / 1000 - self._clock_s
        for call in reversed(self._calls.running):
            if call.started_s > latest_s or self.place_of(call) >= place:
                continue
            if len(found) >= most and self.place_of(call)[0] != self.place_of(found[-1])[0]:
                break
            found.append(call)
        return found

    def place_of(self, call: Call) -> tuple[int, str]:
        """When it came, in ms since the epoch, and its id: by this they are ordered. It stays the same."""
        return int((self._clock_s + call.started_s) * 1000), call.request_id

    def goes_on(self, call: Call) -> bool:
        """Whether it has not ended, and so not told of its end."""
        return call in self._calls.running

    def entry(self, call: Call) -> bytes | None:
        """Its event as it would be if it ended now; None where it has ended, or says what is no text."""
        if not self.goes_on(call):
            return None
        if isinstance(call.asking, Attempts):
            tell_so_far(call, call.asking)
        self._follow_clock()
        now_ms = int((self._clock_s + time.monotonic()) * 1000)
        try:
            return encode(call.event_so_far(now_ms, float(now_ms - self.place_of(call)[0])))
        except TypeError:
            return None

    def end(self, request_id: str) -> bytes | None:
        """Ends the one of this id, in a moment. Its entry, or None: there is none."""
        for call in self._calls.running:
            if call.request_id == request_id:
                entry = self.entry(call)
                gevent.get_hub().loop.run_callback(call.break_in)
                return entry
        return None

    def _follow_clock(self) -> None:
        clock_s = time.time() - time.monotonic()
        if abs(clock_s - self._clock_s) > _CLOCK_STEP_S:
            self._clock_s = clock_s
