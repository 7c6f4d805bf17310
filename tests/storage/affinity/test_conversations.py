"""Which key each conversation has, and who knows an id: what a process remembers of it, and what it tells."""

from __future__ import annotations

import pytest

from app.storage.affinity import given_ids
from app.storage.affinity.conversations import TELL_AGAIN, Conversations, Kept
from app.storage.affinity.given_ids import GivenIds
from app.storage.connections import open_redis

TTL_MS = 8000


def conversations(max_kept: int = 100) -> Conversations:
    made = Conversations(max_kept)
    made.ttl_ms = TTL_MS
    return made


def test_a_conversation_is_kept_for_its_time_to_live_after_its_last_call() -> None:
    """At least: others are told that it goes on a few times within it, not each time."""
    ours = conversations()
    for now_ms in range(0, 2 * TTL_MS, 100):
        ours.served("c", "1", "7", now_ms)
    last_ms = 2 * TTL_MS - 100
    kept = ours.kept("c", last_ms + TTL_MS - 1)
    assert kept is not None
    assert kept[:3] == ("1", "7", 0)
    assert ours.kept("c", last_ms + TTL_MS + 2 * TTL_MS // TELL_AGAIN) is None


def test_others_are_told_of_what_changes() -> None:
    """Once, unless they could not be told."""
    ours = conversations()
    woken: list[int] = []
    ours.wake = lambda: woken.append(1)
    ours.served("c", "1", "7", 0)
    ours.served("c", "1", "7", 1)
    told = ours.take_untold(10)
    assert (told, ours.take_untold(10), len(woken)) == ({"c": Kept("1", "7", 0, 0)}, {}, 1)
    ours.served("c", "1", "8", 2)
    ours.give_back(told)
    assert ours.take_untold(10) == {"c": Kept("1", "8", 2, 2)}


@pytest.mark.parametrize(
    ("known", "told", "kept"),
    [
        (("1", "7", 5, 5), ("2", "9", 6, 6), ("2", "9", 6, 6)),
        (("1", "7", 5, 9), ("2", "9", 4, 8), ("1", "7", 5, 9)),
        (("1", "7", 5, 5), ("2", "9", 5, 5), ("2", "9", 5, 5)),
        (("2", "9", 5, 5), ("1", "7", 5, 5), ("2", "9", 5, 5)),
        (("1", "7", 5, 5), ("1", "7", 3, 8), ("1", "7", 5, 8)),
    ],
)
def test_the_later_choice_counts_whoever_made_it(known: tuple, told: tuple, kept: tuple) -> None:  # type: ignore[type-arg]
    """Of two at once the same one everywhere."""
    ours = conversations()
    ours.learn("c", Kept(*known))
    ours.learn("c", Kept(*told))
    assert ours.kept("c", 10) == kept


def test_the_latest_conversations_are_remembered() -> None:
    """What is heard of counts as what was chosen here."""
    ours = conversations(3)
    for number in range(3):
        ours.served(str(number), "1", "7", number)
    ours.served("0", "1", "8", 4)
    ours.learn("3", Kept("1", "7", 5, 5))
    assert [ours.kept(name, 6) is not None for name in "0123"] == [True, False, True, True]
    assert len(ours) == 3


def test_what_redis_would_not_take_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids that were learned last are remembered."""
    monkeypatch.setattr(given_ids, "MAX_KEPT", 5)
    monkeypatch.setattr(given_ids, "MAX_UNSTORED", 3)
    ids = GivenIds(open_redis("redis://127.0.0.1:1"))
    ids.learn("t", [f"file-{number}" for number in range(9)], "1", "7")
    assert [bool(ids.find("t", [f"file-{number}"])) for number in range(9)] == [False] * 4 + [True] * 5
    assert len(ids.take_unstored(100)) == 3


def test_an_id_is_forgotten_after_its_time_to_live() -> None:
    ids = GivenIds(open_redis("redis://127.0.0.1:1"))
    ids.ttl_s = 0.0
    ids.learn("t", ["file-1"], "1", "7")
    assert ids.find("t", ["file-1"]) is None
