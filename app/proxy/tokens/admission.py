"""Whether a call that shows an access token may begin: its routes and models, its rate, its calls at once."""

from __future__ import annotations

import math

from app.core.errors import ApiError
from app.core.model import AccessToken
from app.core.settings import Settings
from app.core.wording import counted
from app.proxy.call import Call
from app.proxy.tokens.budget_admission import BudgetAdmission
from app.storage.limits.places import Place
from app.storage.limits.tokens import NoRoom, TokenLimit, TokenLimits


class TokenAdmission:
    """Counts over all processes that share one Redis, as a rule without asking it."""

    def __init__(self, limits: TokenLimits, budgets: BudgetAdmission) -> None:
        self.budgets = budgets
        self._limits = limits

    def start(self) -> None:
        self._limits.start()

    def stop(self) -> None:
        self._limits.stop()

    def begin(self, call: Call, token: AccessToken, settings: Settings) -> None:
        """Takes what the token's limits leave for one call; it is given back at the call's end.

        Raises ApiError where they leave nothing.
        """
        if not (token.requests_per_minute or token.max_concurrency):
            return
        place = self._limits.take(token, goes_alone=settings.budget_when_redis_away == "local")
        if isinstance(place, NoRoom):
            raise _refused(token, place)
        call.holds.append(_Held(place))


class _Held:
    """See proxy.call.Hold."""

    __slots__ = ("_place",)

    def __init__(self, place: Place) -> None:
        self._place = place

    def end(self, call: Call) -> None:
        """A call that reached nobody counts for nothing."""
        if call.was_sent:
            self._place.release()
        else:
            self._place.cancel()


def _refused(token: AccessToken, why: NoRoom) -> ApiError:
    match why.limit:
        case TokenLimit.RATE:
            wait_s = max(1, math.ceil(why.left_s))
            calls = counted(token.requests_per_minute, "call")
            text = f"the access token {token.name!r} may make {calls} within 60 s; try again in {wait_s} s"
            return ApiError(429, "token_rate_limited", text, retry_after_s=wait_s)
        case TokenLimit.CONCURRENCY:
            calls = counted(token.max_concurrency, "call")
            text = f"the access token {token.name!r} has {calls} in flight, and no more may be at once; try again"
            return ApiError(429, "token_concurrency_exceeded", text, retry_after_s=1)
    return storage_away(token)


def storage_away(token: AccessToken) -> ApiError:
    """What a caller is told whose limits cannot be held, because Redis is away."""
    text = f"Redis is away, and the access token {token.name!r} has limits that cannot be held without it"
    return ApiError(503, "storage_away", f"{text}; try again soon", retry_after_s=2)
