"""A task asks many upstreams for their models, and tells them by channel."""

from __future__ import annotations

import json
import threading

import gevent

from tests.support.channel_story import answers, fails
from tests.support.tried_keys import KeyedUpstream, Trying, add_keyed, claimed, do, hold
from tests.support.waiting import wait_until
from worker.tasks.kinds import KINDS


def lists(*names: str) -> bytes:
    return json.dumps({"data": [{"id": name} for name in names]}).encode()


def test_each_channel_has_its_models_or_why_not(trying: Trying, keyed: KeyedUpstream) -> None:
    house = trying()
    two = add_keyed(house, keyed, ["sk-two"], name="two")
    one = add_keyed(house, keyed, ["sk-one"], name="one")
    bare = add_keyed(house, keyed, [], name="bare")
    keyed.answers = {"sk-one": answers(200, lists("a", "b")), "sk-two": fails(403, "no sk-two here")}
    running, result = do(house, "fetch_models", ids=[one.id, two.id, bare.id, "99"])
    first, second, third, fourth = result["channels"]
    assert first == {"channel_id": one.id, "channel": "one", "models": ["a", "b"], "error": None}
    assert (second["channel"], second["models"]) == ("two", [])
    assert "403" in second["error"]
    assert "sk-two" not in str(result)
    assert third["error"] == "the channel has no key that is enabled"
    assert fourth["error"] == "the channel is there no more"
    assert (running.done, running.total, running.message) == (4, 4, "3 told none")


def test_a_cancelled_one_tells_what_it_has(trying: Trying, keyed: KeyedUpstream) -> None:
    house, over = trying(), threading.Event()
    ids = [add_keyed(house, keyed, [f"sk-{number}"], name=f"n{number}").id for number in range(12)]
    keyed.answers = {f"sk-{number}": hold(over) for number in range(1, 12)} | {"sk-0": answers(200, lists("a"))}
    running = claimed(house, house.tasks.order("fetch_models", "", {"ids": ids}))
    going = gevent.spawn(KINDS["fetch_models"], running)
    try:
        wait_until(lambda: running.done == 1 and len(keyed.tried) == 9, "one has told", sleep=gevent.sleep)
        running.cancelled = True
        result = going.get(timeout=10)
    finally:
        over.set()
    assert [one["models"] for one in result["channels"]] == [["a"]]
    assert len(keyed.tried) == 9
