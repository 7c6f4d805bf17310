"""Conversations keep their key, and ids that answers gave lead back to theirs."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.core.errors import ApiError
from app.storage.embedded import EmbeddedRedis
from tests.support.choosing_process import ChoosingProcess
from tests.support.own_redis import kill, revive
from tests.support.waiting import wait_until

KEYS = {"a": 5, "b": 5}
ONE_CHANNEL = {"a": 10}
KNOWN_S = 1.0
New = Callable[..., ChoosingProcess]


@pytest.fixture
def new(own_server: EmbeddedRedis, own_redis: object) -> Iterator[New]:
    """Starts what a process chooses with, on an empty Redis."""
    started: list[ChoosingProcess] = []

    def start(keys: dict[str, int], **settings: Any) -> ChoosingProcess:
        started.append(ChoosingProcess(keys, own_server.url, **settings).start())
        return started[-1]

    yield start
    for process in started:
        process.end()


def hit_share(processes: list[ChoosingProcess], conversations: int = 200, calls: int = 10) -> float:
    """Of the calls of that many conversations, mixed, in a prompt cache that each key has."""
    order = [f"conversation {number}" for number in range(conversations) for _ in range(calls)]
    random.Random(2).shuffle(order)
    cached: set[tuple[str, str]] = set()
    hits = 0
    for number, conversation in enumerate(order):
        served = processes[number % len(processes)].call(conversation)
        hits += (served, conversation) in cached
        cached.add((served, conversation))
    return hits / len(order)


def test_prompt_caches_hit_where_a_conversation_keeps_its_key() -> None:
    """All but the first calls of 200 conversations of 10 calls, over two channels of five keys; else a third."""
    assert hit_share([ChoosingProcess(KEYS)]) == 0.9
    assert hit_share([ChoosingProcess(KEYS, affinity="off")]) < 0.4


def test_processes_agree_before_they_have_heard() -> None:
    """Two that never hear of each other choose the same key of a channel."""
    assert hit_share([ChoosingProcess(ONE_CHANNEL), ChoosingProcess(ONE_CHANNEL)]) == 0.9
    off = [ChoosingProcess(ONE_CHANNEL, affinity="off") for _ in range(2)]
    assert hit_share(off) < 0.4


def test_a_conversation_keeps_its_key_in_all_processes_from_its_first_commit_on(new: New) -> None:
    """Whatever channel's turn it is, and for those that start later, too."""
    ours, other = new(KEYS), new(KEYS)
    served = {name: ours.call(name) for name in map(str, range(20))}
    wait_until(lambda: len(other.affinity.conversations) == 20, "all are known", KNOWN_S)
    later = new(KEYS)
    wait_until(lambda: len(later.affinity.conversations) == 20, "all are read", KNOWN_S)
    for process in (other, later):
        assert {name: process.call(name) for name in reversed(served)} == served
    assert len({one.split()[0] for one in served.values()}) == 2


def test_an_unfit_key_is_left_and_the_new_one_stays() -> None:
    """Also when the first is back."""
    process = ChoosingProcess(KEYS)
    first = process.call("c")
    process.rest(first, 0.05)
    second = process.call("c")
    assert second != first
    wait_until(lambda: process.choosing.pools.of(first[0]).keys(("m",)).fit == 5 or process.call("x"), "it is back")
    assert {process.call("c") for _ in range(20)} == {second}


def test_a_key_that_was_left_elsewhere_is_left_here(new: New) -> None:
    """The later choice counts everywhere."""
    ours, other = new(KEYS), new(KEYS)
    first = ours.call("c")
    wait_until(lambda: len(other.affinity.conversations), "it is known", KNOWN_S)
    other.rest(first, 60)
    second = other.call("c")
    wait_until(lambda: ours.call("c") == second, "it is heard", KNOWN_S)
    assert other.call("c") == second != first


def test_conversations_go_on_without_redis(new: New, own_server: EmbeddedRedis) -> None:
    """What was chosen meanwhile is told when it is back."""
    ours, other = new(KEYS), new(KEYS)
    kill(own_server)
    try:
        served = ours.call("c")
        assert {ours.call("c") for _ in range(5)} == {served}
    finally:
        revive(own_server)
    wait_until(lambda: len(other.affinity.conversations), "it is told", 5.0)
    assert other.call("c") == served


