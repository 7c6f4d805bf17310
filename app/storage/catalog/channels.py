"""What an operator does to channels: each a check and one change of the catalogue.

A change is decided on what is known here and made only while that is so; else it is decided anew. So of two operators
who change different fields at once neither loses his.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from collections.abc import Mapping as MappingOf
from typing import Any, Final

import orjson

from app.core.channels.definition import CHANNEL_TARGET, comparable, merged, parse_channel
from app.core.channels.stored_form import written
from app.core.model import Channel
from app.core.snapshot import CHANNELS, MAPPINGS, Noun, Part
from app.storage.catalog.catalog import Catalog
from app.storage.catalog.changes import Along, Edit
from app.storage.connections import RedisError

TEXTS, NAMES, LAST_ID = CHANNELS.tables
TARGETS: Final = MAPPINGS.tables[0]
TRIES: Final = 20
"""How often a change is decided anew because others were first; with each, one of them has his way."""
_LAST: Final = "last"
"""The one field of LAST_ID: the id that was given last. It outlives its channel, so no id is given twice."""

Check = Callable[[Channel], object]
"""Raises what speaks against a channel that could be."""


class ChannelNotFound(ValueError):
    """There is no such channel."""


class ChannelNameTaken(ValueError):
    """Another channel has this name."""


class ChannelInUse(ValueError):
    """A mapping leads to the channel."""


def add(catalog: Catalog, said: Any, check: Check) -> Channel:
    """Raises Invalid, ChannelNameTaken, RedisError, and what `check` does."""
    catalog.look()
    for _ in range(TRIES):
        last, first_new = last_id(catalog)
        channel = parsed(catalog, str(first_new), said)
        check(channel)
        _refuse_taken(catalog.table(NAMES), channel)
        edits = [*giving_ids(last, first_new), *adding(channel)]
        if catalog.change(CHANNELS, "added", edits):
            return channel
    raise _lost()


def _anything(channel: Channel) -> None:
    """Nothing speaks against it."""


def update(catalog: Catalog, changes: MappingOf[str, Any], check: Check = _anything) -> list[Channel]:
    """Changes what is given of each channel, by id, and leaves the rest: all at once, or nothing.

    Mappings follow a new name. Raises Invalid, ChannelNotFound, ChannelNameTaken, RedisError, and what `check` does.
    """
    catalog.look()
    for _ in range(TRIES):
        edits: list[Edit] = []
        channels = []
        for channel_id, change in changes.items():
            said, created_at_ms = said_of(catalog, channel_id)
            channel = parsed(catalog, channel_id, merged(said, change), created_at_ms)
            check(channel)
            channels.append(channel)
            edits += changing(catalog, channel)
        if not edits or catalog.change(noun_of(edits), "updated", edits):
            return channels
    raise _lost()


def delete(catalog: Catalog, channel_ids: Collection[str], along: Along | None = None) -> None:
    """All of them, or none; `along` with them. Raises ChannelNotFound, ChannelInUse, RedisError."""
    catalog.look()
    for _ in range(TRIES):
        edits: list[Edit] = []
        for channel_id in channel_ids:
            before = _stored(catalog, channel_id)
            name = str(_read(before)[0].get("name", ""))
            if prefixes := mappings_to(catalog, name):
                text = f"the channel {name!r} cannot be deleted: mappings lead to it ({', '.join(prefixes)})"
                raise ChannelInUse(f"{text}; change or delete those first")
            edits += Edit("same", TEXTS, channel_id, before), Edit("delete", TEXTS, channel_id)
            edits += [Edit("delete", NAMES, name) for name in _names_of(catalog, channel_id)]
        if not edits or catalog.change(CHANNELS, "deleted", edits, along):
            return
    raise _lost()


def mappings_to(catalog: Catalog, name: str) -> list[str]:
    """The prefixes of the mappings whose target is the channel of this name."""
    wanted = comparable(name)
    return [
        prefix
        for prefix, target in catalog.table(TARGETS).items()
        if target.startswith(CHANNEL_TARGET) and comparable(target.removeprefix(CHANNEL_TARGET)) == wanted
    ]


def last_id(catalog: Catalog) -> tuple[str, int]:
    """What is stored as the last id, and the one to give next."""
    ids, names, last = catalog.table(TEXTS), catalog.table(NAMES), catalog.table(LAST_ID).get(_LAST, "")
    return last, max(map(_number, (*ids, *names.values(), last)), default=0) + 1


def giving_ids(last: str, last_given: int) -> list[Edit]:
    return [Edit("same", LAST_ID, _LAST, last), Edit("put", LAST_ID, _LAST, str(last_given))]


def adding(channel: Channel) -> list[Edit]:
    return [
        Edit("add", NAMES, comparable(channel.name), channel.id),
        Edit("add", TEXTS, channel.id, written(channel)),
    ]


def changing(catalog: Catalog, channel: Channel) -> list[Edit]:
    """Of one that is there; mappings follow its name. Raises ChannelNotFound, ChannelNameTaken."""
    before = _stored(catalog, channel.id)
    edits = [Edit("same", TEXTS, channel.id, before), Edit("put", TEXTS, channel.id, written(channel))]
    edits += _renaming(catalog, channel)
    return edits + _following(catalog, str(_read(before)[0].get("name", "")), channel.name)


def noun_of(edits: Sequence[Edit]) -> Noun[Part] | None:
    """Whose change it is; None: of several nouns at once."""
    return None if any(edit.table == TARGETS for edit in edits) else CHANNELS


def said_of(catalog: Catalog, channel_id: str) -> tuple[dict[str, Any], int]:
    """What was said of one, and when it was said first. Raises ChannelNotFound."""
    return _read(_stored(catalog, channel_id))


def parsed(catalog: Catalog, channel_id: str, said: Any, created_at_ms: int | None = None) -> Channel:
    """The channel that it would be, changed now; None: it is a new one. Raises Invalid."""
    limits, now_ms = catalog.snapshot.limits, _now_ms()
    created_at_ms = now_ms if created_at_ms is None else created_at_ms
    return parse_channel(channel_id, said, limits, created_at_ms=created_at_ms, updated_at_ms=now_ms)


def _renaming(catalog: Catalog, channel: Channel) -> list[Edit]:
    names, name = catalog.table(NAMES), comparable(channel.name)
    _refuse_taken(names, channel)
    edits = [Edit("delete", NAMES, old) for old in _names_of(catalog, channel.id) if old != name]
    return edits if name in names else [*edits, Edit("add", NAMES, name, channel.id)]


def _following(catalog: Catalog, old: str, new: str) -> list[Edit]:
    """A mapping that was changed meanwhile does not follow, and the whole is decided anew."""
    if not old or old == new:
        return []
    targets = catalog.table(TARGETS)
    edits: list[Edit] = []
    for prefix in mappings_to(catalog, old):
        edits += Edit("same", TARGETS, prefix, targets[prefix]), Edit("put", TARGETS, prefix, f"{CHANNEL_TARGET}{new}")
    return edits


def _refuse_taken(names: MappingOf[str, str], channel: Channel) -> None:
    if names.get(comparable(channel.name), channel.id) != channel.id:
        raise ChannelNameTaken(f"another channel is named {channel.name!r} (capitals count for nothing)")


def _names_of(catalog: Catalog, channel_id: str) -> Sequence[str]:
    return [name for name, of in catalog.table(NAMES).items() if of == channel_id]


def _stored(catalog: Catalog, channel_id: str) -> str:
    text = catalog.table(TEXTS).get(channel_id)
    if text is None:
        raise ChannelNotFound(f"there is no channel {channel_id}")
    return text


def _read(text: str) -> tuple[dict[str, Any], int]:
    """What was said, and when it was said first; nothing where that makes no sense, so that it can be said anew."""
    try:
        stored = orjson.loads(text)
        return dict(stored["said"]), int(stored["created_at_ms"])
    except (ValueError, TypeError, KeyError):
        return {}, 0


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 20 else 0


def _lost() -> RedisError:
    return RedisError("the channels were changed by others all the while")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
