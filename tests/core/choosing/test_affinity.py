"""Which conversation a call belongs to, and which key it prefers."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from app.core.choosing.affinity import PREFIX_BYTES, Ring, conversation_of, prefix_of

ID = "0e1c7d1c-6d5e-4e0b-9a63-0c9a7c1b0f2e"
CLAUDE_CODE = json.dumps({"user_id": json.dumps({"device_id": "d", "account_uuid": "", "session_id": ID})}).encode()


@pytest.mark.parametrize(
    ("fields", "members"),
    [
        ({"x-claude-code-session-id": ID}, {}),
        ({"session-id": ID}, {"prompt_cache_key": b'"another"'}),
        ({"x-session-id": ID}, {}),
        ({"x-session-affinity": ID}, {}),
        ({}, {"prompt_cache_key": f'"{ID}"'.encode(), "session_id": b'"another"'}),
        ({}, {"session_id": f'"{ID}"'.encode()}),
        ({}, {"metadata": CLAUDE_CODE}),
        ({}, {"metadata": json.dumps({"user_id": ID}).encode()}),
        ({"session-id": ""}, {"prompt_cache_key": b"5", "session_id": b'""', "metadata": CLAUDE_CODE}),
    ],
)
def test_a_conversation_is_known_by_its_id(fields: dict[str, str], members: dict[str, bytes]) -> None:
    """Wherever a client writes it, the same id means the same conversation."""
    assert conversation_of(fields, members, "token") == conversation_of({"session-id": ID}, {}, "token") != ""


@pytest.mark.parametrize(
    "members",
    [{}, {"prompt_cache_key": b"null"}, {"metadata": b"[]"}, {"metadata": b'{"user_id": 5}'}, {"metadata": b"{broken"},
     {"session_id": b'"cut'}],
)  # fmt: skip
def test_without_an_id_there_is_no_conversation(members: dict[str, bytes]) -> None:
    """Hostile or odd values are none."""
    assert conversation_of({}, members, "") == ""


def test_a_conversation_is_of_one_token() -> None:
    """The same id under another token is another conversation, and its name tells nothing of it."""
    mine, other = (conversation_of({"session-id": ID}, {}, token) for token in ("a", "b"))
    assert mine != other
    assert ID not in mine


def test_a_beginning_names_a_conversation_where_it_is_long_enough() -> None:
    """What is appended changes nothing; a short body has none."""
    body = bytes(random.Random(1).randbytes(PREFIX_BYTES))
    assert prefix_of(body, "t") == prefix_of(body + b"more", "t") != ""
    assert prefix_of(body, "t") != prefix_of(b"x" + body, "t")
    assert prefix_of(body[:-1], "t") == ""


KEYS = list(range(1, 51))
CONVERSATIONS = [f"conversation-{number}" for number in range(5000)]


def preferred(ring: Ring, unfit: frozenset[int] = frozenset()) -> dict[str, int]:
    return {one: ring.preferred(one, lambda id: id not in unfit) for one in CONVERSATIONS}


def test_processes_agree_whatever_they_learned_first() -> None:
    """The same keys, in any order: the same preference. One that is added moves only what becomes its own."""
    before, more = preferred(Ring(KEYS)), preferred(Ring([*KEYS, 77]))
    assert before == preferred(Ring(reversed(KEYS)))
    assert {more[one] for one in CONVERSATIONS if before[one] != more[one]} == {77}


def test_who_is_not_fit_moves_only_his_own_conversations() -> None:
    """The others keep their key, and those that moved come back with it."""
    before, without = preferred(Ring(KEYS)), preferred(Ring(KEYS), frozenset({7}))
    assert {one for one in CONVERSATIONS if before[one] != without[one]} == {
        one for one in CONVERSATIONS if before[one] == 7
    }
    assert Ring(KEYS).preferred("x", lambda id: False) == 0
    assert Ring([]).preferred("x", lambda id: True) == 0


def test_a_key_that_comes_or_goes_leaves_the_ring_as_if_it_had_always_been_so() -> None:
    """Among very many, too, and down to none."""
    dice = random.Random(7)
    ids = dice.sample(range(1, 10**6), 4000)
    ring = Ring(ids[:1000])
    for id in ids[1000:]:
        ring.add(id)
    for id in dice.sample(ids[:2000], 1900):
        ring.remove(id)
        ids.remove(id)
    some, other = CONVERSATIONS[:500], Ring(ids)
    assert [ring.preferred(one, lambda id: id % 3 > 0) for one in some] == [
        other.preferred(one, lambda id: id % 3 > 0) for one in some
    ]
    for id in ids:
        ring.remove(id)
    assert ring.preferred("x", lambda id: True) == 0
    ring.add(5)
    assert ring.preferred("x", lambda id: True) == 5


@pytest.mark.parametrize("keys", [KEYS, random.Random(3).sample(range(1, 10**6), 50), range(10**9, 10**9 + 50)])
def test_keys_have_about_equal_shares(keys: list[int]) -> None:
    """Whatever their ids: none has more than 1.6 times the mean, and all have some."""
    shares = Counter(preferred(Ring(keys)).values())
    assert set(shares) == set(keys)
    assert max(shares.values()) < 1.6 * len(CONVERSATIONS) / len(keys)
