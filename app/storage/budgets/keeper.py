"""Talks to Redis about the money of tokens: one thread for all of this process's calls, and one that listens.

Redis away: for `GRACE_S` calls go on with what was leased; then each process is alone. When it is back each first says
what it has in flight, and nobody takes more for `QUIET_S`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from uuid import uuid4

from app.core.money.budget import Budget
from app.storage.budgets.account import Account
from app.storage.budgets.script import DIGEST, KEYS, SCRIPT, Plan, Reply, arguments, reply_of
from app.storage.connections import BUDGETS, BUDGETS_NEWS, NoScriptError, Redis, RedisError
from app.storage.refusals import describe
from app.storage.threads import AWAY_S, Threads

log = logging.getLogger(__name__)

TICK_S: Final = 0.25
"""So late, at the latest, what calls cost is told."""
LOOK_S: Final = 2.0
"""Between two looks at all accounts, for what is to be renewed or given back."""
POLL_S: Final = 0.01
"""Pause between two questions for money that was refused."""
AT_ONCE: Final = 200
"""Tokens in one round trip, so that Redis is never busy with us for long."""
GRACE_S: Final = 1.0
QUIET_S: Final = 1.5


class BudgetKeeper:
    """One for each process. It costs nothing before it is asked for the first account."""

    def __init__(self, redis_client: Redis, process_id: str, is_known: Callable[[str], bool]) -> None:
        """`is_known`: whether there still is a token of that id."""
        self.id = process_id
        """Empty until it begins, which is after any fork."""
        self.outages = 0
        """How often Redis was found away."""
        self._redis = redis_client
        self._is_known = is_known
        self._accounts: dict[str, Account] = {}
        """By token; those with something to remember."""
        self._calls: deque[Account] = deque()
        self._number = 0
        self._offset_ms = 0
        """Of Redis's clock to ours."""
        self._away_since_s = 0.0
        """0: Redis answers."""
        self._quiet_until_s = 0.0
        self._look_at_all_s = 0.0
        self._has_begun = False
        self._begins = threading.Lock()
        self._threads = Threads("budgets", redis_client, BUDGETS_NEWS)
        self._wake, self._stopping = self._threads.wake, self._threads.stopping

    def stop(self) -> None:
        """Tells what is left to tell, and gives all back: for the end of a process, after its last call."""
        if not self._has_begun:
            return
        self._threads.stop(f"stopped {self.id} ")
        accounts = list(self._accounts.values())
        for account in accounts:
            with account.lock:
                account.owe()
        with suppress(RedisError):  # then it expires
            self._talk(accounts, takes=False)

    def account(self, token_id: str, budget: Budget) -> Account:
        """To be asked for again where it turns out to be forgotten."""
        if not self._has_begun:
            self._begin()
        account = self._accounts.get(token_id)
        if account is None or account.forgotten:
            account = self._accounts.setdefault(token_id, Account(token_id, budget))
            self._wake.set()
        return account

    def mention(self, account: Account) -> None:
        """It is to be looked at soon."""
        if not account.is_called:
            account.is_called = True
            self._calls.append(account)

    def call(self, account: Account) -> None:
        """It is to be looked at now."""
        self.mention(account)
        self._wake.set()

    def is_alone(self, now_s: float) -> bool:
        """Redis is away for so long that what was leased counts no more."""
        return self._away_since_s > 0 and now_s >= self._away_since_s + GRACE_S

    @property
    def is_away(self) -> bool:
        return self._away_since_s > 0

    def now_ms(self) -> int:
        """By Redis's clock, as far as it is known."""
        return time.time_ns() // 1_000_000 + self._offset_ms

    def _begin(self) -> None:
        with self._begins:
            if not self._has_begun:
                self.id = self.id or uuid4().hex[:16]
                self._has_begun = True
                self._threads.start(self._keep, self._listen)

    # --- the keeper ---

    def _keep(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(TICK_S if self._accounts or self.is_away else None)
            self._wake.clear()
            if self._stopping.is_set():
                return
            try:
                self._round(time.monotonic())
            except Exception as error:  # whatever it is, those who wait must not wait for it
                self._go_away(error)

    def _round(self, now_s: float) -> None:
        if self.is_away and now_s < self._look_at_all_s:
            self._dismiss_all()
            return
        accounts = self._called(now_s)
        is_alone = self.is_alone(now_s)
        for account in accounts if is_alone else ():
            with account.lock:
                account.doubt()
        self._talk(accounts, takes=now_s >= self._quiet_until_s and not is_alone)
        now_ms, gone, is_asked_again = self.now_ms(), list[str](), False
        for account in accounts:
            with account.lock:
                account.serve(time.monotonic(), now_ms)
                if account.waiters or account.has_to_tell():
                    self.mention(account)
                    is_asked_again = True
                elif account.forget(now_s):
                    del self._accounts[account.token_id]
                    gone += [account.token_id] if account.is_deleted else []
        if gone:  # with what was told of them while we did not know it
            self._redis.delete(*(BUDGETS + token_id for token_id in gone))
        if is_asked_again:
            self._stopping.wait(POLL_S)
            self._wake.set()

    def _called(self, now_s: float) -> list[Account]:
        """Those that are to be looked at now."""
        accounts: list[Account] = []
        for _ in range(len(self._calls)):
            account = self._calls.popleft()
            account.is_called = False
            accounts.append(account)
        if now_s >= self._look_at_all_s:
            self._look_at_all_s = now_s + LOOK_S
            accounts = list(self._accounts.values())
        return accounts

    def _talk(self, accounts: list[Account], *, takes: bool) -> None:
        """Tells what there is to tell of them, and learns what others did. Raises RedisError."""
        for start in range(0, max(1, len(accounts)), AT_ONCE):
            self._talk_of(accounts[start : start + AT_ONCE], takes=takes)

    def _talk_of(self, accounts: list[Account], *, takes: bool) -> None:
        """One round trip. Raises RedisError."""
        plans: list[tuple[Account, Plan]] = []
        now_ms, sent_s = self.now_ms(), time.monotonic()
        for account in accounts:
            self._number += 1
            account.is_deleted = not self._is_known(account.token_id)
            with account.lock:
                plan = account.plan(self._number, sent_s, now_ms, takes=takes)
            if plan is not None:
                plans.append((account, plan))
        if not plans and not self.is_away:
            return
        try:
            replies = self._tell(plans)
        except NoScriptError:  # it was started anew
            replies = self._tell(plans, teaches=True)
        self._learn(plans, replies, sent_s, takes=takes)
        if self.is_away:
            self._come_back(sent_s)

    def _tell(self, plans: list[tuple[Account, Plan]], *, teaches: bool = False) -> list[Reply]:
        """`teaches`: Redis does not know the script. Raises RedisError."""
        pipe = self._redis.pipeline(transaction=False)
        if teaches:
            pipe.script_load(SCRIPT)
        else:
            pipe.ping()  # there may be nothing else to find out with whether Redis is back
        for account, plan in plans:
            pipe.evalsha(DIGEST, KEYS, *arguments(plan, self.id, account.token_id))
        return [reply_of(raw) for raw in pipe.execute()[1:]]

    def _learn(self, plans: list[tuple[Account, Plan]], replies: list[Reply], sent_s: float, *, takes: bool) -> None:
        for (account, plan), reply in zip(plans, replies, strict=True):
            self._offset_ms = reply.now_ms - time.time_ns() // 1_000_000
            with account.lock:
                account.learn(plan, reply, sent_s, takes=takes)
            if reply.leased < 0:
                self.call(account)

    def _come_back(self, now_s: float) -> None:
        log.warning("Redis answers again; budgets hold over all processes")
        if self.is_alone(now_s):
            self._quiet_until_s = time.monotonic() + QUIET_S
        self._away_since_s = 0.0

    def _go_away(self, error: Exception) -> None:
        now_s = time.monotonic()
        if not self.is_away:
            known = isinstance(error, RedisError)
            log.warning("Redis %s; budgets wait for it", describe(error), exc_info=None if known else error)
            self._away_since_s = now_s
            self.outages += 1
        self._look_at_all_s = now_s + AWAY_S
        self._dismiss_all()

    def _dismiss_all(self) -> None:
        """Those who wait are told that Redis is away. What is to be told of accounts is when all are looked at."""
        self._calls.clear()
        for account in list(self._accounts.values()):
            with account.lock:
                account.is_called = False
                account.dismiss()

    # --- the listener ---

    def _listen(self) -> None:
        self._threads.listen(lambda: None, self._hear)

    def _hear(self, news: bytes) -> None:
        match news.decode("utf-8", "replace").split(" ", 2):
            case [kind, process_id, token_id] if process_id != self.id:
                account = self._accounts.get(token_id)
            case _:
                return  # no word of ours
        if account is None:
            return
        if kind == "starved":
            with account.lock:
                account.owe()
        self.call(account)
