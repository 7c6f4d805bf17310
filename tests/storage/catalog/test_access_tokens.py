"""What an operator does to access tokens, from several processes at once and after losses."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from app.core.callers.access import hash_of
from app.core.model import AccessToken
from app.core.snapshot import ACCESS_TOKENS
from app.storage.catalog import access_tokens
from app.storage.catalog.access_tokens import AccessTokenNotFound
from app.storage.catalog.catalog import Catalog
from app.storage.connections import TABLE, Redis

TEXTS = TABLE + ACCESS_TOKENS.tables[0]


def stored(catalog: Catalog) -> dict[str, AccessToken]:
    return ACCESS_TOKENS.of(catalog.load()).by_id


def test_those_who_change_different_fields_at_once_lose_none(new_catalog: Callable[[], Catalog]) -> None:
    """Nor does who rotates meanwhile: the text that was told last is the one that counts."""
    token, _ = access_tokens.add(new_catalog(), {"name": "alice"})
    told: list[str] = []
    acts: list[Callable[[Catalog], object]] = [
        lambda catalog: access_tokens.update(catalog, token.id, {"note": "n"}),
        lambda catalog: access_tokens.update(catalog, token.id, {"models": ["m"]}),
        lambda catalog: access_tokens.update(catalog, token.id, {"budgets": {"day_usd": "1"}}),
        lambda catalog: access_tokens.update(catalog, token.id, {"budgets": {"total_usd": "2"}}),
        lambda catalog: told.append(access_tokens.rotate(catalog, token.id)[1]),
    ]
    threads = [threading.Thread(target=act, args=(new_catalog(),)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    found = stored(new_catalog())[token.id]
    assert (found.said["note"], found.said["models"]) == ("n", ["m"])
    assert found.said["budgets"] == {"total_usd": "2", "day_usd": "1", "month_usd": None}
    assert found.digest == hash_of(told[0])


def test_those_who_add_at_once_get_ids_of_their_own(new_catalog: Callable[[], Catalog]) -> None:
    """And no id is given twice, though its token is no more."""
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.append(access_tokens.add(new_catalog(), {"name": "same"})[0].id))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(made) == ["1", "2", "3", "4", "5"]
    catalog = new_catalog()
    access_tokens.delete(catalog, "5")
    assert access_tokens.add(catalog, {"name": "next"})[0].id == "6"


def test_tokens_that_redis_lost_are_written_back(own_redis: Redis, new_catalog: Callable[[], Catalog]) -> None:
    """Nobody is locked out by that, and nobody let in."""
    catalog = new_catalog()
    token, text = access_tokens.add(catalog, {"name": "alice"})
    own_redis.delete(TEXTS)
    catalog.look()
    assert catalog.snapshot.tokens[hash_of(text)].name == "alice"
    assert list(stored(new_catalog())) == [token.id]


def test_what_somebody_wrote_by_hand_opens_nothing(own_redis: Redis, new_catalog: Callable[[], Catalog]) -> None:
    """It is told of, stands in nobody's way, and can be said anew."""
    catalog = new_catalog()
    _, text = access_tokens.add(catalog, {"name": "alice"})
    own_redis.hset(TEXTS, mapping={"7": "{}", "x": "nonsense"})
    snapshot = catalog.load()
    assert list(snapshot.tokens) == [hash_of(text)]
    assert {"access token 7", "access token x"} <= set(snapshot.rejected)
    assert access_tokens.update(catalog, "7", {"name": "bob"}).name == "bob"
    bob, told = access_tokens.rotate(catalog, "7")
    assert catalog.snapshot.tokens[hash_of(told)] == bob


def test_what_is_not_there_cannot_be_changed(new_catalog: Callable[[], Catalog]) -> None:
    catalog = new_catalog()
    for act in (
        lambda: access_tokens.update(catalog, "1", {}),
        lambda: access_tokens.rotate(catalog, "1"),
        lambda: access_tokens.delete(catalog, "1"),
    ):
        with pytest.raises(AccessTokenNotFound):
            act()
