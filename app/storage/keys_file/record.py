"""What Redis knows of keys files: which channel has their keys, which keys those are, and what each file said last.

Each file, of whatever machine, is a source. One that says what it said last says nothing new, so of several with
different keys the one that was changed last has its way, and none comes back with a restart.
"""

from __future__ import annotations

import time
from array import array
from typing import NamedTuple

from app.storage.connections import CHANNEL_KEYS_FILE, CHANNEL_KEYS_FILE_TURN, Redis

TURN_MS = 5_000
"""So long a process that was killed keeps the others waiting."""
REMEMBERED_MS = 30 * 86_400_000
"""How long a source is known of which nobody hears any more, such as a container that was replaced."""
RENEWED_MS = 86_400_000

_CHANNEL, _URLS, _IDS = "channel", "urls", "ids"
_SOURCE = "source "
_END_TURN = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class Known(NamedTuple):
    """All empty where nothing was ever said, or Redis lost it."""

    channel_id: str
    urls: str
    """What was said last of the channel's urls: one a line."""
    said: str
    """The digest of what this source said last."""


class KeysFileRecord:
    """As one source knows it. Raises RedisError, whatever it is asked."""

    def __init__(self, client: Redis, source: str) -> None:
        self._redis = client
        self._field = _SOURCE + source

    def look(self) -> Known:
        channel_id, urls, stored = (
            _text(part) for part in self._redis.hmget(CHANNEL_KEYS_FILE, [_CHANNEL, _URLS, self._field])
        )
        said, _, at_ms = stored.partition(" ")
        if said and not _is_recent(at_ms, RENEWED_MS):
            self._redis.hset(CHANNEL_KEYS_FILE, self._field, f"{said} {_now_ms()}")
        return Known(channel_id, urls, said)

    def ids(self) -> array[int]:
        """Of the keys that the file named when it was taken last."""
        ids = array("Q")
        stored = self._redis.hget(CHANNEL_KEYS_FILE, _IDS)
        if isinstance(stored, bytes):
            ids.frombytes(stored[: len(stored) // ids.itemsize * ids.itemsize])
        return ids

    def note(self, channel_id: str, urls: str, ids: array[int], said: str) -> None:
        """What was taken; an empty `said`: it is to be taken again. Forgets sources that are long gone."""
        pipe = self._redis.pipeline()
        sources = [field for field in map(_text, self._redis.hkeys(CHANNEL_KEYS_FILE)) if field.startswith(_SOURCE)]
        for field in sources:
            if not _is_recent(_text(self._redis.hget(CHANNEL_KEYS_FILE, field)).rpartition(" ")[2], REMEMBERED_MS):
                pipe.hdel(CHANNEL_KEYS_FILE, field)
        pipe.hset(CHANNEL_KEYS_FILE, mapping={_CHANNEL: channel_id, _URLS: urls, _IDS: ids.tobytes()})
        pipe.hset(CHANNEL_KEYS_FILE, self._field, f"{said} {_now_ms()}")
        pipe.execute()

    def take_turn(self, holder: str) -> bool:
        """Of two processes that find the same file one takes it: for economy only, as twice does no harm."""
        return bool(self._redis.set(CHANNEL_KEYS_FILE_TURN, holder, nx=True, px=TURN_MS))

    def turn(self) -> str:
        """Whose turn it is; empty: nobody's."""
        return _text(self._redis.get(CHANNEL_KEYS_FILE_TURN))

    def keep_turn(self) -> None:
        self._redis.pexpire(CHANNEL_KEYS_FILE_TURN, TURN_MS)

    def end_turn(self, holder: str) -> None:
        self._redis.eval(_END_TURN, 1, CHANNEL_KEYS_FILE_TURN, holder)


def _text(stored: bytes | str | None) -> str:
    return stored.decode() if isinstance(stored, bytes) else stored or ""


def _is_recent(at_ms: str, within_ms: int) -> bool:
    return at_ms.isdecimal() and _now_ms() - int(at_ms) < within_ms


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
