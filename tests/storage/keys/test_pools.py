"""Keys of channels are known to all processes within a second, changed by one script, and written back when lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest

from app.core.channels.keys import KeyCounts, KeyState, StoredKey
from app.core.settings import Limits, Settings
from app.storage.catalog import channels
from app.storage.catalog.catalog import Catalog
from app.storage.connections import (
    CHANNEL_KEY_DIGESTS,
    CHANNEL_KEYS,
    CHANNEL_KEYS_LOG,
    CHANNEL_KEYS_VERSION,
    CHANNEL_KEYS_VERSIONS,
    Redis,
)
from app.storage.embedded import EmbeddedRedis
from app.storage.keys.edits import Added, KeyNotFound
from app.storage.keys.listing import out_of_pools
from app.storage.secrets import Secrets
from tests.support.channels import said_of_channel
from tests.support.gateway import ROOT
from tests.support.keeping import INVALID, LIMITED, KeepingProcess, now_ms, secrets
from tests.support.waiting import wait_until

New = Callable[..., KeepingProcess]


def exported(process: KeepingProcess, of: str = "1") -> list[str]:
    return [key.secret for keys in process.edits.export(of, process.edits.ids(of)) for key in keys]


def test_keys_that_one_process_adds_others_have_within_a_second(new_process: New) -> None:
    ours, other = new_process(), new_process()
    assert ours.edits.add("1", ["sk-1", "sk-2", "sk-1"], note="mine", models=["m"]) == Added(2, 1, 2)
    assert secrets(ours) == ["sk-1", "sk-2"], "known here when it returns"
    wait_until(lambda: secrets(other) == ["sk-1", "sk-2"], "the other has heard", 1.0)
    assert other.pools.of("1").stored_at(0)[2:] == ("mine", ("m",), True)
    assert other.edits.add("1", ["sk-3", "sk-2"]) == Added(1, 1, 3)
    assert other.edits.add("2", ["sk-2"]) == Added(1, 0, 1), "another channel may have the same key"


def test_a_process_that_starts_later_reads_them(new_process: New) -> None:
    new_process().edits.add("1", ["sk-1"])
    assert secrets(new_process()) == ["sk-1"]


def test_no_id_is_given_twice(new_process: New) -> None:
    ours = new_process()
    ours.edits.add("1", ["sk-1", "sk-2"])
    before = set(ours.edits.ids("1"))
    assert ours.edits.delete("1", before) == 2
    ours.edits.add("1", ["sk-1"])
    ours.edits.add("2", ["sk-1"])
    assert not before & {*ours.edits.ids("1"), *ours.edits.ids("2")}


def test_a_change_holds_for_what_it_names_and_everywhere(new_process: New) -> None:
    ours, other = new_process(), new_process()
    ours.edits.add("1", ["sk-1", "sk-2"], note="old")
    first, second = ours.edits.ids("1")
    ours.edits.change("1", first, models=["m"], enabled=False)
    wait_until(lambda: other.pools.of("1").counts == KeyCounts(2, 1, disabled=1), "the other has heard", 1.0)
    assert other.pools.of("1").stored_at(0)[1:] == ("sk-1", "old", ("m",), False)
    assert other.edits.enable("1", [first, second]) == 1, "the other was enabled already"
    wait_until(lambda: ours.pools.of("1").counts == KeyCounts(2, 2), "it is fit again", 1.0)
    with pytest.raises(KeyNotFound):
        ours.edits.change("1", "999", note="x")


def test_a_change_that_another_overtook_is_decided_anew(new_process: New) -> None:
    ours, other = new_process(), new_process()
    ours.edits.add("1", ["sk-1"])
    (id,) = ours.edits.ids("1")
    change, overtaken = ours.pools.stored.change, 0

    def change_late(*arguments: object) -> int:
        nonlocal overtaken
        if not overtaken:
            overtaken += 1
            other.edits.change("1", id, note="theirs")
        return change(*arguments)  # type: ignore[arg-type]

    ours.pools.stored.change = change_late  # type: ignore[method-assign]
    ours.edits.change("1", id, enabled=False)
    assert ours.pools.of("1").stored_at(0)[2:] == ("theirs", (), False)


def test_what_was_deleted_is_gone_everywhere_and_may_be_added_again(new_process: New) -> None:
    ours, other = new_process(), new_process()
    ours.edits.add("1", ["sk-1", "sk-2"])
    wait_until(lambda: len(secrets(other)) == 2, "the other has heard", 1.0)
    assert ours.edits.delete("1", [ours.edits.ids("1")[0], "77"]) == 1
    wait_until(lambda: secrets(other) == ["sk-2"], "the other has heard", 1.0)
    ours.edits.drop("1")
    wait_until(lambda: secrets(other) == [], "the other has heard", 1.0)
    assert ours.edits.add("1", ["sk-1"]) == Added(1, 0, 1)


def test_the_keys_of_a_channel_go_in_the_same_change_as_the_channel(new_process: New, own_redis: Redis) -> None:
    """So a kill between the two leaves no key that belongs to nobody; and where nothing is deleted all stay."""
    ours, other = new_process(), new_process()
    catalog = Catalog(own_redis, Limits(), Settings())
    catalog.load()
    one, two, three = (channels.add(catalog, said_of_channel(name), lambda channel: None).id for name in "abc")
    for id in (one, two, three):
        ours.edits.add(id, ["sk-1", "sk-2"])
    channels.delete(catalog, [one, three], ours.edits.removal([one, three]))
    assert not own_redis.exists(*(CHANNEL_KEYS + id for id in (one, three)), CHANNEL_KEY_DIGESTS + one)
    assert ours.pools.stored.look().versions.keys() == {two}
    wait_until(lambda: other.pools.counts().total == 2, "it has heard", 5)
    with pytest.raises(channels.ChannelNotFound):
        channels.delete(catalog, [two, one], ours.edits.removal([two, one]))
    assert len(new_process().edits.ids(two)) == 2


def test_whoever_edits_knows_what_was_changed_a_moment_ago_elsewhere(new_process: New) -> None:
    ours, other = new_process(), new_process()
    for number in range(10):
        ours.edits.add("1", [f"sk-{number}"])
        assert exported(other)[-1] == f"sk-{number}"


def test_a_list_tells_states_and_never_a_text(new_process: New) -> None:
    ours = new_process()
    ours.edits.add("1", ["sk-aaaaaaaaaaaa1111", "sk-bbbbbbbbbbbb2222", "sk-cccccccccccc3333"], note="Team Ä")
    first, second, third = ours.edits.ids("1")
    ours.note(LIMITED._replace(text="sk-aaaaaaaaaaaa1111 is too fast"), key=first, status=429)
    ours.note(INVALID, key=second)
    keys, after, _ = ours.edits.page("1")
    assert ([key.state for key in keys], after) == ([KeyState.RESTING, KeyState.BLACKLISTED, KeyState.ACTIVE], "")
    assert keys[0].trouble.text == "sk-a…1111 is too fast"
    assert "aaaaa" not in repr(keys)
    assert ours.edits.reveal("1", third) == "sk-cccccccccccc3333"


def test_a_list_is_read_by_pages_states_and_words(new_process: New) -> None:
    ours = new_process()
    ours.edits.add("1", [f"sk-{number:04}-abcdefgh" for number in range(5)])
    ours.edits.add("1", ["sk-other-of-mine"], note="Team Ä")
    ids = ours.edits.ids("1")
    pages, after = [], "0"
    while after:
        keys, after, total = ours.edits.page("1", after=after, limit=2)
        assert total == 6
        pages.append([key.id for key in keys])
    assert pages == [ids[:2], ids[2:4], ids[4:]]
    ours.note(LIMITED, key=ids[2])

    def found(**asked: object) -> list[str]:
        return [key.id for key in ours.edits.page("1", **asked)[0]]  # type: ignore[arg-type]

    assert found(states={KeyState.RESTING}) == [ids[2]]
    assert found(q="team ä") == [ids[5]]
    assert found(q="…mine") == [ids[5]]
    assert found(q="sk-0003-abcdefgh") == [ids[3]]
    assert found(q="0003") == [], "a part of a text tells nothing"
    ours.edits.delete("1", [ids[1]])
    assert found(after=ids[1]) == ids[2:]


def test_restored_keys_are_fit_everywhere_and_disabled_ones_stay_so(new_process: New) -> None:
    ours, other = new_process(), new_process()
    ours.edits.add("1", ["sk-1", "sk-2", "sk-3"])
    ids = ours.edits.ids("1")
    wait_until(lambda: len(secrets(other)) == 3, "the other has heard", 1.0)
    ours.note(INVALID, key=ids[0])
    ours.note(LIMITED, key=ids[1])
    ours.edits.enable("1", [ids[2]], enabled=False)
    wait_until(lambda: other.pools.of("1").counts == KeyCounts(3, 0, 1, 1, 1), "the other has heard", 1.0)
    assert other.edits.restore("1", ids) == 2
    for process in (other, ours):
        wait_until(lambda process=process: process.pools.of("1").counts == KeyCounts(3, 2, 0, 0, 1), "restored", 1.0)


def test_a_copy_has_the_keys_of_the_states_that_are_asked_for(new_process: New) -> None:
    ours = new_process()
    ours.edits.add("1", ["sk-1", "sk-2"], note="mine", models=["m"])
    ours.note(INVALID, key=ours.edits.ids("1")[0])
    assert ours.edits.copy("1", "2", {KeyState.ACTIVE}) == Added(1, 0, 1)
    assert ours.edits.copy("1", "2") == Added(1, 1, 2)
    assert ours.pools.of("2").counts == KeyCounts(2, 2)
    assert ours.pools.of("2").stored_at(0)[1:] == ("sk-2", "mine", ("m",), True)


def test_what_makes_no_sense_is_left_out(new_process: New, own_redis: Redis) -> None:
    ours = new_process()
    ours.edits.add("1", ["sk-1"])
    own_redis.hset(CHANNEL_KEYS + "1", mapping={"7000": "{", "x": '{"value": "sk-x"}', "7001": "[]", "7002": "{}"})
    assert secrets(new_process()) == ["sk-1"]


def test_a_change_of_one_key_is_heard_without_the_others(new_process: New) -> None:
    """Whatever it is: no channel is read whole, and nothing but that key is asked for."""
    ours, other = new_process(), new_process()
    ours.edits.add("1", [f"sk-{number}" for number in range(300)])
    wait_until(lambda: len(other.pools.of("1")) == 300, "the other has heard")
    first, second, *_ = ours.edits.ids("1")
    asked: list[object] = []
    read = other.pools.stored.read
    other.pools.stored.read = lambda channel_id, known, ids: asked.append(ids) or read(channel_id, known, ids)  # type: ignore[method-assign, func-returns-value]
    other.pools.stored.look = _not_wanted  # type: ignore[method-assign]
    other.pools.stored.ids = _not_wanted  # type: ignore[method-assign]
    ours.edits.change("1", first, note="mine", models=["m"], enabled=False)
    ours.edits.delete("1", [second])
    ours.edits.add("1", ["sk-new"])
    wait_until(lambda: secrets(other)[-1] == "sk-new", "the other has heard")
    assert secrets(other) == secrets(ours)
    assert other.pools.of("1").stored_at(0)[2:] == ("mine", ("m",), False)
    assert len(other.pools.of("1")) == 300
    assert sum(map(len, asked)) <= 3  # type: ignore[arg-type]


def _not_wanted(*arguments: object) -> object:
    raise AssertionError("keys were read whole")


def test_who_has_missed_more_than_the_log_tells_reads_whole(
    new_process: New, own_redis: Redis, own_server: EmbeddedRedis
) -> None:
    """Also where an older gateway counted versions without telling the log."""
    ours, other = new_process(), KeepingProcess(own_server.url)
    ours.edits.add("1", ["sk-1"])
    other.pools.load()
    ours.edits.add("1", ["sk-2", "sk-3"])
    own_redis.ltrim(CHANNEL_KEYS_LOG, -1, -1)
    other.pools.load()
    assert secrets(other) == ["sk-1", "sk-2", "sk-3"]
    own_redis.hset(CHANNEL_KEYS + "1", "900", '{"value": "sk-old"}')
    own_redis.hset(CHANNEL_KEYS_VERSIONS, "1", own_redis.incr(CHANNEL_KEYS_VERSION))
    ours.edits.add("1", ["sk-4"])
    for process in (ours, other):
        process.pools.load()
        assert sorted(secrets(process)) == ["sk-1", "sk-2", "sk-3", "sk-4", "sk-old"]
    other.end()


def test_what_changes_while_a_pool_is_read_whole_is_in_it_in_the_end(
    new_process: New, own_server: EmbeddedRedis
) -> None:
    ours, later = new_process(), KeepingProcess(own_server.url)
    ours.edits.add("1", [f"sk-{number}" for number in range(600)])
    ids, read, done = ours.edits.ids("1"), later.pools.stored.read, []

    def read_late(channel_id: str, known: int, wanted: Sequence[int]) -> list[StoredKey]:
        if not done:
            done.append(ours.edits.delete("1", [ids[0], ids[599]]))
            ours.edits.change("1", ids[1], note="mine")
            ours.edits.add("1", ["sk-late"])
        return read(channel_id, known, wanted)

    later.pools.stored.read = read_late  # type: ignore[method-assign]
    later.pools.load()
    assert secrets(later) == secrets(ours)
    assert later.pools.of("1").stored_at(later.pools.of("1").place_of(int(ids[1]))).note == "mine"
    later.end()


def test_troubles_that_are_heard_while_a_pool_is_read_anew_hold_in_it(new_process: New) -> None:
    """And those that it had before."""
    ours = new_process()
    ours.edits.add("1", ["sk-1", "sk-2", "sk-3"])
    ids, pool = ours.edits.ids("1"), ours.pools.of("1")
    ours.note(INVALID, key=ids[0])
    successor = pool.begin_successor()
    for place in range(3):
        successor.put(pool.stored_at(place), now_ms())
    ours.note(LIMITED, key=ids[1])
    assert successor.counts == KeyCounts(3, 1, 1, 1) == pool.counts


def test_keys_that_came_and_went_leave_no_memory_behind(new_process: New) -> None:
    """A pool that holds more of deleted keys than of others is read anew."""
    ours = new_process()
    ours.edits.add("1", [f"{number:0>400}" for number in range(500)])
    ids = ours.edits.ids("1")
    ours.edits.delete("1", ids[:-3])
    ours.edits.delete("1", ids[-3:-2])
    assert list(ours.pools.of("1").ids) == [int(id) for id in ids[-2:]]
    assert secrets(ours) == [f"{number:0>400}" for number in (498, 499)]


def test_sealed_keys_are_found_by_their_digest_and_opened_when_used(new_process: New, own_redis: Redis) -> None:
    """Redis and the pool hold no text of a key; doubles and whole keys are found, also under an old digest."""
    key = "sk-canary-0123456789"
    new_process(secrets=Secrets(["old"], 1)).edits.add("1", [key])
    ours = new_process(secrets=Secrets(["new", "old"], 1))
    assert ours.edits.add("1", [key, "sk-other"]) == Added(1, 1, 2)
    stored = b"".join(own_redis.hvals(CHANNEL_KEYS + "1"))
    assert b"canary" not in stored + repr(ours.pools.of("1").stored_at(0)).encode()
    assert ours.pools.of("1").stored_at(0).sealed.encode() in stored
    assert [one.hint for one in ours.edits.page("1", q=key).keys] == ["sk-c…6789"]
    assert next(ours.pools.of("1").turn("sequential").next().secret for _ in "1") == key  # type: ignore[union-attr]
    assert ours.edits.copy("1", "2") == Added(2, 0, 2), "a text is bound to its channel, so it is sealed anew"
    assert secrets(ours, "2") == [key, "sk-other"]
    ours.edits.delete("1", ours.edits.ids("1"))
    assert ours.edits.add("1", [key]) == Added(1, 0, 1), "its digests went with it"


STARTS = """
import sys
from app.storage.connections import open_redis
from app.storage.keys.pools import KeyPools
from app.storage.secrets import Secrets
pools = KeyPools(open_redis(sys.argv[1]), Secrets(["key"], 1))
pools.start()
pools.stop()
print("cryptography.hazmat.primitives.ciphers.aead" in sys.modules)
"""


def test_a_start_loads_what_opens_keys_where_there_are_some(new_process: New, own_server: EmbeddedRedis) -> None:
    """And only there: the first call waits for nothing, and who has none spares the memory."""

    def loads() -> bool:
        command = [sys.executable, "-c", STARTS, own_server.url]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout == "True\n"

    assert not loads()
    new_process(secrets=Secrets(["key"], 1)).edits.add("1", ["sk-1"])
    assert loads()


def test_sealed_keys_are_written_back_when_lost(new_process: New, own_redis: Redis) -> None:
    ours = new_process(secrets=Secrets(["key"], 1))
    ours.edits.add("1", [f"sk-{number}" for number in range(300)])
    own_redis.flushall()
    ours.pools.load()
    later = new_process(secrets=Secrets(["key"], 1))
    assert secrets(later) == [f"sk-{number}" for number in range(300)]
    assert later.edits.add("1", ["sk-7", "sk-x"]) == Added(1, 1, 301), "doubles are known"
    assert not own_redis.keys(f"{CHANNEL_KEYS}*:*"), "nothing is left of what was written aside"


def test_the_blacklist_is_told_in_the_order_in_which_keys_got_there(new_process: New) -> None:
    """Over all channels; without those that are back, disabled or deleted."""
    process = new_process()
    for channel_id in ("1", "2"):
        process.edits.add(channel_id, [f"sk-{channel_id}-{number}-0123456789" for number in range(3)])
    ids = {channel_id: process.edits.ids(channel_id) for channel_id in ("1", "2")}
    began_ms = now_ms()
    for later, (channel_id, number) in enumerate([("2", 1), ("1", 2), ("2", 0), ("1", 0), ("1", 1)]):
        process.note(INVALID, key=ids[channel_id][number], of=channel_id, at_ms=began_ms + later)
    process.edits.restore("1", [ids["1"][0]])
    process.edits.enable("1", [ids["1"][1]], enabled=False)
    process.edits.delete("2", [ids["2"][0]])
    told = [
        key for some in out_of_pools([process.pools.of("1"), process.pools.of("2")], process.health) for key in some
    ]
    assert [(key.channel_id, key.id) for key in told] == [("2", ids["2"][1]), ("1", ids["1"][2])]
    assert (told[0].hint, told[0].trouble.blacklisted_ms) == ("sk-2…6789", began_ms)
