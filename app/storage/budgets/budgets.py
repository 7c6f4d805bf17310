"""What access tokens may spend, over all processes that share one Redis; as a rule without asking it.

Redis is the truth: what each token has spent, and what each process has leased of the rest. Far from every limit a
process leases money in blocks, so its calls wait for nobody; near one it leases what its calls hold and no more, and
asks for each. What is spent and what is leased never pass a limit together, but for calls that cost more than was
reserved for them. One thread, the keeper, does all the talking: calls queue and are woken, so a call that is killed can
never break off an exchange.

A call is refused when no process has room for it: those that hold money are asked first, and say at once what they have
to spare. What a killed process held is given back after `script.TTL_S`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from typing import Final, NamedTuple

from app.core.errors import ApiError
from app.core.money.amounts import show_usd
from app.core.money.budget import Budget, Lack
from app.core.money.periods import edges_of
from app.storage.budgets.account import Account, Waiter
from app.storage.budgets.keeper import BudgetKeeper
from app.storage.budgets.script import Known, spent_of
from app.storage.connections import BUDGETS, Redis

ANSWER_S: Final = 5.0
"""A call waits no longer than this for the keeper, whatever befell it."""
AWAY_RETRY_S: Final = 5


class WhenAway(NamedTuple):
    """What holds while Redis is away."""

    local_nano: int = 0
    """What each process may then spend by itself with a token; 0: nothing."""


STOP: Final = WhenAway()


class Reservation:
    """Money held for one call in flight. It ends once; whatever comes then does nothing. Never waits, never fails."""

    __slots__ = ("_account", "_is_held", "_keeper", "began_ms", "nano")

    def __init__(self, keeper: BudgetKeeper, account: Account, nano: int) -> None:
        self._keeper = keeper
        self._account = account
        self._is_held = True
        self.nano = nano
        self.began_ms = keeper.now_ms()
        """When it was made, by Redis's clock: what the call costs counts for that day and month."""

    def settle(self, nano: int | None) -> None:
        """The call cost so much; None: nobody knows, and the reservation is what is spent."""
        self._end(self.nano if nano is None else nano)

    def give_back(self) -> None:
        """The call cost nothing."""
        self._end(0)

    def _end(self, nano: int) -> None:
        account = self._account
        with account.lock:
            if not self._is_held:
                return
            self._is_held = False
            account.in_use -= self.nano
            account.spend(nano, self.began_ms)
        if account.is_far:
            self._keeper.mention(account)
        else:
            self._keeper.call(account)  # others may wait for what is left of it


