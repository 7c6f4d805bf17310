"""The catalogue as Redis keeps it: read at one instant, changed by one script, written back by one script.

Every change makes the version grow, beyond the version that its author knew; so nobody sees one go backwards.
A change says on which version it was decided, and is not made when Redis has fallen behind that meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from uuid import uuid4

from app.core.readings import origin
from app.core.routing import Stored
from app.storage.connections import (
    MAPPINGS,
    MAPPINGS_NONE,
    MAPPINGS_OPTIONS,
    MAPPINGS_ORIGIN,
    MAPPINGS_UPDATES,
    MAPPINGS_VERSION,
    SETTINGS_SET,
    Redis,
    RedisError,
)

_KEYS = (MAPPINGS, MAPPINGS_VERSION, MAPPINGS_UPDATES, MAPPINGS_OPTIONS, SETTINGS_SET, MAPPINGS_ORIGIN)
# ARGV of all: the word to all processes. Of changes also: the version that is built on, the version that is known;
# then the change's own.
_GUARD = "if (tonumber(redis.call('GET', KEYS[2]) or '0') or 0) < tonumber(ARGV[2]) then return -1 end "
_TELL = """
if redis.call('INCR', KEYS[2]) <= tonumber(ARGV[3]) then
    redis.call('SET', KEYS[2], string.format('%.0f', ARGV[3] + 1))
end
redis.call('PUBLISH', KEYS[3], ARGV[1])
return 1
"""
_OPTIONS = """
if ARGV[6] == '{}' then redis.call('HDEL', KEYS[4], ARGV[4])
elseif ARGV[6] ~= '' then redis.call('HSET', KEYS[4], ARGV[4], ARGV[6]) end
"""
ADD = _GUARD + "if redis.call('HSETNX', KEYS[1], ARGV[4], ARGV[5]) == 0 then return 0 end" + _OPTIONS + _TELL
UPDATE = (
    _GUARD + "if redis.call('HEXISTS', KEYS[1], ARGV[4]) == 0 then return 0 end "
    "if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], ARGV[4], ARGV[5]) end" + _OPTIONS + _TELL
)
DELETE = (
    _GUARD + "redis.call('HDEL', KEYS[4], ARGV[4]) "
    "if redis.call('HDEL', KEYS[1], ARGV[4]) == 0 then return 0 end " + _TELL
)
SET = (
    _GUARD
    + """
for i = 4, #ARGV, 2 do
    if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[5], ARGV[i])
    else redis.call('HSET', KEYS[5], ARGV[i], ARGV[i + 1]) end
end
"""
    + _TELL
)
ACCEPT = _GUARD + _TELL
"""Changes nothing, but makes what is stored the newest that anybody knows."""

# ARGV after the word: version and origin that were found, the new ones, whether what is there gives way; then for
# mappings, options and settings the number of fields and the fields.
_WRITE_BACK = """
if (tonumber(redis.call('GET', KEYS[2]) or '0') or 0) ~= tonumber(ARGV[2]) then return 0 end
if (redis.call('GET', KEYS[6]) or '') ~= ARGV[3] then return 0 end
local at = 7
for _, key in ipairs({KEYS[1], KEYS[4], KEYS[5]}) do
    if ARGV[6] == '1' then redis.call('DEL', key) end
    local missing = redis.call('EXISTS', key) == 0
    local last = at + 2 * tonumber(ARGV[at])
    for i = at + 1, last, 2 do
        if missing then redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
    end
    at = last + 1
end
redis.call('SET', KEYS[2], ARGV[4])
redis.call('SET', KEYS[6], ARGV[5])
redis.call('PUBLISH', KEYS[3], ARGV[1])
return 1
"""


class StoredCatalog:
    """Raises RedisError, whatever it is asked."""

    def __init__(self, client: Redis) -> None:
        self._redis = client

    def read(self) -> Stored:
        pipe = self._redis.pipeline()
        for key in (MAPPINGS, MAPPINGS_OPTIONS, SETTINGS_SET):
            pipe.hgetall(key)
        pipe.mget(MAPPINGS_VERSION, MAPPINGS_ORIGIN)
        mappings, options, settings, (version, origin) = pipe.execute()
        number = int(version) if version and version.isdigit() else 0
        return Stored(
            number, _decode(mappings), _decode(options), _decode(settings), (origin or b"").decode("utf-8", "replace")
        )

    def change(self, script: str, word: str, built_on: int, known: int, *arguments: str) -> int:
        """1: it was made; 0: there is nothing to change, or it is there already; -1: Redis has fallen behind."""
        return int(self._redis.eval(script, len(_KEYS), *_KEYS, word, built_on, known, *arguments))

    def write_back(self, known: Stored, found: Stored, *, gives_way: bool) -> bool:
        """Stores what is known where it is missing; where what was found gives way, in its place.

        False when somebody else was faster.
        """
        version = known.version + 1
        arguments: list[str | int] = [
            found.version,
            found.origin,
            version,
            origin(version, known.version, uuid4().hex),
            int(gives_way),
        ]
        for part in (known.mappings, known.options, known.settings):
            arguments.append(len(part))
            for field, value in part.items():
                arguments += field, value
        return bool(self._redis.eval(_WRITE_BACK, len(_KEYS), *_KEYS, "written_back", *arguments))

    def ask_for_primary(self) -> None:
        """Writes nothing, but as a writer does; a replica's refusal then leads all connections to its primary.

        Whoever only reads would never hear that it has become one.
        """
        try:
            self._redis.delete(MAPPINGS_NONE)
        except RedisError:
            pass  # what it means is the connections' business


def _decode(stored: MappingOf[bytes, bytes]) -> dict[str, str]:
    return {key.decode("utf-8", "replace"): value.decode("utf-8", "replace") for key, value in stored.items()}
