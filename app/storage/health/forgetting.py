"""Whose trouble nobody needs to remember any more."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingOf

from app.core.model import Channel
from app.storage.health.observed import Health, in_pieces
from app.storage.health.stored import Change, field_of
from app.storage.health.subjects import KEY
from app.storage.keys.pools import KeyPools
from app.waiting import Turns


def forgettable(
    health: Health, pools: KeyPools, channels: MappingOf[str, Channel] | None, now_ms: int
) -> Iterator[Change]:
    """Of channels and keys that are no more (`channels` are those that there are; None: nobody knows), and of those
    whose rests were over long ago. Found in steps, for there may be very many."""
    turns = Turns()
    for channel in list(health.channels.values()):
        is_gone = channels is not None and channel.id not in channels
        for names in in_pieces(channel.subjects.names()):
            turns.passed()
            with health.lock:
                looked_at = [(name, channel.subjects.look(name)) for name in names]
            for name, subject in looked_at:
                if subject is None or not subject.raw or subject.pending:
                    continue
                if is_gone or _has_no_key(pools, channel.id, name) or subject.trouble.is_forgettable(now_ms):
                    yield Change(field_of(channel.id, name), subject.raw, b"")


def _has_no_key(pools: KeyPools, channel_id: str, name: str) -> bool:
    return name.startswith(KEY) and pools.loaded and pools.of(channel_id).place_of(int(name[1:])) < 0
