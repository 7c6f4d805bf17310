"""One script changes any noun of the catalogue, and tells all processes.

Every change makes the version grow, beyond the version that its author knew; so nobody sees one go backwards.
A change says on which version it was decided, and is not made when Redis has fallen behind that meanwhile.
It leaves a note of which tables hold something, so that one that is lost later is missed even by who never knew it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple, Protocol
from uuid import uuid4

from app.storage.connections import (
    FILLED,
    MAPPINGS_ORIGIN,
    MAPPINGS_UPDATES,
    MAPPINGS_VERSION,
    TABLE,
    VERSIONS,
    Pipeline,
    Redis,
    WatchError,
)

ALL = "*"
"""In the place of a noun: any may have changed."""
KEYS = (MAPPINGS_VERSION, MAPPINGS_UPDATES, MAPPINGS_ORIGIN, VERSIONS, FILLED)
"""The first keys of every script here; all tables of the catalogue follow."""


class Edit(NamedTuple):
    """Of one field of one table. Where an `add`, `find` or `same` of a change does not hold, nothing of it is done."""

    verb: Literal["add", "find", "same", "put", "delete"]
    """Add: it must not be there. Find: it must be, and stays. Same: it must have just this text (empty: not be there),
    and stays. Put and delete: whether or not it is there."""
    table: str
    field: str
    text: str = ""


class Along(Protocol):
    """What is done at the same instant as a change, and only with it."""

    def still_holds(self, pipe: Pipeline) -> bool:
        """Whether it rests on what is so; it watches that. Raises RedisError."""

    def queue(self, pipe: Pipeline, mark: str) -> None:
        """Adds its commands, which do nothing unless the catalogue's last change has this mark."""


# Raises the version, stamps what changed (`core.readings.unread` reads it), notes which tables hold something
# (`core.readings.missing`) and publishes the word.
TELL = """
local function tell(before, after, noun, mark, word)
    local now = string.format('%.0f', after)
    local head, rest = string.match(redis.call('GET', KEYS[4]) or '', '^(%d+) (.*)$')
    local stamps = now
    if head == string.format('%.0f', before) and noun ~= '*' then
        for name, stamp in string.gmatch(rest, '(%S+) (%S+)') do
            if name ~= noun then stamps = stamps .. ' ' .. name .. ' ' .. stamp end
        end
    else
        noun = '*'
    end
    redis.call('SET', KEYS[1], now)
    redis.call('SET', KEYS[4], stamps .. ' ' .. noun .. ' ' .. now .. '.' .. mark)
    local filled = now
    for number = 6, #KEYS do
        if redis.call('EXISTS', KEYS[number]) == 1 then filled = filled .. ' ' .. KEYS[number] end
    end
    redis.call('SET', KEYS[5], filled)
    redis.call('PUBLISH', KEYS[2], word)
end
"""
# ARGV: the version that is built on, the version that is known, noun, mark, word; of each edit its verb, the number of
# the table's key, field, text.
_CHANGE = (
    TELL
    + """
local before = tonumber(redis.call('GET', KEYS[1]) or '0') or 0
if before < tonumber(ARGV[1]) then return -1 end
for i = 6, #ARGV, 4 do
    local verb = ARGV[i]
    if verb == 'add' or verb == 'find' then
        local there = redis.call('HEXISTS', KEYS[tonumber(ARGV[i + 1])], ARGV[i + 2]) == 1
        if there ~= (verb == 'find') then return 0 end
    elseif verb == 'same' then
        local text = redis.call('HGET', KEYS[tonumber(ARGV[i + 1])], ARGV[i + 2]) or ''
        if text ~= ARGV[i + 3] then return 0 end
    end
end
for i = 6, #ARGV, 4 do
    local verb, key = ARGV[i], KEYS[tonumber(ARGV[i + 1])]
    if verb == 'delete' then redis.call('HDEL', key, ARGV[i + 2])
    elseif verb == 'add' or verb == 'put' then redis.call('HSET', key, ARGV[i + 2], ARGV[i + 3]) end
end
tell(before, math.max(before, tonumber(ARGV[2])) + 1, ARGV[3], ARGV[4], ARGV[5])
return 1
"""
)


def change(
    client: Redis,
    tables: Collection[str],
    noun: str,
    word: str,
    edits: Sequence[Edit],
    built_on: int,
    known: int,
    along: Along | None = None,
) -> int:
    """1: it was made; 0: what an edit asks for does not hold, or what goes along rests on what is no longer so;
    -1: Redis has fallen behind. Raises RedisError.

    `tables`: all of the catalogue. `noun` ALL and no edits change nothing, but make what is stored the newest that
    anybody knows.
    """
    keys = [*KEYS, *(TABLE + table for table in tables)]
    words: list[str | int] = []
    for edit in edits:
        words += edit.verb, keys.index(TABLE + edit.table) + 1, edit.field, edit.text
    mark = new_mark()
    arguments = (*keys, built_on, known, noun, mark, word, *words)
    if along is None:
        return int(client.eval(_CHANGE, len(keys), *arguments))
    with client.pipeline() as pipe:
        if not along.still_holds(pipe):
            return 0
        pipe.multi()
        pipe.eval(_CHANGE, len(keys), *arguments)
        along.queue(pipe, mark)
        try:
            return int(pipe.execute()[0])
        except WatchError:
            return 0


def new_mark() -> str:
    """One that no other change has."""
    return uuid4().hex[:12]
