"""How many calls each upstream has in flight, over all processes that share one Redis; as a rule without asking it.

A process leases slots and hands them out by itself. Redis keeps, for each upstream, what every process has leased and
until when; the sum never exceeds the limit. One thread, the keeper, does all the talking: requests queue and are woken,
so a request that is killed can never break off an exchange. Its one command says "I keep so many, and want so many":
it is absolute and numbered, so a lost, repeated or late one does no harm. What lay unused for a second goes back.

A process that is refused tells the others, and tries for `FULL_S` before it says "full": the others give up what they
do not use at once, and, where they have more than it has, the next slot that comes free.

The bound is exact while Redis answers: a lease is trusted for less time than Redis keeps it, and after any doubt
(a lowered limit, a lost connection) a process first declares what it has in flight and takes nothing until it is told
the rest. Without Redis each process holds to the limit alone. The client's socket timeout must be under `(1 - TRUSTED)
* ttl_s`, 2 s, and is the longest that anybody waits for a Redis that hangs.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple
from uuid import uuid4

from app.storage.connections import SLOTS, SLOTS_NEWS, Redis, RedisError

log = logging.getLogger(__name__)

TTL_S = 10.0
"""How long Redis keeps the lease of a process that is silent; so long the slots of a killed one are missing."""
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
TICK_S = 0.25
AWAY_S = 1.0
"""Pause between two tries to reach a Redis that did not answer."""
ANSWER_S = 5.0
"""A request waits no longer than this for the keeper, whatever befell it. The client's socket timeout comes first."""
LISTEN_S = 1.0

# KEYS: the upstream's hash, the channel. ARGV: process, number, ttl in ms, limit, slots kept, slots wanted, upstream.
# Returns what the process has leased now: all that it wants when they are free, and never less than it keeps;
# -1 to a command that a later one has overtaken. The field "starved" is a mark that expires as leases do.
_LEASE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me, number, ttl = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local limit, kept, wanted = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local before, others, holders, starved = 0, 0, 1, false
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local slots, last, ends = string.match(fields[i + 1], '(%d+) (%d+) (%d+)')
  if tonumber(ends) <= now then
    redis.call('HDEL', KEYS[1], fields[i])
  elseif fields[i] == 'starved' then
    starved = true
  elseif fields[i] ~= me then
    others, holders = others + slots, holders + 1
  elseif tonumber(last) > number then
    return -1
  else
    before = tonumber(slots)
  end
end
local free = limit - others
local leased = math.max(kept, math.min(wanted, free))
if leased == wanted and wanted > kept and not starved then
  leased = leased + math.floor((free - wanted) / (2 * holders))
end
if leased > 0 then
  redis.call('HSET', KEYS[1], me, string.format('%d %d %.0f', leased, number, now + ttl))
elseif before > 0 then
  redis.call('HDEL', KEYS[1], me)
end
if leased < wanted and others > 0 then
  redis.call('HSET', KEYS[1], 'starved', string.format('0 0 %.0f', now + 200))
  redis.call('PUBLISH', KEYS[2], 'starved ' .. me .. ' ' .. leased .. ' ' .. ARGV[7])
elseif leased < before and starved then
  redis.call('PUBLISH', KEYS[2], 'freed ' .. me .. ' ' .. leased .. ' ' .. ARGV[7])
end
redis.call('PEXPIRE', KEYS[1], 2 * ttl)
return leased
"""


class Slot:
    """The right to one call in flight. Give it back with `release`; a second one does nothing."""

    __slots__ = ("_held", "_lease", "_slots")

    def __init__(self, slots: Slots, lease: _Lease) -> None:
        self._held = True
        self._slots = slots
        self._lease = lease

    def release(self) -> None:
        """Never waits and never fails."""
        with self._lease.lock:
            if not self._held:
                return
            self._held = False
            called = self._lease.put_back(self._slots.alone)
        if called:
            self._slots.call(self._lease)


class _Waiter:
    __slots__ = ("deadline_s", "granted", "seen", "woken")

    def __init__(self, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self.granted = False
        self.seen = False
        """The keeper has looked at its upstream since it came."""
        self.woken = threading.Event()


class _Plan(NamedTuple):
    """What the keeper is about to say to Redis for one upstream."""

    number: int
    limit: int
    kept: int
    wanted: int


class _Lease:
    """One upstream's slots in this process. Bookkeeping only; `lock` is held around every call."""

    def __init__(self, upstream: str, limit: int) -> None:
        self.upstream = upstream
        self.limit = limit
        self.lock = threading.Lock()
        self.in_use = 0
        self.waiters: deque[_Waiter] = deque()
        self.recorded = 0
        """What Redis says we have leased, as far as we know."""
        self._leased = 0
        self._yielded = 0
        """How many of those were given up since; Redis does not know yet."""
        self._doubted = True
        self._trusted_until_s = 0.0
        self._renew_at_s = 0.0
        self._ask_at_s = 0.0
        self._owed_until_s = 0.0
        self._number = 0
        self._peak = self._peak_before = 0
        """Most slots in use in this span of `IDLE_S` and in the one before."""
        self._peak_until_s = 0.0

    def usable(self, now_s: float, alone: bool) -> int:
        """How many calls may be in flight here now."""
        if alone:
            return self.limit
        if self._doubted or now_s >= self._trusted_until_s:
            return 0
        return min(self.limit, self._leased - self._yielded)

    def set_limit(self, limit: int) -> None:
        if limit < self.limit:
            self._doubted = True
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
        if self._owed_until_s or self.waiters:
            now_s = time.monotonic()
            owed, self._owed_until_s = now_s < self._owed_until_s, 0.0
            if owed and self.usable(now_s, alone) > self.in_use and not alone:
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
        full = self.usable(now_s, alone) >= self.limit  # we hold them all, so nobody else can free one
        for waiter in tuple(self.waiters):
            waiter.seen = True
            if now_s >= waiter.deadline_s - (FULL_S if full else 0):
                self.waiters.remove(waiter)
                waiter.woken.set()

    def leave(self, waiter: _Waiter, alone: bool) -> bool:
        """The waiter's end. A slot that it got is put back when it was killed; True as for `put_back`."""
        if waiter.granted:
            return self.put_back(alone)
        if waiter in self.waiters:
            self.waiters.remove(waiter)
        return False

    def doubt(self) -> None:
        self._doubted = True

    def hear(self, kind: bytes, held: int, now_s: float, alone: bool) -> bool:
        """Another process has only `held` slots and lacks one, or gave one up. True when the keeper must act."""
        if kind == b"freed":
            self._ask_at_s = 0.0
            return bool(self.waiters)
        ours = self._leased - self._yielded
        if self.usable(now_s, alone) > self.in_use and not self.waiters and not alone:
            self._yielded += ours - self.in_use
            return True
        if ours > held + 1 or held == 0:
            self._owed_until_s = now_s + OWED_S
        return False

    def plan(self, now_s: float) -> _Plan | None:
        """What to tell Redis, None when it knows. Until `learn` no more than the plan keeps are handed out."""
        doubted = self._doubted or now_s >= self._trusted_until_s
        kept = self.in_use if doubted else self._leased - self._yielded
        wanted = max(kept, self._wanted(now_s, kept, doubted))
        if not doubted and not self._yielded:
            wanted = kept = self._without_idle(now_s, kept) if wanted == kept else kept
        return None

    def _wanted(self, now_s: float, kept: int, doubted: bool) -> int:
        return 0


