"""How often each access token was used: counted once with the events that tell of it."""

from __future__ import annotations

from app.core.statistics.events import ApiUse, RequestEvent
from app.core.statistics.token_use import TokenUse
from app.storage.connections import STATS_TOKENS, Redis
from app.storage.statistics.ledger import Ledger
from app.storage.statistics.token_uses import forget, uses
from tests.support.envelopes import send_events

NOW_MS = 1_790_000_000_000


def event(token_id: str, status: int = 200, attempts: int = 1, error: str = "", ended_ms: int = NOW_MS) -> RequestEvent:
    use = ApiUse()
    use.token_id, use.token = token_id, f"name of {token_id}"
    plain = RequestEvent("id", ended_ms, "/v1", "POST", status, error, 1, 2, 10.0, 5.0)
    return plain._replace(attempts=attempts, api=use)


def test_a_call_counts_once_for_its_token(own_redis: Redis) -> None:
    """An envelope that comes twice too; the last use is the latest, in whatever order they come."""
    events = [event("1"), event("1", 500), event("2", ended_ms=NOW_MS + 5), event("2", ended_ms=NOW_MS - 5), event("")]
    for _ in range(2):
        send_events(own_redis, "process", 1, events)
        Ledger(own_redis).roll_up(NOW_MS)
    send_events(own_redis, "process", 2, [event("1", ended_ms=NOW_MS + 1)])
    Ledger(own_redis).roll_up(NOW_MS)
    assert uses(own_redis, ["1", "2", "3"]) == {
        "1": TokenUse(3, 1, NOW_MS + 1),
        "2": TokenUse(2, 0, NOW_MS + 5),
        "3": TokenUse(),
    }


def test_what_was_refused_is_no_error_and_what_is_answered_here_counts_for_nothing(own_redis: Redis) -> None:
    """Neither does a client that left make one."""
    refused, listed = event("1", 429, attempts=0, error="token_rate_limited"), event("1", 200, attempts=0)
    send_events(own_redis, "process", 1, [refused, listed, event("1", 499, error="client_gone")])
    Ledger(own_redis).roll_up(NOW_MS)
    assert uses(own_redis, ["1"])["1"] == TokenUse(2, 0, NOW_MS)


def test_a_token_that_is_no_more_is_forgotten(own_redis: Redis) -> None:
    send_events(own_redis, "process", 1, [event("1")])
    Ledger(own_redis).roll_up(NOW_MS)
    forget(own_redis, "1")
    assert not own_redis.exists(STATS_TOKENS)


def test_figures_that_somebody_else_wrote_are_none(own_redis: Redis) -> None:
    own_redis.hset(STATS_TOKENS, "1", "many")
    assert uses(own_redis, ["1"]) == {"1": TokenUse()}
