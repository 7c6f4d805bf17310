"""The limits of channels and of their keys over all processes: attempts at once, and attempts a minute.

Where no limit is set nobody is asked and nothing is remembered.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from app.core.channels.keys import Key
from app.core.choosing.standing import Full
from app.core.model import Channel
from app.storage.keys.pool import Turn
from app.storage.limits.minutes import Counted, Minutes
from app.storage.limits.places import Place
from app.storage.limits.slots import Slots

CONCURRENCY = "concurrency"
REQUESTS_PER_MINUTE = "requests_per_minute"
BUSY_S = 0.1
"""How long a key whose attempts at once were all taken is passed over."""
SEARCH_S = 0.05
"""How long a call looks for a key with room, where Redis must be asked for each; it knows of those that were asked."""


class Taken(NamedTuple):
    """A key, and room for an attempt with it."""

    key: Key
    place: Place


class _FullKeys:
    """Keys of one channel that were found to be full."""

    __slots__ = ("all_until_s", "limit", "until_s")

    def __init__(self) -> None:
        self.until_s: dict[str, float] = {}
        self.all_until_s = 0.0
        self.limit = CONCURRENCY
        """Of the last one."""


class ChannelLimits:
    """One for each process."""

    def __init__(self, slots: Slots, minutes: Minutes) -> None:
        self._slots = slots
        self._minutes = minutes
        self._none = Place(None, None, minutes)
        self._full_keys: dict[str, _FullKeys] = {}

    def take_channel(self, channel: Channel, wait_s: float = 0.0) -> Place | Full:
        """Room in the channel, or what is full. Waits at most `wait_s` for attempts of others to end."""
        if not (channel.max_concurrency or channel.requests_per_minute):
            return self._none
        return self._take(f"channel:{channel.id}", channel.max_concurrency, channel.requests_per_minute, wait_s)

    def take_key(self, channel: Channel, turn: Turn) -> Taken | Full | None:
        """The next key of a call that has room; what is full when it had fit keys, and none of those has; else None."""
        if not (channel.key_max_concurrency or channel.key_requests_per_minute):
            key = turn.next()
            return Taken(key, self._none) if key is not None else None
        full: Full | None = None
        ends_s = time.monotonic() + SEARCH_S
        known = self._full_keys.get(channel.id)
        if known is None:
            known = self._full_keys.setdefault(channel.id, _FullKeys())
        while (key := turn.next()) is not None:
            now_s = time.monotonic()
            if known.until_s.get(key.id, 0.0) > now_s:
                full = full or Full(known.limit, _until_ms(known.limit, known.until_s[key.id] - now_s))
                continue
            if now_s > ends_s:
                break
            limits = (channel.key_max_concurrency, channel.key_requests_per_minute)
            place = self._take(f"key:{key.id}", *limits, 0.0)
            if isinstance(place, Place):
                known.until_s.pop(key.id, None)
                return Taken(key, place)
            full = place
            left_s = (place.until_ms - time.time() * 1000) / 1000 if place.until_ms else BUSY_S
            known.until_s[key.id], known.limit = time.monotonic() + left_s, place.limit
        return full

    def take_both(self, channel: Channel, key_id: str) -> tuple[Place, Place] | Full:
        """Room in the channel and for this key of it, or what is full."""
        place = self.take_channel(channel)
        if isinstance(place, Full) or not (channel.key_max_concurrency or channel.key_requests_per_minute):
            return place if isinstance(place, Full) else (place, self._none)
        own: Place | Full | None = None
        try:
            own = self._take(f"key:{key_id}", channel.key_max_concurrency, channel.key_requests_per_minute, 0.0)
        finally:
            if not isinstance(own, Place):
                place.cancel()
        return (place, own) if isinstance(own, Place) else own

    def full(self, channel: Channel, fit_keys: int) -> Full | None:
        """What is known here to have no room, of the channel or of all its fit keys. Nobody is asked."""
        if channel.max_concurrency and self._slots.is_full(f"channel:{channel.id}", channel.max_concurrency):
            return Full(CONCURRENCY)
        if channel.requests_per_minute:
            left_s = self._minutes.full_s(f"minute:channel:{channel.id}", channel.requests_per_minute)
            if left_s > 0:
                return Full(REQUESTS_PER_MINUTE, _until_ms(REQUESTS_PER_MINUTE, left_s))
        known = self._full_keys.get(channel.id)
        if known is None or not fit_keys or len(known.until_s) < fit_keys:
            return None
        now_s = time.monotonic()
        if now_s >= known.all_until_s:
            known.until_s = {key_id: until_s for key_id, until_s in known.until_s.items() if until_s > now_s}
            if len(known.until_s) < fit_keys:
                return None
            known.all_until_s = min(known.until_s.values())
        return Full(known.limit, _until_ms(known.limit, known.all_until_s - now_s))

    def _take(self, name: str, at_once: int, a_minute: int, wait_s: float) -> Place | Full:
        slot = None
        if at_once:
            slot = self._slots.acquire(name, at_once, wait_s)
            if slot is None:
                return Full(CONCURRENCY)
        if not a_minute:
            return Place(slot, None, self._minutes)
        try:
            counted = self._minutes.take(f"minute:{name}", a_minute)
        except BaseException:  # the call was killed as it waited
            if slot is not None:
                slot.release()
            raise
        if isinstance(counted, Counted):
            return Place(slot, counted, self._minutes)
        if slot is not None:
            slot.release()
        return Full(REQUESTS_PER_MINUTE, _until_ms(REQUESTS_PER_MINUTE, counted))


def _until_ms(limit: str, left_s: float) -> int:
    """When there is room again; 0 where nobody knows."""
    return round((time.time() + left_s) * 1000) if limit == REQUESTS_PER_MINUTE else 0
