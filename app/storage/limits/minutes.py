"""How many attempts may begin within any 60 s, over all processes that share one Redis; as a rule without asking it.

A window that slides is a limit of what is under way, where each attempt is so for just 60 s. So `Slots` does it: far
from the edge they are leased in blocks, at the edge the keeper asks, and nobody is refused while there is room.
Redis keeps the slots of a process that was killed for longer than its attempts count.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque

from app.storage.connections import MINUTES_OLDEST, Redis, RedisError
from app.storage.limits.slots import Slot, Slots

SPAN_S = 60.0
TTL_SHARE = 1.5
"""How long Redis keeps what a silent process has counted, in spans. It is renewed after 0.3 of that at the latest, so
what was counted right before a kill is kept for more than a span."""
TICK_S = 0.25
REMEMBER_S = 1.0
"""A refusal is remembered until room is due, and no longer than this, in case that it comes sooner."""
UNTOLD_S = 0.1
"""The same where nobody has told when room is due."""


class Counted:
    """An attempt that counts for the next 60 s."""

    __slots__ = ("ends_s", "name", "slot")

    def __init__(self, name: str, slot: Slot, ends_s: float) -> None:
        self.name = name
        self.slot = slot
        self.ends_s = ends_s


class Refused:
    """What is remembered of a refusal."""

    __slots__ = ("due_s", "limit", "until_s")

    def __init__(self, limit: int, until_s: float, due_s: float) -> None:
        self.limit = limit
        self.until_s = until_s
        self.due_s = due_s
        """When the oldest counted attempt leaves."""


class Minutes:
    """One for each process. It costs nothing until somebody takes."""

    def __init__(self, redis_client: Redis, *, span_s: float = SPAN_S) -> None:
        self._redis = redis_client
        self._span_s = span_s
        self._slots = Slots(redis_client, ttl_s=TTL_SHARE * span_s)
        self._counted: deque[Counted] = deque()
        """All names in one row, as all count for the same time."""
        self._ends_s: dict[str, deque[float]] = {}
        """By name, the oldest first."""
        self._told: dict[str, float] = {}
        """What Redis was told of our oldest, by name."""
        self._refused: dict[str, Refused] = {}
        self._lock = threading.Lock()
        self._may_ask = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """From now on others are asked. Until then, and after `stop`, it limits this process alone."""
        self._may_ask = True

    def stop(self) -> None:
        """What was counted counts on."""
        self._may_ask = False
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(1.0)
            self._slots.stop(hand_back=False)

    @property
    def alone(self) -> bool:
        """Redis does not answer, as far as anybody has asked: the limits hold for this process by itself."""
        return self._thread is not None and self._slots.alone

    def take(self, name: str, limit: int) -> Counted | float:
        """What is counted now, or the seconds until the oldest counted attempt leaves.

        Waits, at the edge only, for a few ms; for at most 25 when it refuses.
        """
        now_s = time.monotonic()
        if self._may_ask and self._thread is None:
            self._begin()
        with self._lock:
            self._expire(now_s)
            if (left_s := self._left_s(name, limit, now_s)) > 0:
                return left_s
        slot = self._slots.acquire(name, limit)
        if slot is None:
            return self._refuse(name, limit, time.monotonic())
        counted = Counted(name, slot, time.monotonic() + self._span_s)
        with self._lock:
            self._counted.append(counted)
            self._ends_s.setdefault(name, deque()).append(counted.ends_s)
        return counted

    def cancel(self, counted: Counted) -> None:
        """The attempt did not begin after all: it counts no more."""
        counted.slot.release()
        with self._lock:
            if self._counted and self._counted[-1] is counted:  # mostly: what was refused at once leaves no trace
                self._counted.pop()
            ends_s = self._ends_s.get(counted.name)
            if ends_s and ends_s[-1] == counted.ends_s:
                ends_s.pop()
            elif ends_s and counted.ends_s in ends_s:
                ends_s.remove(counted.ends_s)
            self._refused.pop(counted.name, None)

    def full_s(self, name: str, limit: int) -> float:
        """How long no room is due, as far as is known here; 0.0: there may be some. Nobody is asked."""
        now_s = time.monotonic()
        with self._lock:
            self._expire(now_s)
            left_s = self._left_s(name, limit, now_s)
            if left_s <= 0 and self._slots.is_full(name, limit) and (ends_s := self._ends_s.get(name)):
                left_s = ends_s[0] - now_s
            return max(0.0, left_s)

    # --- inside; the lock is held where nothing else is said ---

    def _left_s(self, name: str, limit: int, now_s: float) -> float:
        refused = self._refused.get(name)
        if refused is None:
            return 0.0
        if now_s >= refused.until_s or limit != refused.limit:
            del self._refused[name]
            return 0.0
        return refused.due_s - now_s

    def _expire(self, now_s: float) -> None:
        while self._counted and self._counted[0].ends_s <= now_s:
            counted = self._counted.popleft()
            counted.slot.release()
            ends_s = self._ends_s.get(counted.name)
            if ends_s and ends_s[0] <= now_s:
                ends_s.popleft()
            if not ends_s:
                self._ends_s.pop(counted.name, None)

    def _refuse(self, name: str, limit: int, now_s: float) -> float:
        """The lock is not held."""
        due_s = self._due_s(name, now_s)
        until_s = now_s + UNTOLD_S if due_s is None else min(due_s, now_s + REMEMBER_S)
        due_s = now_s + 1.0 if due_s is None else due_s
        with self._lock:
            if len(self._refused) > 10_000:
                self._refused.clear()
            self._refused[name] = Refused(limit, until_s, due_s)
        return due_s - now_s

    def _due_s(self, name: str, now_s: float) -> float | None:
        """When the oldest leaves, of all processes; None: nobody has told. The lock is not held."""
        with self._lock:
            ends_s = self._ends_s.get(name)
            found = [ends_s[0]] if ends_s else []
        if self._may_ask and not self._slots.alone:
            try:
                wall_ms = time.time() * 1000
                told = [float(told) for told in self._redis.hvals(MINUTES_OLDEST + name)]
                found += [now_s + (told_ms - wall_ms) / 1000 for told_ms in told if told_ms > wall_ms]
            except RedisError:
                pass  # then ours is the best that we know
        return min(found) if found else None

    def _begin(self) -> None:
        """The lock is not held. Nobody takes before it is done, or he would be limited alone."""
        with self._lock:
            if self._thread is None:
                self._slots.start()
                self._thread = threading.Thread(target=self._keep, name="minutes_keep", daemon=True)
                self._thread.start()

    def _keep(self) -> None:
        """Lets go of what counts no more, and tells when our oldest leaves where others may be refused."""
        while not self._stopping.wait(TICK_S):
            with self._lock:
                now_s = time.monotonic()
                self._expire(now_s)
                oldest = {name: ends_s[0] for name, ends_s in self._ends_s.items() if ends_s}
                for name in [name for name in self._told if name not in oldest]:
                    del self._told[name]
            news = {
                name: end_s
                for name, end_s in oldest.items()
                if self._told.get(name) != end_s and self._slots.is_spent(name)
            }
            if news and not self._slots.alone:
                self._tell(news, now_s)

    def _tell(self, news: dict[str, float], now_s: float) -> None:
        wall_ms = time.time() * 1000
        pipe = self._redis.pipeline(transaction=False)
        for name, end_s in news.items():
            pipe.hset(MINUTES_OLDEST + name, self._slots.id, round(wall_ms + (end_s - now_s) * 1000))
            pipe.expire(MINUTES_OLDEST + name, math.ceil(self._span_s))
        try:
            pipe.execute()
            self._told.update(news)
        except RedisError:
            pass  # Slots says so
