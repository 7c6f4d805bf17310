"""Keys of channels as Redis keeps them: read at one instant, changed by one script, written back by one script.

All changes share one version; each channel has that of its last change, so a look at one number tells that nothing did.
A change says which version it was decided on, and is not made when Redis has lost that meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson

from app.core.channels.keys import StoredKey
from app.storage.connections import (
    CHANNEL_KEY_DIGESTS,
    CHANNEL_KEYS,
    CHANNEL_KEYS_LAST_ID,
    CHANNEL_KEYS_NEWS,
    CHANNEL_KEYS_VERSION,
    CHANNEL_KEYS_VERSIONS,
    Redis,
)

_SHARED = (CHANNEL_KEYS_VERSION, CHANNEL_KEYS_NEWS, CHANNEL_KEYS_VERSIONS, CHANNEL_KEYS_LAST_ID)
# KEYS of all: those above, the channel's keys, its digests. ARGV of changes: the version that is known, the channel.
_GUARD = "if (tonumber(redis.call('GET', KEYS[1]) or '0') or 0) < tonumber(ARGV[1]) then return {-1, 0} end\n"
_TELL = """
redis.call('HSET', KEYS[3], ARGV[2], redis.call('INCR', KEYS[1]))
redis.call('PUBLISH', KEYS[2], ARGV[2])
"""
# Then of each key its digest and JSON. Returns how many were not there yet, and how many there are now.
_ADD = (
    _GUARD
    + """
local added = 0
for i = 3, #ARGV, 2 do
    if redis.call('HEXISTS', KEYS[6], ARGV[i]) == 0 then
        local id = redis.call('INCR', KEYS[4])
        redis.call('HSET', KEYS[6], ARGV[i], id)
        redis.call('HSET', KEYS[5], id, ARGV[i + 1])
        added = added + 1
    end
end
if added > 0 then
"""
    + _TELL
    + "end return {added, redis.call('HLEN', KEYS[5])}"
)
# Then of each key its id, the JSON that it has, the new one (empty: it goes), its digest. All or nothing.
_CHANGE = (
    _GUARD
    + """
for i = 3, #ARGV, 4 do
    if redis.call('HGET', KEYS[5], ARGV[i]) ~= ARGV[i + 1] then return {0, 0} end
end
for i = 3, #ARGV, 4 do
    if ARGV[i + 2] == '' then
        redis.call('HDEL', KEYS[5], ARGV[i])
        redis.call('HDEL', KEYS[6], ARGV[i + 3])
    else
        redis.call('HSET', KEYS[5], ARGV[i], ARGV[i + 2])
    end
end
"""
    + _TELL
    + "return {1, redis.call('HLEN', KEYS[5])}"
)
_DROP = (
    _GUARD
    + """
redis.call('DEL', KEYS[5], KEYS[6])
redis.call('INCR', KEYS[1])
redis.call('HDEL', KEYS[3], ARGV[2])
redis.call('PUBLISH', KEYS[2], ARGV[2])
return {1, 0}
"""
)
# ARGV: the channel. One text is parsed far faster than as many as there are keys.
_READ = """
local lines = {}
local fields = redis.call('HGETALL', KEYS[5])
for i = 1, #fields, 2 do lines[#lines + 1] = fields[i] .. ' ' .. fields[i + 1] end
return {redis.call('HGET', KEYS[3], ARGV[1]) or '0', table.concat(lines, '\\n')}
"""
# ARGV: the version of this channel's keys, the channel; then of each key its id, JSON and digest. What is newer stays.
_WRITE_BACK = """
local version = tonumber(redis.call('HGET', KEYS[3], ARGV[2]) or '0') or 0
local lost = #ARGV > 2 and redis.call('EXISTS', KEYS[5]) == 0
if version > tonumber(ARGV[1]) or (version == tonumber(ARGV[1]) and not lost) then return 0 end
redis.call('DEL', KEYS[5], KEYS[6])
for i = 3, #ARGV, 3 do
    redis.call('HSET', KEYS[5], ARGV[i], ARGV[i + 1])
    redis.call('HSET', KEYS[6], ARGV[i + 2], ARGV[i])
