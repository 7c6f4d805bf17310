"""The catalogue as Redis keeps it: read at one instant, written back by one script; `changes.py` changes it.

A look costs one round trip of two commands, however many nouns there are: versions, and how many tables are there, as a
table that was evicted tells nobody. Only what changed is read.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping as MappingOf
from typing import NamedTuple

from app.core.readings import origin
from app.core.snapshot import Stored
from app.storage.catalog.changes import ALL, KEYS, TELL, new_mark
from app.storage.connections import (
    FILLED,
    MAPPINGS_NONE,
    MAPPINGS_ORIGIN,
    MAPPINGS_VERSION,
    TABLE,
    VERSIONS,
    Redis,
    RedisError,
)
from app.storage.refusals import answer_of

# ARGV: version and origin that were found, the new ones, whether what is there gives way, what `tell` wants; then for
# each table the number of its fields and the fields.
_WRITE_BACK = (
    TELL
    + """
local before = tonumber(redis.call('GET', KEYS[1]) or '0') or 0
if before ~= tonumber(ARGV[1]) then return 0 end
if (redis.call('GET', KEYS[3]) or '') ~= ARGV[2] then return 0 end
local at = 9
for number = 6, #KEYS do
    local key = KEYS[number]
    if ARGV[5] == '1' then redis.call('DEL', key) end
    local missing = redis.call('EXISTS', key) == 0
    local last = at + 2 * tonumber(ARGV[at])
    for i = at + 1, last, 2 do
        if missing then redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
    end
    at = last + 1
end
redis.call('SET', KEYS[3], ARGV[4])
tell(before, tonumber(ARGV[3]), ARGV[6], ARGV[7], ARGV[8])
return 1
"""
)


class Reading(NamedTuple):
    stored: Stored
    """With the tables that were read."""
    there: int
    """How many of all tables are there."""


class StoredCatalog:
    """Raises RedisError, whatever it is asked."""

    def __init__(self, client: Redis, tables: Collection[str]) -> None:
        """`tables` are those of all nouns."""
        self._redis = client
        self._keys = [TABLE + table for table in tables]

    def read(self, tables: Collection[str]) -> Reading:
        """The versions, and these tables as they stood at the same instant."""
        pipe = self._redis.pipeline(transaction=bool(tables))
        pipe.mget(MAPPINGS_VERSION, MAPPINGS_ORIGIN, VERSIONS, FILLED)
        pipe.exists(*self._keys)
        for table in tables:
            pipe.hgetall(TABLE + table)
        (version, origin, stamps, filled), there, *hashes = pipe.execute()
        read = dict(zip(tables, map(_decode, hashes), strict=True))
        number = int(version) if version and version.isdigit() else 0
        noted = _text(filled).replace(TABLE, "")
        return Reading(Stored(number, read, _text(origin), _text(stamps), noted), there)

    def write_back(self, known: Stored, found: Stored, *, gives_way: bool) -> bool:
        """Stores what is known where it is missing; where what was found gives way, in its place.

        False when somebody else was faster.
        """
        basis = max(known.version, found.version)
        arguments: list[str | int] = [
            found.version,
            found.origin,
            basis + 1,
            origin(basis + 1, basis, new_mark()),
            int(gives_way),
            ALL,
            new_mark(),
            "written_back",
        ]
        for table in known.tables.values():
            arguments.append(len(table))
            for field, value in table.items():
                arguments += field, value
        keys = [*KEYS, *(TABLE + table for table in known.tables)]
        return bool(self._redis.eval(_WRITE_BACK, len(keys), *keys, *arguments))

    def ask_for_primary(self) -> str:
        """Writes nothing, but as a writer does; a replica's refusal then leads all connections to its primary.

        Whoever only reads would never hear that it has become one, nor that Redis takes nothing more. Returns how it
        refused, to follow its name; empty when it did not, or does not answer.
        """
        try:
            self._redis.set(MAPPINGS_NONE, "", xx=True)
        except RedisError as error:
            return answer_of(error)
        return ""


def _text(stored: bytes | None) -> str:
    return (stored or b"").decode("utf-8", "replace")


def _decode(stored: MappingOf[bytes, bytes]) -> dict[str, str]:
    return {_text(key): _text(value) for key, value in stored.items()}
