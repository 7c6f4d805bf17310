"""Access tokens as the API answers them: what was said, and what is observed. No text of one stands in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from app.core.callers.definition import BUDGETS, answer
from app.core.errors import ApiError
from app.core.model import AccessToken
from app.core.money.amounts import show_usd
from app.gateway import Gateway
from app.proxy.messages import Reply
from app.proxy.tokens.budget_admission import budget_of
from app.storage.connections import RedisError
from app.storage.statistics.token_uses import uses

_NOTHING_SPENT = {name: show_usd(0) for name in (*BUDGETS, "reserved_usd")}
_NO_RESETS = {"day_at_ms": None, "month_at_ms": None}


class TokenAnswers:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def one(self, token: AccessToken) -> dict[str, Any]:
        return self.all([token])[0]

    def all(self, tokens: Sequence[AccessToken]) -> list[dict[str, Any]]:
        """For the admin. Raises RedisError."""
        used = uses(self._gateway.redis, [token.id for token in tokens])
        money = self._money(tokens)
        answers = []
        for token in tokens:
            use = used[token.id]
            observed = money[token.id] | {
                "requests": use.requests,
                "errors": use.errors,
                "last_used_at_ms": use.last_used_ms or None,
            }
            answers.append(answer(token, observed))
        return answers

    def for_its_holder(self, token: AccessToken) -> Reply:
        """What a token's holder may know of it, and nothing of others. Raises ApiError."""
        try:
            money = self._money([token])[token.id]
        except RedisError:
            text = "Redis is away, so nobody knows what was spent; try again soon"
            raise ApiError(503, "storage_away", text, retry_after_s=2) from None
        told = {
            "name": token.name,
            "spent": money["spent"],
            "budgets": token.said.get("budgets") or dict.fromkeys(BUDGETS),
            "resets": money["resets"],
            "requests_per_minute": token.requests_per_minute,
            "max_concurrency": token.max_concurrency,
            "expires_at_ms": token.expires_at_ms or None,
        }
        body = orjson.dumps(told)
        return Reply(200, "OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))], [body])

    def _money(self, tokens: Sequence[AccessToken]) -> dict[str, dict[str, Any]]:
        """What was spent, and when what may be spent begins anew, by the token's id. Raises RedisError."""
        money: dict[str, dict[str, Any]] = {"": {"spent": _NOTHING_SPENT, "resets": _NO_RESETS}}
        issued = {token.id: budget_of(token) for token in tokens if token.id}
        for token_id, known in self._gateway.budgets.spent(issued).items() if issued else ():
            names = (*BUDGETS, "reserved_usd")
            spent = {name: show_usd(nano) for name, nano in zip(names, known.spent, strict=True)}
            money[token_id] = {"spent": spent, "resets": known.resets._asdict()}
        return money