end
redis.call('HSET', KEYS[3], ARGV[2], ARGV[1])
return 1
"""
# ARGV: the version and the last id that are known. Only now nothing is missing any more.
_WRITTEN_BACK = """
if (tonumber(redis.call('GET', KEYS[1]) or '0') or 0) >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], string.format('%.0f', ARGV[1] + 1))
if (tonumber(redis.call('GET', KEYS[4]) or '0') or 0) < tonumber(ARGV[2]) then redis.call('SET', KEYS[4], ARGV[2]) end
redis.call('PUBLISH', KEYS[2], '')
return 1
"""


class Look(NamedTuple):
    """What is there, without the keys themselves."""

    version: int
    last_id: int
    versions: dict[str, int]
    """By channel."""


class Edit(NamedTuple):
    """Of one key: what it was, and what it becomes; None: it goes."""

    before: StoredKey
    after: StoredKey | None


class StoredKeys:
    """Raises RedisError, whatever it is asked."""

    def __init__(self, client: Redis) -> None:
        self._redis = client

    def version(self) -> int:
        return _number(self._redis.get(CHANNEL_KEYS_VERSION))

    def look(self) -> Look:
        pipe = self._redis.pipeline()
        pipe.mget(CHANNEL_KEYS_VERSION, CHANNEL_KEYS_LAST_ID)
        pipe.hgetall(CHANNEL_KEYS_VERSIONS)
        (version, last_id), versions = pipe.execute()
        found = {channel.decode(): _number(stored) for channel, stored in versions.items()}
        return Look(_number(version), _number(last_id), found)

    def read(self, channel_id: str) -> tuple[int, list[StoredKey]]:
        """The version of a channel's keys, and the keys by their ids. What makes no sense is left out."""
        version, text = self._eval(_READ, channel_id, channel_id)
        keys = [key for line in text.splitlines() if (key := _read(*line.split(b" ", 1))) is not None]
        return _number(version), sorted(keys)

    def add(self, channel_id: str, known: int, keys: Sequence[StoredKey]) -> tuple[int, int]:
        """How many were added, of those that were not there, and how many there are now. Ids are given here.

        (-1, 0): Redis has fallen behind what is `known`.
        """
        arguments = [part for key in keys for part in (digest(key.secret), _written(key))]
        added, total = self._eval(_ADD, channel_id, known, channel_id, *arguments)
        return int(added), int(total)

    def change(self, channel_id: str, known: int, edits: Iterable[Edit]) -> int:
        """1: all were made; 0: none, as one is no longer what it was; -1: Redis has fallen behind."""
        arguments: list[str | bytes | int] = []
        for before, after in edits:
            new = _written(after) if after is not None else b""
            arguments += before.id, _written(before), new, digest(before.secret)
        return int(self._eval(_CHANGE, channel_id, known, channel_id, *arguments)[0])

    def drop(self, channel_id: str, known: int) -> int:
        """All keys of a channel."""
        return int(self._eval(_DROP, channel_id, known, channel_id)[0])

    def write_back(self, channel_id: str, version: int, keys: Iterable[StoredKey]) -> bool:
        """Stores the keys of a channel as they were at `version`. False when they are there already."""
        arguments = [part for key in keys for part in (key.id, _written(key), digest(key.secret))]
        return bool(self._eval(_WRITE_BACK, channel_id, version, channel_id, *arguments))

    def end_write_back(self, version: int, last_id: int) -> bool:
        return bool(self._eval(_WRITTEN_BACK, "", version, last_id))

    def _eval(self, script: str, channel_id: str, *arguments: str | bytes | int) -> list[bytes]:
        keys = (*_SHARED, CHANNEL_KEYS + channel_id, CHANNEL_KEY_DIGESTS + channel_id)
        return self._redis.eval(script, len(keys), *keys, *arguments)  # type: ignore[no-any-return]


def digest(secret: str) -> str:
    """By which a key is found again without its text."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _written(key: StoredKey) -> bytes:
    """As it is stored: always the same for the same key, for changes compare it."""
    said: dict[str, object] = {"value": key.secret}
    if key.note:
        said["note"] = key.note
    if key.models:
        said["models"] = key.models
    if not key.enabled:
        said["enabled"] = False
    return orjson.dumps(said)


def _read(id: bytes, stored: bytes) -> StoredKey | None:
    try:
        said = orjson.loads(stored)
        models = tuple(map(str, said.get("models", ())))
        return StoredKey(
            int(id), str(said["value"]), str(said.get("note", "")), models, bool(said.get("enabled", True))
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _number(stored: bytes | str | int | None) -> int:
    try:
        return int(stored or 0)
    except ValueError:
        return 0
