"""Warnings about channels: their keys, and models that none of them can serve at the moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol
from urllib.parse import quote

from app.core.channels.keys import KeyCounts
from app.core.choosing.matching import ALL
from app.core.choosing.standing import Keys, Rest
from app.core.model import Channel, ModelEntry
from app.core.warnings.warning import GatewayWarning, listed, warning


class Standing(Protocol):
    """How channels stand; see `core.choosing.standing`."""

    def channel_rest(self, channel: Channel) -> Rest: ...

    def resting_models(self, channel_id: str, now_ms: int) -> Mapping[str, int]:
        """Until when, by the name that the upstream is asked for."""

    def keys(self, channel: Channel, models: tuple[str, ...]) -> Keys: ...


class Pool(NamedTuple):
    """What is looked at of a channel's keys."""

    counts: KeyCounts
    foreign: int
    """Those that nothing in ENCRYPTION_KEY opens."""
    out_of_line: int
    """Those that are stored otherwise than ENCRYPTION_KEY says."""


def of_keys(
    channels: Iterable[Channel], pool_of: Callable[[str], Pool], pause: Callable[[], object], *, encrypts: bool
) -> Iterator[GatewayWarning]:
    """`encrypts`: new keys are stored encrypted. `pause` is called between steps."""
    keyless: list[Channel] = []
    unusable: list[Channel] = []
    closed: list[Channel] = []
    stored = out_of_line = 0
    for channel in channels:
        pool = pool_of(channel.id)
        stored, out_of_line = stored + pool.counts.total, out_of_line + pool.out_of_line
        if pool.foreign:
            closed.append(channel)
        if channel.enabled and not pool.counts.total:
            keyless.append(channel)
        elif channel.enabled and not pool.counts.usable:
            unusable.append(channel)
        pause()
    if closed:
        yield warning("keys_unreadable", _names(closed))
    if unusable:
        yield warning("channels_without_usable_keys", _names(unusable), _keys_of(unusable))
    if keyless:
        yield warning("channels_without_keys", _names(keyless), _keys_of(keyless))
    if stored and not encrypts:
        yield warning("keys_plain")
    elif out_of_line:
        yield warning("keys_out_of_line", f"{out_of_line:,}")


def of_models(
    channels: Iterable[Channel],
    pool_of: Callable[[str], Pool],
    stand: Standing,
    now_ms: int,
    pause: Callable[[], object],
) -> Iterator[GatewayWarning]:
    """Models that enabled channels name and of which every channel rests or lacks keys, in some dialect.

    A channel that is full, has cost enough for today or is outside of its hours does as it was told. Of one without
    any usable key `of_keys` tells.
    """
    named: dict[str, set[str]] = {}
    served: dict[str, set[str]] = {}
    for channel in channels:
        counts = pool_of(channel.id).counts
        if channel.enabled and counts.usable:
            names = {entry.name for entry in channel.models}
            good = _served(channel, names, counts, stand, now_ms)
            for dialect in channel.dialects:
                named.setdefault(dialect, set()).update(names)
                served.setdefault(dialect, set()).update(good)
        pause()
    unserved: set[str] = set()
    for dialect, names in named.items():
        if ALL not in served[dialect]:
            unserved |= names - served[dialect]
        pause()
    unserved.discard(ALL)
    if unserved:
        link = f"#/channels?model={quote(next(iter(unserved)), safe='')}" if len(unserved) == 1 else ""
        yield warning("models_unserved", listed(sorted(unserved)), link)


def _served(channel: Channel, names: set[str], counts: KeyCounts, stand: Standing, now_ms: int) -> set[str]:
    """Those of its models that a channel can serve now. What holds for all of them is asked first."""
    if not counts.active or stand.channel_rest(channel).until_ms > now_ms:
        return set()
    resting = stand.resting_models(channel.id, now_ms)
    any_key_will_do = stand.keys(channel, ()).fit > 0
    if any_key_will_do and not resting:
        return names
    return {
        entry.name
        for entry in channel.models
        if (entry.upstream_name or entry.name) not in resting
        and (any_key_will_do or stand.keys(channel, _names_of(entry)).fit)
    }


def _names_of(entry: ModelEntry) -> tuple[str, ...]:
    """By which a key may be kept for it."""
    return tuple(dict.fromkeys(name for name in entry if name))


def _names(channels: Iterable[Channel]) -> str:
    return listed(channel.name for channel in channels)


def _keys_of(channels: list[Channel]) -> str:
    """The view of a single channel's keys."""
    return f"#/channels/{channels[0].id}/keys" if len(channels) == 1 else ""