class Budgets:
    """One for each process. It costs nothing before the first token spends something."""

    def __init__(
        self,
        redis_client: Redis,
        *,
        process_id: str = "",
        is_known: Callable[[str], bool] = lambda token_id: True,
    ) -> None:
        """`process_id` must be new for each start of each process; empty: one is made up.

        `is_known`: whether there still is a token of that id.
        """
        self._redis = redis_client
        self._keeper = BudgetKeeper(redis_client, process_id, is_known)
        self._alone: dict[str, int] = {}
        """What each token may have spent of what this process spends by itself, in one outage."""
        self._alone_in = 0
        """Which outage that is."""

    def stop(self) -> None:
        """For the end of a process, after its last call."""
        self._keeper.stop()

    def reserve(self, token_id: str, budget: Budget, nano: int, when_away: WhenAway = STOP) -> Reservation:
        """Holds `nano` for a call that may cost so much. Waits only near a limit, and for the first call of a token.

        Raises ApiError: 429 `budget_exceeded`, 503 `storage_away`.
        """
        keeper = self._keeper
        account = keeper.account(token_id, budget)
        now_s = time.monotonic()
        waiter: Waiter | None = None
        with account.lock:
            is_forgotten = account.forgotten
            if not is_forgotten:
                if budget != account.budget:
                    account.follow(budget)
                if keeper.is_alone(now_s):
                    self._take_alone(account, nano, when_away)
                elif account.waiters or not account.take(nano, now_s):
                    lack = account.certain_lack(nano, keeper.now_ms())
                    if lack is not None:
                        raise _exceeded(lack, nano, budget.time_zone)
                    waiter = Waiter(nano, now_s)
                    account.waiters.append(waiter)
            is_low = waiter is not None or account.is_low(now_s)
        if is_forgotten:
            return self.reserve(token_id, budget, nano, when_away)
        if is_low:
            keeper.call(account)
        if waiter is not None:
            self._await(account, waiter, when_away)
        keeper.mention(account)
        return Reservation(keeper, account, nano)

    def charge(self, token_id: str, budget: Budget, nano: int) -> None:
        """A call cost so much for which nothing was reserved, as its token has no budget. Never waits."""
        keeper = self._keeper
        account = keeper.account(token_id, budget)
        with account.lock:
            is_forgotten = account.forgotten
            if not is_forgotten:
                account.spend(nano, keeper.now_ms())
        if is_forgotten:
            self.charge(token_id, budget, nano)
        else:
            keeper.mention(account)

    def _await(self, account: Account, waiter: Waiter, when_away: WhenAway) -> None:
        """Until the waiter has its reservation. Raises ApiError."""
        try:
            waiter.woken.wait(ANSWER_S)
        except BaseException:  # the call was killed as it waited
            with account.lock:
                if account.leave(waiter):
                    account.in_use -= waiter.nano
            self._keeper.call(account)
            raise
        with account.lock:
            if account.leave(waiter):
                return
            if waiter.lack is not None:
                raise _exceeded(waiter.lack, waiter.nano, account.budget.time_zone)
            self._take_alone(account, waiter.nano, when_away)

    def _take_alone(self, account: Account, nano: int, when_away: WhenAway) -> None:
        """Of what this process may spend by itself, as far as what is known of the token leaves room.

        The account's lock is held. Raises ApiError.
        """
        keeper = self._keeper
        if self._alone_in != keeper.outages:
            self._alone, self._alone_in = {}, keeper.outages
        alone = self._alone.get(account.token_id, 0)
        if alone + nano > when_away.local_nano or not keeper.is_away:
            text = "the gateway cannot look after this access token's budget: its storage is away; try again soon"
            raise ApiError(503, "storage_away", text, retry_after_s=AWAY_RETRY_S)
        lack = account.lack(nano, keeper.now_ms())
        if lack is not None:
            raise _exceeded(lack, nano, account.budget.time_zone)
        self._alone[account.token_id] = alone + nano
        account.in_use += nano

    # --- for those who look on ---

    def spent(self, budgets: MappingOf[str, Budget]) -> dict[str, Known]:
        """What each of these tokens has spent, by its id, and when that turns. Raises RedisError."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.time()
        for token_id in budgets:
            pipe.hgetall(BUDGETS + token_id)
        (seconds, micros), *stored = pipe.execute()
        now_ms = seconds * 1000 + micros // 1000
        return {
            token_id: spent_of(hash, now_ms, edges_of(budget.time_zone, now_ms))
            for (token_id, budget), hash in zip(budgets.items(), stored, strict=True)
        }

    def delete(self, token_id: str) -> None:
        """The token is no more, and so is what it has spent. Raises RedisError."""
        self._redis.delete(BUDGETS + token_id)


def _exceeded(lack: Lack, nano: int, time_zone: str) -> ApiError:
    span = {"total": "", "month": " a month", "day": " a day"}[lack.period]
    text = f"this access token may spend {show_usd(lack.limit_nano)} USD{span}: {show_usd(lack.spent_nano)} is spent"
    text = f"{text}, and this call may cost up to {show_usd(nano)}"
    if lack.period == "total":
        text = f"{text}; ask the gateway's operator for more"
    else:
        text = f"{text}; it is reset in {lack.retry_after_s} s, at the end of the {lack.period} in {time_zone or 'UTC'}"
    return ApiError(429, "budget_exceeded", text, retry_after_s=lack.retry_after_s, is_final=True)
