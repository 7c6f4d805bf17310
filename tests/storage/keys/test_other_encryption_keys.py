"""Keys that are encrypted with another ENCRYPTION_KEY than that of a running process end none of its calls."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from app.core.channels.keys import KeyCounts
from app.storage.connections import CHANNEL_KEYS_LOG
from app.storage.keys.encryption import noted
from app.storage.keys.resealing import reseal
from app.storage.secrets import Secrets
from tests.support.keeping import KeepingProcess
from tests.support.waiting import wait_until

New = Callable[..., KeepingProcess]
OLD, NEW = Secrets(["old"], 1), Secrets(["new"], 1)
BOTH = Secrets(["new", "old"], 1)


def used(process: KeepingProcess, calls: int = 6) -> set[str]:
    """The keys that calls get."""
    keys = [process.pools.of("1").turn("round_robin").next() for _ in range(calls)]
    return {key.secret for key in keys if key is not None}


def rewrite(process: KeepingProcess) -> None:
    assert reseal(process.pools.stored, "1", process.pools.load(), lambda counts: None).unreadable == 0


@pytest.mark.parametrize(("before", "by"), [(Secrets(), NEW), (OLD, BOTH)], ids=["on", "over"])
@pytest.mark.parametrize("reads_whole", [False, True])
def test_keys_that_were_read_before_are_used_still(
    new_process: New, caplog: pytest.LogCaptureFixture, before: Secrets, by: Secrets, reads_whole: bool
) -> None:
    """A process that was not restarted before the keys were rewritten goes on with what it knows, and says so."""
    ours = new_process(secrets=before)
    ours.edits.add("1", ["sk-1", "sk-2", "sk-3"])
    rewrite(new_process(secrets=by))
    if reads_whole:
        ours.redis.delete(CHANNEL_KEYS_LOG)
    wait_until(lambda: ours.pools.of("1").foreign == 3, "it has heard", 5)
    assert used(ours) == {"sk-1", "sk-2", "sk-3"}
    assert ours.pools.of("1").counts == KeyCounts(3, 3)
    said = "3 keys of channel 1 are encrypted with another ENCRYPTION_KEY"
    wait_until(lambda: caplog.text.count(said) == 1, "it says so", 5)
    assert new_process(secrets=by).edits.delete("1", ours.edits.ids("1")[:1]) == 1
    wait_until(lambda: used(ours) == {"sk-2", "sk-3"}, "what was deleted is gone", 5)
    assert ours.pools.of("1").foreign == 2


def test_a_key_that_was_never_read_is_out_of_the_pool(new_process: New, caplog: pytest.LogCaptureFixture) -> None:
    """It takes no other's turn, and nobody calls with it."""
    caplog.set_level(logging.ERROR)
    ours, other = new_process(secrets=OLD), new_process(secrets=BOTH)
    ours.edits.add("1", ["sk-1", "sk-2"])
    other.edits.add("1", [f"sk-new-{number}" for number in range(30)])
    wait_until(lambda: ours.pools.of("1").counts.total == 32, "it has heard", 5)
    assert ours.pools.of("1").counts == KeyCounts(32, 2, blacklisted=30)
    assert used(ours) == {"sk-1", "sk-2"}
    assert used(other, 32) == {"sk-1", "sk-2", *(f"sk-new-{number}" for number in range(30))}


def test_a_key_that_was_deleted_where_nobody_could_open_it_may_be_added_again(new_process: New) -> None:
    blind, other = new_process(secrets=OLD), new_process(secrets=NEW)
    other.edits.add("1", ["sk-1", "sk-2"])
    assert blind.edits.delete("1", blind.edits.ids("1")[:1]) == 1
    assert other.edits.add("1", ["sk-1", "sk-2"]) == (1, 1, 2)
    assert used(other) == {"sk-1", "sk-2"}


def test_how_many_are_not_in_line_is_known(new_process: New) -> None:
    plain, other = new_process(), new_process(secrets=NEW)
    plain.edits.add("1", ["sk-1", "sk-2"])
    plain.edits.add("2", ["sk-3"])
    other.edits.add("1", ["sk-4"])
    wait_until(lambda: other.pools.out_of_line() == 3, "the plain ones", 5)
    plain.edits.delete("2", plain.edits.ids("2"))
    wait_until(lambda: other.pools.out_of_line() == 2, "one less", 5)
    rewrite(other)
    wait_until(lambda: other.pools.out_of_line() == 0, "none", 5)
    assert new_process(secrets=BOTH).pools.out_of_line() == 0


def test_redis_that_lost_all_gets_keys_and_ids_back_as_they_were(new_process: New) -> None:
    """What was encrypted comes back encrypted, and the next start knows with which key."""
    ours = new_process(secrets=NEW)
    ours.edits.add("1", ["sk-1", "sk-2"])
    ours.redis.flushall()
    ours.pools.load()
    later = new_process(secrets=NEW)
    assert used(later) == {"sk-1", "sk-2"}
    assert later.pools.out_of_line() == 0
    assert noted(ours.redis) == NEW.ids
