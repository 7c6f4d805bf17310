"""Whether the budget of an access token has room for a call, and what the call takes of it in the end."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from app.core.callers.permissions import reach_of, serving_of
from app.core.channels.definition import comparable
from app.core.errors import ApiError
from app.core.model import AccessToken, Snapshot
from app.core.money.amounts import NANO, parse_usd
from app.core.money.budget import Budget
from app.core.money.cost import Price
from app.core.money.reservation import Offer, Weight, most_nano
from app.core.settings import Settings
from app.core.snapshot import CHANNELS
from app.proxy.api.request import ApiRequest
from app.proxy.call import Call
from app.proxy.held_body import too_large
from app.storage.budgets.budgets import STOP, Budgets, Reservation, WhenAway
from app.wire.dialects.output_limits import output_limit
from app.wire.http.http1 import CHUNKED

MAX_SHOWN: Final = 200
"""Characters of a model's name in an error."""

_MOST_KEPT: Final = 1000
Serving = tuple[str, int]
"""Under which name a model may be asked for upstream, and by which multiplier."""


class BudgetAdmission:
    """One for each process."""

    def __init__(self, budgets: Budgets) -> None:
        self.budgets = budgets
        self._settings = Settings()
        self._when_away = STOP
        self._snapshot: Snapshot | None = None
        self._serving: dict[tuple[str, str, str], list[Serving]] = {}
        """By dialect, model and whose reach counts: worked out once a Snapshot, as there may be many channels."""

    def begin(self, call: Call, token: AccessToken, request: ApiRequest, snapshot: Snapshot) -> None:
        """Holds what a call to channels may cost at most, until its end. Raises ApiError."""
        if not token.has_budget:
            self.charge(call, token)
        elif not request.asked.counts_tokens:
            self._reserve(call, token, request, snapshot, self._of_channels(token, request, snapshot))

    def begin_mapping(self, call: Call, token: AccessToken, request: ApiRequest, snapshot: Snapshot) -> None:
        """The same for a call through a mapping."""
        if not token.has_budget:
            self.charge(call, token)
        elif not request.asked.counts_tokens:
            self._reserve(call, token, request, snapshot, [(request.model, NANO)])

    def charge(self, call: Call, token: AccessToken) -> None:
        """What the call costs is to be known of its token, which has no budget."""
        if token.id:
            call.holds.append(_Charged(self.budgets, token))

    def _reserve(
        self,
        call: Call,
        token: AccessToken,
        request: ApiRequest,
        snapshot: Snapshot,
        serving: Iterable[Serving],
    ) -> None:
        settings = snapshot.settings
        offers = _offers(token, snapshot, serving)
        nano = most_nano(weight_of(request), offers, settings.budget_default_output_tokens)
        if not nano:  # it is free, or nobody serves it
            self.charge(call, token)
            return
        reservation = self.budgets.reserve(token.id, budget_of(token), nano, self._away(settings))
        call.holds.append(_Reserved(reservation))

    def _of_channels(self, token: AccessToken, request: ApiRequest, snapshot: Snapshot) -> list[Serving]:
        if snapshot is not self._snapshot or len(self._serving) >= _MOST_KEPT:
            self._snapshot, self._serving = snapshot, {}
        reach = request.asked.mapping or ("" if token.routes_mode == "all" else token.id)  # a mapping begins with /
        key = (request.asked.served_by, request.model, reach)
        found = self._serving.get(key)
        if found is None:
            found = self._serving[key] = _serving(token, request, snapshot)
        return found

    def _away(self, settings: Settings) -> WhenAway:
        if settings is not self._settings:
            self._settings = settings
            is_local = settings.budget_when_redis_away == "local"
            self._when_away = WhenAway(parse_usd(settings.budget_local_usd)) if is_local else STOP
        return self._when_away


class _Reserved:
    """See proxy.call.Hold."""

    __slots__ = ("reservation",)

    def __init__(self, reservation: Reservation) -> None:
        self.reservation = reservation

    def end(self, call: Call) -> None:
        cost = call.cost
        if cost.nano is not None:
            self.reservation.settle(cost.nano)
        elif call.has_answer:  # which may have cost anything
            self.reservation.settle(None)
        else:
            self.reservation.give_back()


class _Charged:
    """See proxy.call.Hold."""

    __slots__ = ("_budgets", "_token")

    def __init__(self, budgets: Budgets, token: AccessToken) -> None:
        self._budgets = budgets
        self._token = token

    def end(self, call: Call) -> None:
        nano = call.cost.nano
        if nano:
            self._budgets.charge(self._token.id, budget_of(self._token), nano)


def reserved_nano(call: Call) -> int:
    """What is held for a call; -1 where nothing is."""
    for hold in call.holds:
        if isinstance(hold, _Reserved):
            return hold.reservation.nano
    return -1


def budget_of(token: AccessToken) -> Budget:
    return Budget(token.total_nano, token.day_nano, token.month_nano, token.time_zone)


def _serving(token: AccessToken, request: ApiRequest, snapshot: Snapshot) -> list[Serving]:
    """Of the channels that may be asked, and no others: those may match the model more closely."""
    only, without = reach_of(token)
    if request.asked.mapping:
        behind = CHANNELS.of(snapshot).by_name.get(comparable(snapshot.mappings[request.asked.mapping].channel))
        only, without = frozenset((behind.id,)) if behind is not None else frozenset(), None
    candidates = serving_of(snapshot, request.asked.served_by, request.model, only, without)
    found = {(one.upstream_model, one.channel.cost_multiplier_nano): None for one in candidates if one.channel.enabled}
    return list(found)


def _offers(token: AccessToken, snapshot: Snapshot, serving: Iterable[Serving]) -> list[Offer]:
    """Raises ApiError for a model without a price, where the operator wants that."""
    now_ms = int(time.time() * 1000)
    refuses = snapshot.settings.budget_unpriced != "allow"
    offers: list[Offer] = []
    for model, multiplier_nano in serving:
        price: Price | None = snapshot.prices.price_of(model, now_ms)
        if price is not None:
            offers.append(Offer(price, multiplier_nano))
        elif refuses:
            text = f"the access token {token.name!r} has a budget, and nobody knows what {model[:MAX_SHOWN]!r} costs"
            raise ApiError(403, "model_unpriced", f"{text}: the gateway's operator can set a price", is_final=True)
    return offers


def weight_of(request: ApiRequest) -> Weight:
    """Raises ClientFault where nobody knows how long its body will be."""
    body, images = request.body, request.images
    if images is None:
        return Weight(body.held_bytes)
    length = images.length
    if body.rest is not None:
        if body.length == CHUNKED:
            raise too_large(body.held_bytes)
        length = max(length, body.length)
    values = request.members.values if request.members is not None else {}
    limit = output_limit(request.asked, values, images.prompts)
    tier = values.get("service_tier", b"").strip(b'" ').decode("utf-8", "replace").lower()
    tier = "fast" if values.get("speed") == b'"fast"' else tier  # Claude's, which has prices of its own
    return Weight(length - images.image_bytes, images.tokens, limit.tokens, limit.answers, images.asks_hour_cache, tier)
