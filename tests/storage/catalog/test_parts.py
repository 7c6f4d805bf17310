"""The catalogue by parts: what did not change is neither read nor built anew; a noun is no more than a description."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from app.core.errors import Invalid
from app.core.settings import Limits, Settings
from app.core.snapshot import MAPPINGS, NOUNS, SETTINGS, Basis, Noun, Table, telling
from app.storage.catalog import catalog as catalog_module
from app.storage.catalog import mappings, settings
from app.storage.catalog.catalog import Catalog
from app.storage.catalog.changes import Edit
from app.storage.connections import MAPPINGS as MAPPINGS_KEY
from app.storage.connections import MAPPINGS_UPDATES, MAPPINGS_VERSION, SETTINGS_SET, TABLE, VERSIONS, Redis
from app.storage.embedded import EmbeddedRedis
from tests.support.own_redis import kill, revive
from tests.support.waiting import wait_until

TARGET = "https://one.example"


@dataclass(frozen=True)
class Widgets:
    sizes: dict[str, int]
    rejected: dict[str, Invalid]


def parse_widgets(tables: Sequence[Table], basis: Basis) -> Widgets:
    part = Widgets({}, {})
    for name, text in tables[0].items():
        with telling(part.rejected, name):
            if not text.isdigit():
                raise Invalid(f"{text!r} is no size", "size")
            part.sizes[name] = int(text)
    return part


WIDGETS = Noun("widgets", "widget", ("widgets",), parse_widgets)
"""A third noun, that none of the modules under test knows."""


def put(name: str, text: str) -> list[Edit]:
    return [Edit("put", "widgets", name, text)]


@pytest.fixture
def there(new_catalog: Callable[..., Catalog]) -> Catalog:
    """A process in which the operator has said something of each noun."""
    catalog = new_catalog((*NOUNS, WIDGETS))
    mappings.add(catalog, "/a", TARGET, {"idle_timeout": 9.0})
    mappings.add(catalog, "/b", TARGET)
    settings.change(catalog, {"total_timeout": 90.0})
    assert catalog.change(WIDGETS, "added", put("w", "1"))
    return catalog


@pytest.fixture
def here(there: Catalog, new_catalog: Callable[..., Catalog]) -> Catalog:
    """Another process that knows all of it."""
    catalog = new_catalog((*NOUNS, WIDGETS))
    catalog.load()
    return catalog


def read_during(client: Redis, act: Callable[[], object]) -> list[str]:
    """The hashes that were read while it was done, by name."""
    with client.monitor() as monitor:
        act()
        client.echo("end")
        read = []
        while not (command := monitor.next_command()["command"]).startswith("ECHO"):
            if command.startswith("HGETALL"):
                read.append(command.removeprefix(f"HGETALL {TABLE}"))
        return sorted(read)


CHANGES: dict[str, tuple[Callable[[Catalog], object], list[str]]] = {
    "mapping": (lambda catalog: mappings.add(catalog, "/c", TARGET), ["mappings", "mappings:options"]),
    "settings": (lambda catalog: settings.change(catalog, {"idle_timeout": 5.0}), ["settings"]),
    "widget": (lambda catalog: catalog.change(WIDGETS, "updated", put("w", "2")), ["widgets"]),
    "nothing": (lambda catalog: None, []),
}


@pytest.mark.parametrize(("change", "read"), CHANGES.values(), ids=CHANGES)
def test_only_what_changed_is_read(
    own_redis: Redis, there: Catalog, here: Catalog, change: Callable[[Catalog], object], read: list[str]
) -> None:
    """A look reads versions, and the hashes of the noun that has changed; then it knows what the other one knows."""
    change(there)
    assert read_during(own_redis, here.look) == read
    assert here.snapshot == there.snapshot


def test_several_changes_at_once_are_all_read(own_redis: Redis, there: Catalog, here: Catalog) -> None:
    """Each part has a version of its own, so a later change of another one hides none."""
    settings.change(there, {"idle_timeout": 5.0})
    there.change(WIDGETS, "updated", put("w", "2"))
    there.change(WIDGETS, "updated", put("w", "3"))
    assert read_during(own_redis, here.look) == ["settings", "widgets"]
    assert here.snapshot == there.snapshot


def test_only_what_depends_on_a_change_is_built_anew(there: Catalog, here: Catalog) -> None:
    """Limits are built into all mappings, other settings are not; a mapping changes no setting, and nobody a widget."""
    before = here.snapshot
    mappings.add(there, "/c", TARGET)
    after = here.look()
    assert SETTINGS.of(after) is SETTINGS.of(before)
    assert WIDGETS.of(after) is WIDGETS.of(before)
    settings.change(there, {"total_timeout": 30.0})
    last = here.look()
    assert {last.mappings[prefix].upstream.limits.total_timeout for prefix in ("/a", "/b", "/c")} == {30.0}
    assert MAPPINGS.of(last) is not MAPPINGS.of(after)
    assert WIDGETS.of(last) is WIDGETS.of(before)
    settings.change(there, {"global_burst": 5})
    assert here.look().settings.global_burst == 5
    assert MAPPINGS.of(here.snapshot) is MAPPINGS.of(last)  # it is no limit of theirs


def test_an_older_gateway_beside_us_hides_nothing(own_redis: Redis, there: Catalog, here: Catalog) -> None:
    """It raises the version and stamps no part; a change of ours right after it does not cover that up."""
    with own_redis.pipeline() as older:
        older.hset(SETTINGS_SET, "idle_timeout", "5").incr(MAPPINGS_VERSION).execute()
    there.change(WIDGETS, "updated", put("w", "2"))
    here.look()
    assert here.snapshot.limits.idle_timeout == 5
    assert WIDGETS.of(here.snapshot).sizes == {"w": 2}
    for seconds in (6, 7):
        with own_redis.pipeline() as older:
            older.hset(SETTINGS_SET, "idle_timeout", seconds).incr(MAPPINGS_VERSION).execute()
        assert here.look().limits.idle_timeout == seconds
        own_redis.delete(VERSIONS)


def test_a_restored_history_is_told_apart_by_its_marks(own_redis: Redis, there: Catalog, here: Catalog) -> None:
    """Two histories may reach the same version; a part that is another in the second one is read."""
    backup = own_redis.dump(TABLE + "widgets"), own_redis.get(MAPPINGS_VERSION), own_redis.get(VERSIONS)
    there.change(WIDGETS, "updated", put("w", "2"))
    here.look()
    own_redis.restore(TABLE + "widgets", 0, backup[0], replace=True)
    own_redis.mset({MAPPINGS_VERSION: backup[1], VERSIONS: backup[2]})
    late = Catalog(own_redis, Limits(), Settings(), (*NOUNS, WIDGETS))
    late.change(WIDGETS, "updated", put("w", "3"))
    assert late.snapshot.version == here.snapshot.version
    assert WIDGETS.of(here.look()).sizes == {"w": 3}


def test_a_third_noun_is_told_to_others_at_once(own_redis: Redis, there: Catalog, here: Catalog) -> None:
    """A noun that is described and no more loads, changes, reaches another process, and tells what is nonsense."""
    assert WIDGETS.of(here.snapshot).sizes == {"w": 1}
    here.start()
    wait_until(lambda: own_redis.pubsub_numsub(MAPPINGS_UPDATES)[0][1] == 1, "it listens")
    there.change(WIDGETS, "added", [*put("w", "7"), *put("bad", "big")])
    wait_until(lambda: WIDGETS.of(here.snapshot).sizes == {"w": 7}, "it is heard", timeout_s=1)
    assert WIDGETS.of(here.snapshot).rejected["bad"].told() == {"code": "invalid", "field": "size"}
    there.change(WIDGETS, "deleted", [Edit("delete", "widgets", "w"), Edit("delete", "widgets", "bad")])
    wait_until(lambda: WIDGETS.of(here.snapshot).sizes == {}, "it is heard", timeout_s=1)
    assert set(here.snapshot.mappings) == {"/a", "/b"}


@pytest.mark.parametrize("word", ["widget_updated", "anything"])
def test_a_word_said_by_hand_is_heard(own_redis: Redis, here: Catalog, word: str) -> None:
    """PUBLISH after an HSET is enough, without a new version: the noun that it names is read, else all are."""
    here.start()
    wait_until(lambda: own_redis.pubsub_numsub(MAPPINGS_UPDATES)[0][1] == 1, "it listens")
    for size in (8, 9):  # the first may have been found by what is read at the start
        own_redis.hset(TABLE + "widgets", "w", size)
        own_redis.publish(MAPPINGS_UPDATES, word)
        wait_until(lambda size=size: WIDGETS.of(here.snapshot).sizes == {"w": size}, "it is heard", timeout_s=1)


def test_a_change_is_made_whole_or_not_at_all(own_redis: Redis, there: Catalog) -> None:
    """What one edit asks for does not hold, so none is made, and nobody is told."""
    version = there.snapshot.version
    assert not there.change(WIDGETS, "added", [*put("v", "1"), Edit("add", "widgets", "w", "5")])
    assert not there.change(WIDGETS, "updated", [*put("v", "1"), Edit("find", "widgets", "x")])
    assert own_redis.hgetall(TABLE + "widgets") == {b"w": b"1"}
    assert there.load().version == version
    assert there.change(WIDGETS, "added", [Edit("add", "widgets", "v", "5")])
    assert own_redis.hget(TABLE + "widgets", "v") == b"5"


LOSSES: dict[str, Callable[[Redis], object]] = {
    "all": lambda client: client.flushall(),
    "the third noun alone": lambda client: client.delete(TABLE + "widgets"),
    "mappings alone": lambda client: client.delete(MAPPINGS_KEY),
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_what_was_lost_of_any_noun_is_written_back(
    own_redis: Redis, there: Catalog, here: Catalog, lose: Callable[[Redis], object]
) -> None:
    """A look notices it, though only one field was there of what nobody edits by hand, and one script mends all."""
    hashes = [TABLE + table for noun in (SETTINGS, MAPPINGS, WIDGETS) for table in noun.tables]
    before = [own_redis.hgetall(key) for key in hashes]
    assert all(before)
    lose(own_redis)
    here.look()
    assert [own_redis.hgetall(key) for key in hashes] == before
    assert there.look() == here.snapshot
    assert (here.doubt, there.doubt) == ("", "")
    there.change(WIDGETS, "updated", put("w", "2"))
    assert read_during(own_redis, here.look) == ["widgets"]


def test_an_older_gateway_that_writes_back_first_loses_no_noun(
    own_redis: Redis, there: Catalog, here: Catalog, new_catalog: Callable[[], Catalog]
) -> None:
    """It knows mappings and settings only, and takes their loss for its own to mend; the third noun comes after."""
    older = new_catalog()
    older.load()
    own_redis.flushall()
    older.load()
    assert not own_redis.exists(TABLE + "widgets")
    for catalog in (here, there, older, here):
        catalog.look()
    assert own_redis.hgetall(TABLE + "widgets") == {b"w": b"1"}
    assert WIDGETS.of(here.snapshot) == WIDGETS.of(there.snapshot) == Widgets({"w": 1}, {})
    assert older.snapshot.version == here.snapshot.version == there.snapshot.version


def test_a_third_noun_outlives_a_killed_redis(
    own_redis: Redis, own_server: EmbeddedRedis, there: Catalog, here: Catalog
) -> None:
    """It goes on serving while Redis is away, and stands in Redis again when that came back empty."""
    here.start()
    wait_until(lambda: own_redis.pubsub_numsub(MAPPINGS_UPDATES)[0][1] == 1, "it listens")
    kill(own_server)
    assert WIDGETS.of(here.in_hand()).sizes == {"w": 1}
    revive(own_server)
    own_redis.flushall()
    wait_until(lambda: own_redis.hgetall(TABLE + "widgets") == {b"w": b"1"}, "it is written back")
    assert WIDGETS.of(there.load()).sizes == {"w": 1}


def test_what_may_be_edited_by_hand_is_compared_now_and_then(
    own_redis: Redis, here: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every second look of the watch reads those hashes, and never one that nobody may edit."""
    monkeypatch.setattr(catalog_module, "POLL_S", 0.02)
    here.start()

    def edit(target: str) -> None:
        own_redis.hset(MAPPINGS_KEY, "/a", target)
        wait_until(lambda: here.snapshot.mappings["/a"].target == target, "the edit is found")

    def calls(command: str) -> int:
        return int(own_redis.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"])

    edit("https://first.example")  # then what is read at the start has been read
    wait_until(lambda: own_redis.pubsub_numsub(MAPPINGS_UPDATES)[0][1] == 1, "it listens")
    edit("https://second.example")
    own_redis.hset(TABLE + "widgets", "w", "5")
    own_redis.config_resetstat()
    edit("https://third.example")
    wait_until(lambda: calls("mget") >= 20, "it looks again and again")
    here.stop()
    assert WIDGETS.of(here.snapshot).sizes == {"w": 1}
    assert calls("hgetall") <= sum(len(noun.tables) for noun in NOUNS) * (calls("mget") // 2 + 1)
