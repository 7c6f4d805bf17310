"""One upstream's slots as one process sees them: what it leased, what is in use, who waits. It talks to nobody.

`storage/limits/slots.py` does the talking: it asks a Lease for its plan, tells it to Redis, lets it learn the answer.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import NamedTuple

RENEWED = 0.3
"""Part of `ttl_s` after which a lease is renewed."""
TRUSTED = 0.8
"""Part of `ttl_s` for which a process believes in its lease. The rest is for clocks that differ in speed, and answers
that are late."""
FULL_S = 0.025
"""How long a free slot is looked for in other processes before the upstream counts as full."""
POLL_S = 0.01
"""Pause between two questions for a slot that was refused. Usually the word that one came free is faster."""
OWED_S = 0.1
"""How long a process remembers that another one lacks a slot. It is told again with each question."""
IDLE_S = 1.0


class Waiter:
    __slots__ = ("gives_up_s", "granted", "looks_until_s", "seen", "woken")

    def __init__(self, now_s: float, wait_s: float) -> None:
        self.gives_up_s = now_s + wait_s
        self.looks_until_s = now_s + max(wait_s, FULL_S)
        self.granted = False
        self.seen = False
        """The keeper has looked at its upstream since it came."""
        self.woken = threading.Event()


class Plan(NamedTuple):
    """What the keeper says to Redis about one upstream."""

    number: int
    limit: int
    kept: int
    wanted: int


class Lease:
    """One upstream's slots in this process. Bookkeeping only; `lock` is held around every call."""

    def __init__(self, upstream: str, limit: int, number: int = 0) -> None:
        """`number` is at least that of any plan that this process ever made for this upstream."""
        self.upstream = upstream
        self.limit = limit
        self.lock = threading.Lock()
        self.in_use = 0
        self.waiters: deque[Waiter] = deque()
        self.forgotten = False
        """Its keeper has let go of it; whoever needs the upstream takes a new one."""
        self.recorded = 0
        """What Redis believes that we have leased; -1: that is to be told afresh."""
        self._leased = 0
        self._yielded = 0
        """How many of those we gave up since."""
        self._doubts = 1
        self._doubts_settled = self._doubts_told = 0
        """The doubts that there were at the last answer, at the last question."""
        self._trusted_until_s = self._renew_at_s = self._ask_at_s = self._owed_until_s = 0.0
        self._came_free = False
        """Word of a slot came after the last question was sent."""
        self._number = number
        self._first_number = number
        self._peak = self._peak_before = 0
        """Most slots in use in this span of `IDLE_S` and in the one before."""
        self._peak_until_s = 0.0

    def usable(self, now_s: float, alone: bool) -> int:
        """How many calls may be in flight here now."""
        if alone:
            return self.limit
        if self._in_doubt(now_s):
            return 0
        return min(self.limit, self._leased - self._yielded)

    def set_limit(self, limit: int) -> None:
        self._doubts += limit < self.limit
        self.limit = limit

    def take(self, now_s: float, alone: bool) -> bool:
        if self.in_use >= self.usable(now_s, alone):
            return False
        self.in_use += 1
        if self.in_use > self._peak:
            self._peak = self.in_use
        return True

    def put_back(self, alone: bool) -> bool:
        """Returns True when the keeper must be called: the slot goes to another process."""
        self.in_use -= 1
        if self._owed_until_s or self.waiters or self._doubts != self._doubts_settled:
            now_s = time.monotonic()
            if not alone and self._in_doubt(now_s):
                return True
            owed, self._owed_until_s = now_s < self._owed_until_s, 0.0
            if owed and not alone and self.usable(now_s, alone) > self.in_use:
                self._yielded += 1
                return True
            self.serve(now_s, alone)
        return False

    def serve(self, now_s: float, alone: bool) -> None:
        """Gives what is free to those who wait, the first first."""
        while self.waiters and self.take(now_s, alone):
            waiter = self.waiters.popleft()
            waiter.granted = True
            waiter.woken.set()

    def settle(self, now_s: float, alone: bool) -> None:
        """After the keeper's round: serves, and sends away those for whom there is no more hope."""
        self.serve(now_s, alone)
        full = self.usable(now_s, alone) >= self.limit  # we hold them all, so no other process can give us one
        for waiter in tuple(self.waiters):
            waiter.seen = True
            if now_s >= (waiter.gives_up_s if full else waiter.looks_until_s):
                self.waiters.remove(waiter)
                waiter.woken.set()

    def leave(self, waiter: Waiter) -> bool:
        """The waiter waits no more. True when it got a slot."""
        if waiter in self.waiters:
            self.waiters.remove(waiter)
        return waiter.granted

    def doubt(self) -> None:
        """What Redis has of us is uncertain."""
        self._doubts += 1
        if self._number > self._first_number:
            self.recorded = -1

    def _in_doubt(self, now_s: float) -> bool:
        return self._doubts != self._doubts_settled or now_s >= self._trusted_until_s

    def hear(self, kind: bytes, held: int, now_s: float, alone: bool) -> bool:
        """Another process has `held` slots and lacks one, or gave some back. True when the keeper must act."""
        if kind == b"freed":
            self._came_free, self._ask_at_s = True, 0.0
            return bool(self.waiters)
        ours = self._leased - self._yielded
        if not alone and not self.waiters and self.usable(now_s, alone) > self.in_use:
            self._yielded += ours - self.in_use
            return True
        if ours > held + 1 or held == 0:  # else it would be our turn to lack one
            self._owed_until_s = now_s + OWED_S
        return False

    def plan(self, now_s: float) -> Plan | None:
        """What to tell Redis; None: nothing. From now until `learn` no more are handed out than the plan keeps."""
        doubted = self._in_doubt(now_s)
        kept = self.in_use if doubted else self._leased - self._yielded
        needed = min(self.in_use + len(self.waiters), max(self.limit, kept))
        if self._yielded and not doubted:
            wanted, self._ask_at_s = kept, now_s + POLL_S  # the other one first
        elif doubted or needed > kept:
            wanted = needed if now_s >= self._ask_at_s else kept
        else:
            wanted = kept = min(kept, max(self.in_use, self._lately_used(now_s)))
        self._leased, self._yielded = kept, 0
        silent = now_s < self._renew_at_s and (not doubted or now_s < self._ask_at_s)
        if wanted == self.recorded and (silent or wanted == 0):
            return None
        self._doubts_told, self._came_free = self._doubts, False
        self._number += 1
        return Plan(self._number, self.limit, kept, wanted)

    def _lately_used(self, now_s: float) -> int:
        if now_s >= self._peak_until_s:
            self._peak_before, self._peak, self._peak_until_s = self._peak, self.in_use, now_s + IDLE_S
        return max(self._peak, self._peak_before)

    def learn(self, plan: Plan, leased: int, free: int, sent_s: float, ttl_s: float) -> None:
        """Redis has answered."""
        if leased < plan.wanted and not self._came_free:
            self._ask_at_s = sent_s + POLL_S
        if leased < 0:
            return
        self._doubts_settled = self._doubts_told
        self._leased = self.recorded = leased
        # More in flight than there may be (the limit was lowered, Redis was away): none of them is given out again.
        self._doubts += max(leased, self.in_use) > min(leased, free)
        self._trusted_until_s = sent_s + TRUSTED * ttl_s
        self._renew_at_s = sent_s + RENEWED * ttl_s
        if leased > plan.kept:
            self._peak = max(self._peak, leased)  # they count as used, or they would go back at once

    def forget(self) -> int | None:
        """The number of its last plan when nothing is left to remember: no call, nobody who waits, nothing leased."""
        if self.in_use or self.waiters or self.recorded or self._leased:
            return None
        self.forgotten = True
        return self._number

    def farewell(self) -> Plan:
        self._number += 1
        return Plan(self._number, self.limit, 0, 0)
