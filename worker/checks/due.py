"""When which key and which channel is tried next. Pure: `now` is an argument."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from zlib import crc32

from app.core.channels.hours import is_open
from app.core.judging.troubles import Trouble
from app.core.model import Channel, Snapshot

JITTER: Final = 0.1
"""A time between two tries is longer or shorter by at most this share, so that what fell out together comes apart."""
ALL_KEYS: Final = "keys"
ALL_CHANNELS: Final = "channels"
"""The names under which all of them count as tried: an operator cancelled their tries."""


def name_of_key(key_id: str) -> str:
    """By which it is kept when a key was tried last."""
    return f"key {key_id}"


def name_of_keys(channel_id: str) -> str:
    """The same of all keys of a channel: its upstream says nothing of them."""
    return f"keys {channel_id}"


def name_of_channel(channel_id: str) -> str:
    """The same of a channel."""
    return f"channel {channel_id}"


def due_ms(name: str, since_ms: int, interval_s: float) -> int:
    """When that is tried again which was tried at `since_ms`: the same for whoever asks."""
    share = crc32(f"{name} {since_ms}".encode()) / 0xFFFFFFFF
    return since_ms + round(interval_s * 1000 * (1 - JITTER + 2 * JITTER * share))


def open_channels(snapshot: Snapshot, now_ms: int) -> dict[str, Channel]:
    """Those that may serve now, by id."""
    zone = snapshot.settings.time_zone
    return {one.id: one for one in snapshot.channels if one.enabled and is_open(one.hours, now_ms, zone)}


def due_keys(
    blacklisted: Iterable[tuple[str, str, Trouble]], tried_ms: Mapping[str, int], snapshot: Snapshot, now_ms: int
) -> Iterator[tuple[int, str, str]]:
    """Of the keys on the blacklist those to be tried now: since when, channel and key."""
    interval_s, channels = snapshot.settings.revalidate_interval_s, open_channels(snapshot, now_ms)
    for channel_id, key_id, trouble in blacklisted if interval_s else ():
        name = name_of_key(key_id)
        tries_ms = (tried_ms.get(one, 0) for one in (name, name_of_keys(channel_id), ALL_KEYS))
        since_ms = max(trouble.changed_ms, trouble.blacklisted_ms, *tries_ms)
        at_ms = due_ms(name, since_ms, interval_s)
        if at_ms <= now_ms and channel_id in channels:
            yield at_ms, channel_id, key_id


def due_channels(tried_ms: Mapping[str, int], snapshot: Snapshot, now_ms: int) -> Iterator[tuple[int, str]]:
    """The channels to be tried now, since when: those with a check_model. One that never was tried is due at once."""
    interval_s = snapshot.settings.check_interval_s
    for channel_id, channel in open_channels(snapshot, now_ms).items() if interval_s else ():
        if not channel.check_model:
            continue
        name = name_of_channel(channel_id)
        since_ms = max(tried_ms.get(name, 0), tried_ms.get(ALL_CHANNELS, 0))
        at_ms = due_ms(name, since_ms, interval_s) if since_ms else 0
        if at_ms <= now_ms:
            yield at_ms, channel_id
