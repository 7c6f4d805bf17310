"""One token's money as one process sees it: what it leased, what its calls hold, who waits. It talks to nobody.

`storage/budgets/budgets.py` does the talking: it asks an Account for its plan, tells it to Redis, lets it learn the
answer. Whatever becomes of a command: what calls hold and have cost is never more than what Redis has on record for us.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Final

from app.core.money.budget import Budget, Lack, lack_of
from app.core.money.periods import Edges, edges_of
from app.storage.budgets.script import NOTHING_KNOWN, TTL_S, Known, Plan, Reply
from app.unpatched import unpatched

TRUSTED: Final = 0.8
"""Part of the lease's time for which a process believes in it. The rest is for clocks that differ in speed, and answers
that are late."""
RENEW_S: Final = 5.0
IDLE_S: Final = 60.0
"""After so long without a call nothing is leased any more."""
BLOCK_CALLS: Final = 4
"""A block is worth so many of the dearest calls of late, or what began within a second or two."""
SPAN_S: Final = 1.0
TURN_MS: Final = 1000
"""So long before the end of a day Redis is asked whether it has turned already."""
PATIENCE_S: Final = 1.0
"""So long a call waits for a process that holds money and says nothing, because it hangs or is dead."""


class Waiter:
    """A call that waits for its reservation."""

    __slots__ = ("gives_up_s", "granted", "is_asked", "is_hopeless", "lack", "nano", "since", "woken")

    def __init__(self, nano: int, now_s: float) -> None:
        self.nano = nano
        self.gives_up_s = now_s + PATIENCE_S
        self.is_asked = False
        """Redis was asked for it."""
        self.is_hopeless = False
        """All who could have given something were asked."""
        self.since = -1
        """The number of the first command that found no room for it."""
        self.granted = False
        self.lack: Lack | None = None
        """Why it was refused."""
        self.woken = threading.Event()


class Account:
    """Bookkeeping only; `lock` is held around every call."""

    def __init__(self, token_id: str, budget: Budget) -> None:
        self.token_id = token_id
        self.budget = budget
        self.lock: Any = unpatched("_thread", "allocate_lock")()
        """Never held while waiting, so it is the system's: that costs a tenth of gevent's."""
        self.waiters: deque[Waiter] = deque()
        self.forgotten = False
        """Its keeper has let go of it; whoever needs the token takes a new one."""
        self.is_called = False
        """Its keeper will look at it."""
        self.is_deleted = False
        """There is no such token any more: nothing is told of it."""
        self.in_use = 0
        """Held for calls in flight."""
        self.leased = 0
        """What Redis has on record for us, for `in_use`, for what was spent and not told yet, and for what is free."""
        self.known: Known = NOTHING_KNOWN
        self.is_far = False
        """There was plenty when Redis was asked last."""
        self._others = 0
        """What other processes had leased then."""
        self._trusted_until_s = self._renew_at_s = 0.0
        self._new: list[tuple[int, int]] = []
        """Costs that no command has told: when a call began, and nano-dollars. One entry for each day."""
        self._told: list[tuple[int, int]] = []
        """Those of the last batch, until its command is answered."""
        self._batch = 0
        self._untold = 0
        """The sum of both."""
        self._in_use_told = 0
        self._edges: Edges | None = None
        self._owes = False
        """Another process lacks money: it is to hear from us, and to get what is free."""
        self._doubts = True
        """What is free is not to be touched before Redis has answered."""
        self._used_s = 0.0
        self._dearest = self._dearest_before = self._begun = self._begun_before = 0
        self._span_ends_s = 0.0

    # --- calls ---

    def free(self, now_s: float) -> int:
        if self._doubts or now_s >= self._trusted_until_s:
            return 0
        return self.leased - self.in_use - self._untold

    def take(self, nano: int, now_s: float) -> bool:
        """Takes a reservation of what is free."""
        if nano > self.free(now_s):
            return False
        self.in_use += nano
        self._used_s = now_s
        if now_s >= self._span_ends_s:
            self._begin_span(now_s)
        self._begun += nano
        self._dearest = max(self._dearest, nano)
        return True

    def is_low(self, now_s: float) -> bool:
        """More should be leased before a call must wait for it."""
        return self.is_far and 2 * self.free(now_s) < self._block()

    def spend(self, nano: int, began_ms: int) -> None:
        """A call that began then cost so much."""
        if nano <= 0:
            return
        self._untold += nano
        if self._new and self._day(began_ms) == self._day(self._new[-1][0]):
            last_ms, sum_nano = self._new[-1]
            self._new[-1] = (max(last_ms, began_ms), sum_nano + nano)
        else:
            self._new.append((began_ms, nano))

    def follow(self, budget: Budget) -> None:
        """The operator says otherwise."""
        if budget.time_zone != self.budget.time_zone:
            self._edges = None
            self.known = Known(self.known.spent, NOTHING_KNOWN.resets)
        self.budget = budget
        self._doubts = True

    def lack(self, nano: int, now_ms: int) -> Lack | None:
        """What has no room for `nano` more, as far as is known here."""
        held = self._others + self.in_use + self._untold
        return lack_of(self.budget, self.known.spent, self.known.resets, held, nano, now_ms)

    def certain_lack(self, nano: int, now_ms: int) -> Lack | None:
        """What has no room for it whatever others hold: what is spent grows until it is reset. Nobody need be asked."""
        spent, resets = self.known
        if now_ms + TURN_MS >= resets.day_at_ms:
            return None
        return lack_of(self.budget, spent, resets, 0, nano, now_ms)

    def _begin_span(self, now_s: float) -> None:
        is_next = now_s < self._span_ends_s + SPAN_S
        self._dearest_before = self._dearest if is_next else self._dearest_before // 2
        self._begun_before = self._begun if is_next else 0
        self._dearest = self._begun = 0
        self._span_ends_s = now_s + SPAN_S

    def _block(self) -> int:
        dearest = max(self._dearest, self._dearest_before)
        return max(BLOCK_CALLS * dearest, 2 * max(self._begun, self._begun_before))

    def _day(self, at_ms: int) -> int:
        """When the day of a moment began."""
        if self._edges is None or not self._edges.hold(at_ms):
            self._edges = edges_of(self.budget.time_zone, at_ms)
        return self._edges.days[1]

    # --- the keeper ---

    def doubt(self) -> None:
        """Redis was away: others are to say what they hold before more is taken."""
        self._doubts, self._renew_at_s = True, 0.0

    def owe(self) -> None:
        """Another process lacks money."""
        self._owes, self.is_far = True, False

    def plan(self, number: int, now_s: float, now_ms: int, *, takes: bool = True) -> Plan | None:
        """What to tell Redis; None: nothing. From now until `learn` no more is handed out than the plan keeps.

        `takes`: whether more may be asked for. `now_ms`: by Redis's clock.
        """
        if self.is_deleted:
            return None
        needed, least = self._waited_for() if takes else (0, 0)
        is_waited_for = takes and len(self.waiters) > 0
        is_idle = now_s >= self._used_s + IDLE_S and not is_waited_for
        spare = max(0, self.free(now_s)) if self.is_far and not self._owes and not is_idle else 0
        needed, least = max(0, needed - spare), max(0, least - spare)
        is_low = self.is_low(now_s) and not is_idle
        is_due = now_s >= self._renew_at_s and (self.leased > 0 or self.in_use > 0)
        has_idle = self.leased > self.in_use + self._untold + spare
        is_news = self._untold > 0 or self.in_use != self._in_use_told
        if not (is_waited_for or is_low or is_due or has_idle or is_news or self._owes):
            return None
        if self._edges is None or not self._edges.hold(now_ms):
            self._edges = edges_of(self.budget.time_zone, now_ms)
        if not self._told and self._new:
            self._told, self._new, self._batch = self._new, [], number
        told = sum(nano for _, nano in self._told)
        kept = self.in_use + self._untold - told + spare
        self.leased = min(self.leased, told + kept) if not self._doubts else 0
        block = self._block() if takes and not (is_idle or self._owes) else 0
        self._owes, self._in_use_told = False, self.in_use
        return Plan(
            number,
            self._batch,
            self._told,
            kept,
            spare,
            needed,
            least,
            block,
            self.in_use,
            self.budget,
            self._edges,
            self.known,
        )

    def _waited_for(self) -> tuple[int, int]:
        """By all who wait, and by the cheapest of them; they are asked for now."""
        needed = least = 0
        for waiter in self.waiters:
            waiter.is_asked = True
            needed += waiter.nano
            least = min(least or waiter.nano, waiter.nano)
            self._dearest = max(self._dearest, waiter.nano)
        return needed, least

    def learn(self, plan: Plan, reply: Reply, sent_s: float, *, takes: bool = True) -> None:
        """Redis has answered."""
        if reply.leased < 0:
            return
        if self._told is plan.costs:
            self._untold -= sum(nano for _, nano in self._told)
            self._told = []
        if plan.budget is self.budget and takes:
            self._doubts = False
        self.leased = reply.leased
        self.is_far, self._others, self.known = reply.is_far and not self._owes, reply.others, reply.known
        self._trusted_until_s = sent_s + TRUSTED * TTL_S
        self._renew_at_s = sent_s + RENEW_S
        for waiter in self.waiters:
            if waiter.is_asked:
                waiter.is_hopeless = reply.others == 0 or 0 <= waiter.since < reply.answered_seq
                if waiter.since < 0:
                    waiter.since = reply.seq

    def serve(self, now_s: float, now_ms: int) -> None:
        """After the keeper's round: serves those who wait, and sends away those for whom there is no more hope."""
        for waiter in tuple(self.waiters):
            if self.take(waiter.nano, now_s):
                waiter.granted = True
            elif self._doubts or not waiter.is_asked or not (waiter.is_hopeless or now_s >= waiter.gives_up_s):
                continue
            else:
                waiter.lack = self.lack(waiter.nano, now_ms)
                if waiter.lack is None:  # some came free as Redis answered
                    continue
            self.waiters.remove(waiter)
            waiter.woken.set()

    def dismiss(self) -> None:
        """Nobody will answer those who wait."""
        while self.waiters:
            self.waiters.popleft().woken.set()

    def leave(self, waiter: Waiter) -> bool:
        """The waiter waits no more. True when it got its reservation."""
        if waiter in self.waiters:
            self.waiters.remove(waiter)
        return waiter.granted

    def has_to_tell(self) -> bool:
        """Near a limit: what our calls do not hold is to be given back, and others are to be answered, at once."""
        has_spare = not self.is_far and not self._doubts and self.leased > self.in_use + self._untold
        return not self.is_deleted and (self._owes or has_spare)

    def forget(self, now_s: float) -> bool:
        """Whether nothing is left to remember: then it is forgotten."""
        if self.in_use or self.waiters:
            return False
        if not self.is_deleted and (self.leased or self._untold or now_s < self._used_s + IDLE_S):
            return False
        self.forgotten = True
        return True
