"""What attempts have cost: of each channel in this day, and which models had no price. Local at once.

It is State: all processes know of it within about a second (`keeper.py`), and no call waits for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.core.model import Channel
from app.core.money.periods import Edges, edges_of
from app.unpatched import unpatched

MOST_UNPRICED = 300
"""Models without a price that are remembered; callers may ask for any name."""
LONGEST_NAME = 200


class Unpriced:
    """Calls of a model that had no price."""

    __slots__ = ("last_at_ms", "requests", "version")

    def __init__(self) -> None:
        self.requests = 0
        self.last_at_ms = 0
        self.version = ""
        """Of the prices that lacked one."""


class Batch:
    """What is to be stored, once."""

    __slots__ = ("costs", "unpriced")

    def __init__(self) -> None:
        self.costs: dict[tuple[int, str], int] = {}
        """Nano-dollars by the begin of the day, in ms, and channel."""
        self.unpriced: dict[str, Unpriced] = {}


class Costs:
    """One for each process. Times are Unix time in ms."""

    def __init__(self) -> None:
        self.time_zone = ""
        """Whose days count; the gateway's setting."""
        self.wake: Callable[[], object] = lambda: None
        """Tells the keeper of the first thing to store."""
        self._lock: Any = unpatched("_thread", "allocate_lock")()
        """Never held while waiting, so it is the system's: that costs a tenth of gevent's."""
        self._pending = Batch()
        self._spent: dict[str, int] = {}
        """By channel, in the day that is known; of all processes, as far as they have told."""
        self._edges: Edges | None = None
        self._zone = ""

    # --- what calls ask and tell; none waits ---

    def add(self, channel_id: str, nano: int, began_ms: int) -> None:
        """An attempt that began then has cost so much."""
        with self._lock:
            today = self._today(began_ms)
            if today.days[1] <= began_ms < today.days[2]:
                begin_ms = today.days[1]
                self._spent[channel_id] = self._spent.get(channel_id, 0) + nano
            else:  # it took until after midnight
                begin_ms = edges_of(self.time_zone, began_ms).days[1]
            costs, of = self._pending.costs, (begin_ms, channel_id)
            is_first = not costs
            costs[of] = costs.get(of, 0) + nano
        if is_first:
            self.wake()

    def lacked_price(self, model: str, at_ms: int, version: str) -> None:
        """A call of a model could not be reckoned by the prices of this version."""
        model = model[:LONGEST_NAME]
        with self._lock:
            is_first = not self._pending.unpriced
            of = self._pending.unpriced.get(model)
            if of is None:
                if len(self._pending.unpriced) >= MOST_UNPRICED:
                    return
                of = self._pending.unpriced[model] = Unpriced()
            of.requests += 1
            of.last_at_ms, of.version = max(of.last_at_ms, at_ms), version
        if is_first:
            self.wake()

    def over_until_ms(self, channel: Channel, now_ms: int) -> int:
        """When the day turns in which a channel has cost all that it may; 0: it may go on."""
        if not channel.cost_per_day_nano:
            return 0
        with self._lock:
            today = self._today(now_ms)
            over = self._spent.get(channel.id, 0) >= channel.cost_per_day_nano
            return today.days[2] if over else 0

    # --- for the keeper ---

    def take(self) -> Batch:
        """What is to be stored; it is no more to be told."""
        with self._lock:
            batch, self._pending = self._pending, Batch()
            return batch

    def day_of(self, now_ms: int) -> int:
        """When the day began that it is."""
        with self._lock:
            return self._today(now_ms).days[1]

    def stored(self, begin_ms: int, channel_id: str, untold: int) -> int:
        """What must be stored of a channel's day at least, in nano-dollars, beside what is `untold`."""
        with self._lock:
            if self._edges is None or self._edges.days[1] != begin_ms:
                return 0
            pending = self._pending.costs.get((begin_ms, channel_id), 0)
            return max(0, self._spent.get(channel_id, 0) - pending - untold)

    def learn(self, begin_ms: int, channel_id: str, nano: int) -> None:
        """All processes together have spent so much in a day, less what is not yet told."""
        with self._lock:
            if self._edges is None or self._edges.days[1] != begin_ms:
                return
            known = nano + self._pending.costs.get((begin_ms, channel_id), 0)
            if known > self._spent.get(channel_id, 0):
                self._spent[channel_id] = known

    # --- inside; the lock is held ---

    def _today(self, now_ms: int) -> Edges:
        """The day of that moment, or a later one that has begun."""
        edges = self._edges
        if edges is None or now_ms >= edges.days[2] or self._zone != self.time_zone:
            edges = self._edges = edges_of(self.time_zone, now_ms)
            self._zone = self.time_zone
            self._spent = {
                channel_id: nano
                for (begin_ms, channel_id), nano in self._pending.costs.items()
                if begin_ms == edges.days[1]
            }
        return edges
