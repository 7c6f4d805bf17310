"""Warnings about access tokens: none at all, about to expire, with a budget that is spent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from app.core.model import AccessToken
from app.core.money.budget import Spent
from app.core.warnings.warning import GatewayWarning, listed, warning

EXPIRES_SOON_MS: Final = 7 * 86_400_000
NEARLY_PERCENT: Final = 95
"""A call is refused that may cost more than what is left: so nothing is spent to the last cent."""


def is_in_force(token: AccessToken, now_ms: int) -> bool:
    return token.enabled and (not token.expires_at_ms or token.expires_at_ms > now_ms)


def of_tokens(tokens: Iterable[AccessToken], now_ms: int, *, is_needed: bool) -> Iterator[GatewayWarning]:
    """`is_needed`: there are channels, and calls to them need one."""
    in_force = [token for token in tokens if is_in_force(token, now_ms)]
    if is_needed and not in_force:
        yield warning("no_access_token")
    soon = [token for token in in_force if 0 < token.expires_at_ms <= now_ms + EXPIRES_SOON_MS]
    if soon:
        soon.sort(key=lambda token: token.expires_at_ms)
        yield warning("tokens_expiring", listed(token.name for token in soon))


def of_budgets(spent: Iterable[tuple[AccessToken, Spent]]) -> Iterator[GatewayWarning]:
    """About tokens in force, and what each has spent."""
    if over := [token.name for token, so_far in spent if _is_spent(token, so_far)]:
        yield warning("tokens_spent", listed(over))


def _is_spent(token: AccessToken, spent: Spent) -> bool:
    """Any of its budgets, nearly at least. One of 0 is how an operator stops a token."""
    limits = (token.total_nano, token.day_nano, token.month_nano)
    return any(limit and used * 100 >= limit * NEARLY_PERCENT for limit, used in zip(limits, spent[:3], strict=True))


def of_prices(unpriced: Iterable[str]) -> Iterator[GatewayWarning]:
    """About models that were called and have no price. Where nothing is limited nobody need care."""
    if names := list(unpriced):
        yield warning("models_unpriced", listed(names))
