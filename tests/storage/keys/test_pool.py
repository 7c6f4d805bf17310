"""Which key of a channel is next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from time import process_time

import pytest

from app.core.channels.keys import KeyCounts, KeyState, StoredKey
from app.core.choosing.standing import Keys
from app.core.judging.outcome import Blame, Outcome, Verdict
from app.core.judging.troubles import NONE, Failed, Rested, apply
from app.core.settings import Settings
from app.storage.keys.pool import MOST_RETURNS, KeyPool
from app.storage.secrets import Secrets

T = 1_800_000_000_000
BLACKLISTED = apply(
    NONE, Failed(T, T, Verdict(Outcome.INVALID_KEY, Blame.KEY, blacklist=True), Settings(), "no such key")
)


def pool_of(count: int, others: Iterable[StoredKey] = (), start_index: int | None = None) -> KeyPool:
    pool = KeyPool("1", Secrets(), start_index)
    for key in [StoredKey(id, f"sk-{id:04}") for id in range(1, count + 1)] + list(others):
        pool.put(key, T)
    return pool


def rest(pool: KeyPool, id: int, ms: int) -> None:
    pool.set_trouble(id, apply(NONE, Rested(T, T + ms)), T)


def used(pool: KeyPool, calls: int, strategy: str = "round_robin", *models: str) -> list[int]:
    keys = [pool.turn(strategy, models).next() for _ in range(calls)]
    return [int(key.id) for key in keys if key is not None]


def test_round_robin_keeps_all_keys_within_one_call_of_each_other() -> None:
    pool = pool_of(7)
    counted = Counter[int]()
    for number, id in enumerate(used(pool, 40), 1):
        counted[id] += 1
        assert max(counted.values()) - (min(counted.values()) if len(counted) == 7 else 0) <= 1, number


def test_each_process_begins_somewhere_else() -> None:
    assert len({used(pool_of(1000), 1)[0] for _ in range(20)}) > 10


@pytest.mark.parametrize(("start_index", "expected"), [(0, [1, 2, 3]), (2, [3, 1, 2]), (4, [2, 3, 1])])
def test_a_process_begins_where_it_is_said(start_index: int, expected: list[int]) -> None:
    """START_INDEX counts from 0, and goes round where there are fewer keys."""
    assert used(pool_of(3, start_index=start_index), 3) == expected


def test_sequential_takes_the_first_that_is_fit() -> None:
    pool = pool_of(3)
    assert used(pool, 3, "sequential") == [1, 1, 1]
    rest(pool, 1, 1000)
    assert used(pool, 2, "sequential") == [2, 2]
    pool.settle(T + 1000)
    assert used(pool, 1, "sequential") == [1]


def test_a_call_never_gets_the_same_key_twice() -> None:
    for strategy in ("round_robin", "sequential"):
        pool = pool_of(5)
        turn, other = pool.turn(strategy), pool.turn(strategy)
        keys = []
        while (key := turn.next()) is not None:
            keys.append(key.id)
            other.next()
        assert sorted(keys) == ["1", "2", "3", "4", "5"]
        assert turn.next() is None


def test_the_key_of_a_conversation_goes_first_while_it_is_fit() -> None:
    pool = pool_of(5)
    turn = pool.turn("round_robin", first="4")
    assert [key.id for key in (turn.next(),) if key] == ["4"]
    assert "4" not in [key.id for key in iter(turn.next, None)]
    rest(pool, 4, 1000)
    assert "4" not in [key.id for key in iter(pool.turn("round_robin", first="4").next, None)]
    assert pool.turn("round_robin", first="none such").next() is not None


def test_a_key_is_in_one_state_and_states_are_counted() -> None:
    pool = pool_of(3, [StoredKey(4, "sk-4", enabled=False), StoredKey(5, "sk-5", enabled=False)])
    rest(pool, 1, 1000)
    pool.set_trouble(2, BLACKLISTED, T)
    pool.set_trouble(5, BLACKLISTED, T)
    assert pool.counts == KeyCounts(total=5, active=1, resting=1, blacklisted=1, disabled=2)
    assert [pool.state_at(place) for place in range(5)] == [
        KeyState.RESTING,
        KeyState.BLACKLISTED,
        KeyState.ACTIVE,
        KeyState.DISABLED,
        KeyState.DISABLED,
    ]
    assert used(pool, 3) == [3, 3, 3]
    assert pool.keys(()) == Keys(fit=1, usable=2)


def test_a_key_comes_back_when_its_rest_is_over_and_not_before_its_longer_one() -> None:
    pool = pool_of(2)
    rest(pool, 1, 1000)
    rest(pool, 1, 5000)
    assert pool.next_return_ms == T + 1000
    assert not pool.settle(T + 1000)
    assert pool.counts.resting == 1
    assert pool.settle(T + 5000)
    assert pool.counts == KeyCounts(2, 2)


def test_with_no_fit_key_it_tells_when_the_first_is_back_and_when_the_first_of_the_guessed() -> None:
    pool = pool_of(2)
    rest(pool, 1, 1000)
    limited = Failed(T, T, Verdict(Outcome.RATE_LIMITED, Blame.KEY), Settings(), "")
    pool.set_trouble(2, apply(NONE, limited), T)
    assert pool.keys(()) == Keys(0, 2, back_ms=T + 1000, guessed_back_ms=T + 60_000)
    rest(pool, 1, 500)
    assert pool.keys(()) == Keys(0, 2, back_ms=T + 500, guessed_back_ms=T + 60_000)
    pool.settle(T + 500)
    rest(pool, 1, 900)
    pool.remove(1)
    assert pool.keys(()) == Keys(0, 1, back_ms=T + 60_000, guessed_back_ms=T + 60_000)


def test_a_key_kept_for_models_serves_them_by_any_of_their_names_and_nothing_else() -> None:
    pool = pool_of(1, [StoredKey(2, "sk-2", models=("a", "b")), StoredKey(3, "sk-3", models=("c",))])
    assert set(used(pool, 6, "round_robin", "a", "a-upstream")) == {1, 2}
    assert set(used(pool, 6, "round_robin", "asked", "b")) == {1, 2}
    assert set(used(pool, 6, "round_robin", "d")) == {1}
    assert set(used(pool, 6)) == {1}
    assert set(used(pool, 3, "sequential", "c")) == {1}
    assert pool.keys(("c",)) == Keys(2, 2)
    rest(pool, 1, 1000)
    assert used(pool, 2, "round_robin", "c") == [3, 3]
    assert used(pool, 2, "round_robin", "d") == []


def test_keys_kept_for_very_many_sets_of_models_serve_them_all_the_same() -> None:
    pool = pool_of(0, [StoredKey(id, f"sk-{id}", models=(f"m{id}",)) for id in range(1, 401)])
    for id in (1, 200, 300, 400):
        assert used(pool, 2, "round_robin", f"m{id}") == [id, id]
    assert used(pool, 1, "round_robin", "m401") == []


def test_the_round_goes_on_and_troubles_stay_when_keys_are_read_anew() -> None:
    pool = pool_of(6)
    before = used(pool, 3)
    rest(pool, 6, 1000)
    successor = pool.begin_successor()
    for id in (1, 2, 3, 4, 6, 7):
        successor.put(StoredKey(id, f"sk-{id:04}"), T)
    rest(pool, 4, 1000)
    pool.set_trouble(4, NONE, T)
    pool.hand_over()
    assert successor.counts == KeyCounts(6, 5, 1)
    after = used(successor, 5)
    assert sorted(after) == [1, 2, 3, 4, 7]
    expected = [id for id in [*range(before[-1] + 1, 8), *range(1, before[-1] + 1)] if id in (1, 2, 3, 4, 7)]
    assert after == expected


def test_ids_may_be_of_any_size() -> None:
    pool = pool_of(2, [StoredKey(2**32 - 1, "sk-a"), StoredKey(2**32, "sk-b"), StoredKey(2**60, "sk-c")])
    assert [pool.place_of(id) for id in (2, 2**32 - 1, 2**32, 2**60)] == [1, 2, 3, 4]
    assert sorted(used(pool, 5)) == [1, 2, 2**32 - 1, 2**32, 2**60]


def test_texts_of_many_encryption_keys_are_told_as_they_are_stored() -> None:
    """More of them than are packed, and what only looks sealed."""
    texts = [Secrets([f"key {number}"], 1).seal("sk", "1") for number in range(40)]
    texts += ["sealed 01234567 ????", "sealed 0123", "sealed 01234567 YQ"]
    pool = pool_of(0, [StoredKey(id, text) for id, text in enumerate(texts, 1)])
    assert [pool.stored_at(place).sealed for place in range(len(texts))] == texts


def test_a_pool_tells_what_it_read() -> None:
    keys = [StoredKey(3, "sk-ü", "note", ("a",), False), StoredKey(9, "sk-9")]
    pool = pool_of(0, keys)
    assert [pool.stored_at(place) for place in range(2)] == keys
    assert [pool.place_of(id) for id in (3, 9, 4)] == [0, 1, -1]


def cpu_s(pool: KeyPool) -> float:
    """Of 200 choices, the best of five."""
    took = []
    for _ in range(5):
        began = process_time()
        used(pool, 200)
        took.append(process_time() - began)
    return min(took)


def test_a_choice_costs_the_same_where_nearly_all_of_many_keys_rest() -> None:
    pool = pool_of(5000)
    for id in range(1, 5001):
        if id != 2500:
            rest(pool, id, 1000)
    assert used(pool, 2) == [2500, 2500]
    assert cpu_s(pool) < 5 * cpu_s(pool_of(5))


def test_one_more_rest_costs_the_same_where_very_many_keys_rest() -> None:
    """To note it, and to tell when the first of them is back."""

    def rest_s(pool: KeyPool) -> float:
        took = []
        for round in range(5):
            began = process_time()
            for number in range(200):
                rest(pool, number % 5 + 1, 9000 + round * 200 + number)
                assert pool.keys(("m",)).back_ms
            took.append(process_time() - began)
        return min(took)

    many, few = pool_of(5000), pool_of(5)
    for id in range(1, 5001):
        rest(many, id, 5000 + id)
    for id in range(1, 6):
        rest(few, id, 5000 + id)
    assert rest_s(many) < 5 * rest_s(few)


def test_very_many_keys_that_are_back_at_once_come_a_part_at_a_time() -> None:
    pool = pool_of(2 * MOST_RETURNS)
    for id in range(1, 2 * MOST_RETURNS + 1):
        rest(pool, id, 1000)
    assert pool.settle(T + 1000)
    assert pool.counts.active == MOST_RETURNS
    assert pool.next_return_ms == T + 1000, "the rest is due"
    assert pool.settle(T + 1000)
    assert pool.counts == KeyCounts(2 * MOST_RETURNS, 2 * MOST_RETURNS)
    assert not pool.next_return_ms


def test_the_first_to_be_back_may_serve_though_it_rests() -> None:
    """Of those for the model, and of none whose rest an upstream or the operator told."""
    limited = Verdict(Outcome.RATE_LIMITED, Blame.KEY)
    pool = pool_of(3, [StoredKey(4, "sk-other", models=("other",))])
    assert pool.first_back(()) is None
    for id, began_ms in {1: T + 2000, 2: T + 1000, 4: T}.items():
        pool.set_trouble(id, apply(NONE, Failed(began_ms, began_ms, limited, Settings(), "slow down")), T)
    rest(pool, 3, 10)
    key = pool.first_back(("model",))
    assert key is not None
    assert (key.id, key.secret) == ("2", "sk-0002")
    assert (other := pool.first_back(("other",))) is not None
    assert other.id == "4"
    backs = pool.keys(("model",))
    assert (backs.fit, backs.back_ms, backs.guessed_back_ms) == (0, T + 10, T + 61_000)