def test_a_conversation_is_of_one_token_and_one_model() -> None:
    """Another token's of the same id goes by turns of its own, and so does another model, though both are asked for."""
    process = ChoosingProcess({f"c{number}": 1 for number in range(40)})
    for said in process.said.values():
        said["models"].append({"name": "small"})
    process.build()
    kinds: list[dict[str, Any]] = [{}, {"body": b'{"model": "small"}'}, {"caller": "another"}]
    orders = (range(10), range(9, -1, -1), range(10))  # turns that begin anywhere are never the same
    rounds = [
        [
            {number: process.call(str(number), **kind) for number in order}
            for kind, order in zip(kinds, orders, strict=True)
        ]
        for _ in range(3)
    ]
    assert rounds[0] == rounds[1] == rounds[2]
    mine, small, another = rounds[0]
    assert small != mine != another


def test_a_conversation_ends() -> None:
    """After its time to live it is a new one, whose turn may be another channel's."""
    process = ChoosingProcess({"a": 1, "b": 1}, affinity_ttl_s=0.2)
    served = process.call("c")
    assert {process.call("c") for _ in range(10)} == {served}
    time.sleep(0.3)
    assert {process.call("c"), process.call("d")} == {"a 1", "b 2"}
    assert process.call("c") == process.call("c")


@pytest.mark.parametrize(("affinity", "keeps"), [("ids", False), ("ids_and_prefix", True)])
def test_a_beginning_names_a_conversation_where_that_is_wanted(affinity: str, keeps: bool) -> None:
    process = ChoosingProcess({"a": 1, "b": 1}, affinity=affinity)
    body = json.dumps({"model": "m", "system": "long " * 1000, "messages": []}).encode()
    served = {process.call(body=body[:-2] + b'{"role": "user"}' * number + b"]}") for number in (0, 0)}
    assert (len(served) == 1) == keeps


# --- ids that answers gave ---

FILE, RESPONSE = "file-abcdef123456", "resp_abcdef123456"


def test_an_id_leads_back_to_its_key_in_all_processes(new: New) -> None:
    """Told by path or body, whoever's turn it is."""
    ours, other = new(KEYS), new(KEYS)
    served = ours.call(path="/v1/responses", gives=[RESPONSE])
    body = json.dumps({"model": "m", "previous_response_id": RESPONSE}).encode()
    wait_until(lambda: other.affinity.ids.find("token", [RESPONSE]), "it is stored", KNOWN_S)
    for process in (ours, other):
        assert {process.call(path="/v1/responses", body=body) for _ in range(12)} == {served}
        path = f"/v1/responses/{RESPONSE}/cancel"
        assert process.call(path=path, body=b"") == served, "its channel serves no `*`, and knows it all the same"


def test_an_id_of_another_token_is_unknown(new: New) -> None:
    """The call goes where it would go without."""
    ours, other = new(KEYS), new(KEYS)
    ours.call(path="/v1/responses", gives=[RESPONSE])
    wait_until(lambda: other.affinity.ids.find("token", [RESPONSE]), "it is stored", KNOWN_S)
    body = json.dumps({"model": "m", "previous_response_id": RESPONSE}).encode()
    for process in (ours, other):
        assert process.affinity.ids.find("another", [RESPONSE]) is None
        assert len({process.call(path="/v1/responses", body=body, caller="another") for _ in range(10)}) == 10
        with pytest.raises(ApiError) as refused:
            process.call(path=f"/v1/responses/{RESPONSE}", method="GET", body=b"", caller="another")
        assert refused.value.code == "model_not_found"


def test_what_makes_that_channel_unfit_is_not_passed_over(new: New) -> None:
    """Disabled, of another dialect, or outside of its hours."""
    process = new({"a": 1})
    process.affinity.ids.learn("token", [FILE], "a", "1")
    ask = {"path": f"/v1/files/{FILE}", "method": "GET", "body": b""}
    assert process.call(**ask) == "a 1"
    hour = time.gmtime().tm_hour
    later = f"{(hour + 2) % 24:02}:00-{(hour + 3) % 24:02}:00"
    for said in ({"enabled": False}, {"dialects": ["gemini"]}, {"hours": later}):
        before = dict(process.said["a"])
        process.said["a"] |= said
        process.build()
        with pytest.raises(ApiError):
            process.call(**ask)
        process.said["a"] = before


def test_without_redis_only_ids_of_others_are_unknown(new: New, own_server: EmbeddedRedis) -> None:
    """And a call does not wait for it twice."""
    ours, other = new(KEYS), new(KEYS)
    kill(own_server)
    try:
        ours.affinity.ids.learn("token", [FILE], "a", "3")
        assert ours.affinity.ids.find("token", [FILE]) == ("a", "3")
        assert other.affinity.ids.find("token", [FILE]) is None
    finally:
        revive(own_server)
    wait_until(lambda: other.affinity.ids.find("token", [FILE]) == ("a", "3"), "it is stored", 5.0)
