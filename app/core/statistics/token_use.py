"""How often each access token was used: a fold over events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from app.core.statistics.events import RequestEvent


class TokenUse(NamedTuple):
    requests: int = 0
    """Refused ones too; what is answered here counts for nothing."""
    errors: int = 0
    """Of those that an upstream was asked for."""
    last_used_ms: int = 0
    """Since the epoch; 0: never."""

    def __add__(self, other: TokenUse) -> TokenUse:  # type: ignore[override]
        return TokenUse(
            self.requests + other.requests,
            self.errors + other.errors,
            max(self.last_used_ms, other.last_used_ms),
        )

    def written(self) -> str:
        return f"{self.requests} {self.errors} {self.last_used_ms}"


def read(text: str) -> TokenUse:
    """What `written` wrote; nothing where somebody wrote something else."""
    try:
        requests, errors, last_used_ms = map(int, text.split())
    except ValueError:
        return TokenUse()
    return TokenUse(requests, errors, last_used_ms)


def uses_of(events: Iterable[RequestEvent]) -> dict[str, TokenUse]:
    """By the token's id. Those of AUTH_KEY have none, and are not counted; neither is what is no event."""
    uses: dict[str, TokenUse] = {}
    for event in events:
        token_id = event.api.token_id if event.api is not None else ""
        try:
            if not token_id or (event.attempts == 0 and event.status < 400):
                continue
            is_error = event.attempts > 0 and event.is_error
            uses[token_id] = uses.get(token_id, TokenUse()) + TokenUse(1, int(is_error), event.ended_at_ms)
        except TypeError:
            continue
    return uses
