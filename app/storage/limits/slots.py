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
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from uuid import uuid4

from app.storage.connections import SLOTS, SLOTS_NEWS, Redis, RedisError, messages
from app.storage.limits.leases import POLL_S, Lease, Plan, Waiter
from app.storage.refusals import describe
from app.storage.threads import AWAY_S, Threads

log = logging.getLogger(__name__)

TTL_S = 10.0
"""How long Redis keeps the lease of a process that is silent; so long the slots of a killed one are missing."""
TICK_S = 0.25
"""Pause between two tries to reach a Redis that did not answer."""
ANSWER_S = 5.0
"""A request waits no longer than this for the keeper, whatever befell it. The client's socket timeout comes first."""

# KEYS: the upstream's hash, the channel. ARGV: process, ttl in ms, number, limit, slots kept, slots wanted, upstream.
# Returns what the process has leased now: all that it wants when they are free, and never less than it keeps (-1 to a
# command that a later one has overtaken); and how many it could have at most, less than 0 when others have too many.
# The field "starved" is a mark that expires as leases do.
_LEASE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me, ttl, number = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
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
    return {-1, 0}
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
return {leased, free}
"""


class Slot:
    """The right to one call in flight."""

    __slots__ = ("_held", "_lease", "_slots")

    def __init__(self, slots: Slots, lease: Lease) -> None:
        self._held = True
        self._slots = slots
        self._lease = lease

    def release(self) -> None:
        """Gives it back; never waits, never fails, and does nothing the second time."""
        with self._lease.lock:
            if not self._held:
                return
            self._held = False
            called = self._lease.put_back(self._slots.alone)
        if called:
            self._slots.call(self._lease)


class Slots:
    """One for each process: `start` it after any fork. Until then, and after `stop`, it limits this process alone."""

    def __init__(self, redis_client: Redis, process_id: str | None = None, *, ttl_s: float = TTL_S) -> None:
        """`process_id` must be new for each start of each process; None makes one up when it starts."""
        self.alone = True
        """Redis does not answer: the limits hold for this process by itself."""
        self._redis = redis_client
        self.id = process_id or ""
        self._ttl_s = ttl_s
        self._leases: dict[str, Lease] = {}
        """Those with something to remember; the keeper forgets the others."""
        self._last_number = 0
        """The greatest number of a plan of a lease that was forgotten."""
        self._calls: deque[Lease] = deque()
        self._threads = Threads("slots", redis_client, SLOTS_NEWS)
        self._wake, self._stopping = self._threads.wake, self._threads.stopping
        self._outages = 0
        self._look_at_all_s = 0.0

    def start(self) -> None:
        """Begins to lease. Does not fail when Redis is away."""
        self.id = self.id or uuid4().hex
        self.alone = False
        self._threads.start(self._keep, self._listen)

    def stop(self, *, hand_back: bool = True) -> None:
        """Hands everything back, also what is in flight: for the end of a process, after its last call.

        Without `hand_back` what is taken stays so for `ttl_s`.
        """
        self._threads.stop(f"stopped {self.id} 0 ")
        self.alone = True
        if hand_back:
            leases = [lease for lease in self._leases.values() if lease.recorded]
            with suppress(RedisError):  # then they expire
                self._tell([(lease, lease.farewell()) for lease in leases])

    def acquire(self, upstream: str, limit: int, wait_s: float = 0.0) -> Slot | None:
        """One of the upstream's `limit` slots; None when none came free within `wait_s`, or at most `FULL_S`."""
        while True:
            lease = self._leases.get(upstream)
            if lease is None:
                lease = self._leases.setdefault(upstream, Lease(upstream, limit, self._last_number))
            now_s = time.monotonic()
            with lease.lock:
                if lease.forgotten:
                    continue
                if limit != lease.limit:
                    lease.set_limit(limit)
                if not lease.waiters and lease.take(now_s, self.alone):
                    return Slot(self, lease)
                if wait_s <= 0 and lease.usable(now_s, self.alone) >= limit:
                    return None  # we hold them all, so no other process can give us one
                waiter = Waiter(now_s, wait_s)
                lease.waiters.append(waiter)
            self.call(lease)
            return Slot(self, lease) if self._await(lease, waiter) else None

    def in_use(self, upstream: str) -> int:
        """Calls of this process that are in flight."""
        lease = self._leases.get(upstream)
        return lease.in_use if lease is not None else 0

    def is_spent(self, upstream: str) -> bool:
        """Whether this process has used all that it has leased, so that the next one must be asked for."""
        lease = self._leases.get(upstream)
        return lease is not None and lease.in_use >= lease.usable(time.monotonic(), self.alone)

    def is_full(self, upstream: str, limit: int) -> bool:
        """Whether this process alone has all of them in use. Others may; nobody is asked."""
        return self.in_use(upstream) >= limit

    def call(self, lease: Lease) -> None:
        """Tells the keeper to look at an upstream now."""
        self._calls.append(lease)
        self._wake.set()

    def _await(self, lease: Lease, waiter: Waiter) -> bool:
        try:
            waiter.woken.wait(waiter.looks_until_s - time.monotonic())
            if not (waiter.woken.is_set() or waiter.seen or self.alone):
                waiter.woken.wait(ANSWER_S)  # Redis is slow, or about to be found away: "full" would be a guess
        except BaseException:  # the request was killed as it waited
            with lease.lock:
                called = lease.leave(waiter) and lease.put_back(self.alone)
            if called:
                self.call(lease)
            raise
        with lease.lock:
            return lease.leave(waiter)

    # The keeper. ------------------------------------------------------------------------------------------------

    def _keep(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(POLL_S if self._calls else TICK_S)
            self._wake.clear()
            try:
                self._round(time.monotonic())
            except Exception as error:  # whatever it is, those who wait must not wait for it
                self._go_alone(error)

    def _round(self, now_s: float) -> None:
        leases = {self._calls.popleft() for _ in range(len(self._calls))}
        if now_s >= self._look_at_all_s:
            leases.update(list(self._leases.values()))
            self._look_at_all_s = now_s + TICK_S
        elif self.alone:
            return
        plans = []
        for lease in leases:
            with lease.lock:
                plan = lease.plan(now_s)
            if plan is not None:
                plans.append((lease, plan))
        if plans or self.alone:
            self._learn(plans, self._tell(plans), now_s)
        for lease in leases:
            with lease.lock:
                lease.settle(time.monotonic(), self.alone)
                if lease.waiters:
                    self._calls.append(lease)
                elif not lease.forgotten and (number := lease.forget()) is not None:
                    self._last_number = max(self._last_number, number)
                    del self._leases[lease.upstream]

    def _tell(self, plans: Iterable[tuple[Lease, Plan]]) -> list[tuple[int, int]]:
        """One round trip. Raises RedisError."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.ping()  # there may be nothing else to find out with whether Redis is back
        ttl_ms = int(self._ttl_s * 1000)
        for lease, plan in plans:
            key, name = SLOTS + lease.upstream, lease.upstream
            pipe.eval(_LEASE, 2, key, SLOTS_NEWS, self.id, ttl_ms, *plan, name)
        return list(pipe.execute()[1:])

    def _learn(self, plans: Iterable[tuple[Lease, Plan]], replies: Iterable[tuple[int, int]], sent_s: float) -> None:
        if self.alone and not self._stopping.is_set():
            self.alone = False
            log.warning("Redis answers again; concurrency limits hold over all processes")
        for (lease, plan), (leased, free) in zip(plans, replies, strict=True):
            with lease.lock:
                lease.learn(plan, leased, free, sent_s, self._ttl_s)

    def _go_alone(self, error: Exception) -> None:
        if not self.alone:
            known = isinstance(error, RedisError)
            text = "Redis %s; each process keeps concurrency limits by itself"
            log.warning(text, describe(error), exc_info=None if known else error)
        self.alone = True
        self._outages += 1
        self._look_at_all_s = time.monotonic() + AWAY_S
        for lease in list(self._leases.values()):
            with lease.lock:
                lease.doubt()
                lease.serve(time.monotonic(), True)

    # The listener. ----------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._redis.pubsub(ignore_subscribe_messages=True) as news:  # type: ignore[no-untyped-call]
                    news.subscribe(SLOTS_NEWS)
                    outages = self._outages
                    for message in messages(news):
                        if outages != self._outages or self._stopping.is_set():
                            break
                        if message is not None:
                            self._hear(message)
            except RedisError:
                self._doubt_all()  # Redis may have lost what we leased: found out now, and not at the next renewal
                self._stopping.wait(AWAY_S)

    def _hear(self, news: bytes) -> None:
        match news.split(b" ", 3):
            case [kind, process, held, upstream] if held.isdigit():
                lease = self._leases.get(upstream.decode("utf-8", "replace"))
            case _:
                return  # no word of ours
        if lease is None or process == self.id.encode():
            return
        with lease.lock:
            called = lease.hear(kind, int(held), time.monotonic(), self.alone)
        if called:
            self.call(lease)

    def _doubt_all(self) -> None:
        for lease in list(self._leases.values()):
            with lease.lock:
                lease.doubt()
        self._look_at_all_s = 0.0
        self._wake.set()
