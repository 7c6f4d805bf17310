"""The scripts by which keys of channels are changed in Redis, each at one instant.

KEYS of all: the shared version, the channel of news, the versions by channel, the last id, the log of changes, the
channel's keys, its digests. ARGV of changes: what is known (`form.Known`), the channel; then what each says.

Versions compare within one history, which stands among the versions by channel, in the field without a name: "<version
at which it began> <something that no other has>". The first change of all begins one at 0. Whoever writes back what
Redis had lost begins one far beyond all that anybody knew, so what a process knows of a channel from before is newer
than what stands there unless that was changed since.
A channel's version may end in .5: so the copy in the SQL database knows it, which lacks keys that are not encrypted.
Whoever knows the whole goes before, and who knows the change before does not.

The log tells of each change whose key it was, as "version, channel, id": what that key is now, whoever reads it asks.
Id 0 stands for all keys of the channel. An older gateway beside us counts versions without telling the log; so whoever
misses a version there reads whole.
"""

from __future__ import annotations

from typing import Final

LOGGED: Final = 100_000
"""So many changes are told one by one. Whoever missed more reads all keys anew. They take 2 MB."""

_READ = """
local known, known_history = string.match(ARGV[1], '^(%d+) (.*)$')
known = tonumber(known)
local version = tonumber(redis.call('GET', KEYS[1]) or '0') or 0
local history = redis.call('HGET', KEYS[3], '') or ''
local is_lost = version < known or (known > 0 and history ~= known_history)
"""
_GUARD = _READ + "if is_lost then return {-1, 0} end\n"
_BEGUN = """
if redis.call('HEXISTS', KEYS[3], '') == 0 then
    redis.call('HSET', KEYS[3], '', '0 ' .. string.sub(redis.sha1hex(table.concat(ARGV, ' ')), 1, 16))
end
"""
_TOLD = """
local function changed(id)
    local version = string.format('%.0f', redis.call('INCR', KEYS[1]))
    redis.call('RPUSH', KEYS[5], version .. ' ' .. ARGV[2] .. ' ' .. id)
end
"""
_TELL = f"""{_BEGUN}
redis.call('LTRIM', KEYS[5], -{LOGGED}, -1)
redis.call('HSET', KEYS[3], ARGV[2], redis.call('GET', KEYS[1]))
redis.call('PUBLISH', KEYS[2], ARGV[2])
"""
# How many digests each secret has. Then of each key its JSON and its digests, the one to be stored first. A digest may
# have outlived its key: whoever deleted that could not open it.
# Returns how many were not there yet, and how many there are now.
ADD: Final = (
    _GUARD
    + _TOLD
    + """
local added, each = 0, tonumber(ARGV[3])
for i = 4, #ARGV, each + 1 do
    local known = false
    for j = i + 1, i + each do
        local there = redis.call('HGET', KEYS[7], ARGV[j])
        if there and redis.call('HEXISTS', KEYS[6], there) == 1 then known = true end
    end
    if not known then
        local id = string.format('%.0f', redis.call('INCR', KEYS[4]))
        redis.call('HSET', KEYS[7], ARGV[i + 1], id)
        redis.call('HSET', KEYS[6], id, ARGV[i])
        changed(id)
        added = added + 1
    end
end
if added > 0 then
"""
    + _TELL
    + "end return {added, redis.call('HLEN', KEYS[6])}"
)
# How many digests each has. Then of each key its id, the JSON that it has, the new one (empty: it goes), and the
# digests that go with it. All or nothing.
CHANGE: Final = (
    _GUARD
    + _TOLD
    + """
local each = tonumber(ARGV[3])
for i = 4, #ARGV, 3 + each do
    if redis.call('HGET', KEYS[6], ARGV[i]) ~= ARGV[i + 1] then return {0, 0} end
end
for i = 4, #ARGV, 3 + each do
    if ARGV[i + 2] == '' then
        redis.call('HDEL', KEYS[6], ARGV[i])
    else
        redis.call('HSET', KEYS[6], ARGV[i], ARGV[i + 2])
    end
    for j = i + 3, i + 2 + each do
        if redis.call('HGET', KEYS[7], ARGV[j]) == ARGV[i] then redis.call('HDEL', KEYS[7], ARGV[j]) end
    end
    changed(ARGV[i])
end
"""
    + _TELL
    + "return {1, redis.call('HLEN', KEYS[6])}"
)
# How many digests each may have had. Then of each key its id, the JSON that it has, the one with its secret sealed
# anew, the digest by which it is found from now on, and those that go. A key that is no longer so stays as it is.
# Returns how many were sealed.
RESEAL: Final = (
    _GUARD
    + _TOLD
    + """
local done, each = 0, tonumber(ARGV[3])
for i = 4, #ARGV, 4 + each do
    local id, digest = ARGV[i], ARGV[i + 3]
    if redis.call('HGET', KEYS[6], id) == ARGV[i + 1] then
        redis.call('HSET', KEYS[6], id, ARGV[i + 2])
        for j = i + 4, i + 3 + each do
            if redis.call('HGET', KEYS[7], ARGV[j]) == id then redis.call('HDEL', KEYS[7], ARGV[j]) end
        end
        local found = redis.call('HGET', KEYS[7], digest)
        if not found or redis.call('HEXISTS', KEYS[6], found) == 0 then redis.call('HSET', KEYS[7], digest, id) end
        changed(id)
        done = done + 1
    end
end
if done > 0 then
"""
    + _TELL
    + "end return {done}"
)
DROP: Final = (
    _GUARD
    + _TOLD
    + """
redis.call('UNLINK', KEYS[6], KEYS[7])
changed(0)
"""
    + _TELL
    + """
redis.call('HDEL', KEYS[3], ARGV[2])
return {1, 0}
"""
)
# ARGV: what is known, and how many lines of the log are wanted.
# Returns the version, the history, whether that is lost which is known, and the lines that follow; none where the log
# does not reach back so far.
SINCE: Final = (
    _READ
    + """
if is_lost then return {version, history, 1, ''} end
local first = redis.call('LLEN', KEYS[5]) - (version - known)
if version == known or first < 0 then return {version, history, 0, ''} end
return {version, history, 0, table.concat(redis.call('LRANGE', KEYS[5], first, first + ARGV[2] - 1), '\\n')}
"""
)
# ARGV: what is known, a cursor of HSCAN, and how many are wanted. Returns the next cursor, how many keys there are, and
# ids without their texts.
IDS: Final = (
    _GUARD
    + """
local found = redis.call('HSCAN', KEYS[6], ARGV[2], 'COUNT', ARGV[3])
local ids = {}
for i = 1, #found[2], 2 do ids[#ids + 1] = found[2][i] end
return {found[1], redis.call('HLEN', KEYS[6]), table.concat(ids, ' ')}
"""
)
# ARGV of this and the next: the version of the channel's keys, the channel. 0: what is there is as new.
LOST: Final = """
local version = tonumber(redis.call('HGET', KEYS[3], ARGV[2]) or '0') or 0
if version > tonumber(ARGV[1]) then return {0} end
if version == tonumber(ARGV[1]) and redis.call('EXISTS', KEYS[6]) == 1 then return {0} end
"""
# KEYS: those of all, then the keys and digests that were written aside. ARGV besides: how many were written aside,
# which may have been lost again; the version and the last id that are known. Where somebody has ended his write back,
# all are told of what he did not know. Returns 1 where they were missing, -1 where they cannot be put back.
WRITE_BACK: Final = (
    LOST
    + """
local count = redis.call('HLEN', KEYS[8])
if count ~= tonumber(ARGV[3]) or (count > 0 and redis.call('EXISTS', KEYS[9]) == 0) then return {-1} end
redis.call('UNLINK', KEYS[6], KEYS[7])
for i = 8, 9 do
    if redis.call('EXISTS', KEYS[i]) == 1 then
        redis.call('RENAME', KEYS[i], KEYS[i - 2])
        redis.call('PERSIST', KEYS[i - 2])
    end
end
redis.call('HSET', KEYS[3], ARGV[2], ARGV[1])
if (tonumber(redis.call('GET', KEYS[4]) or '0') or 0) < tonumber(ARGV[5]) then redis.call('SET', KEYS[4], ARGV[5]) end
if (tonumber(redis.call('GET', KEYS[1]) or '0') or 0) >= tonumber(ARGV[4]) then
    redis.call('RPUSH', KEYS[5], string.format('%.0f', redis.call('INCR', KEYS[1])) .. ' ' .. ARGV[2] .. ' 0')
    redis.call('PUBLISH', KEYS[2], ARGV[2])
end
return {1}
"""
)
# KEYS: the first five, what the catalogue says of its last change; then of each channel its keys, its digests, and
# those that were written aside. ARGV: the mark of a change of the catalogue, the channels. Only where that change was
# made they are the channels' keys.
REPLACE: Final = f"""
if not string.find(redis.call('GET', KEYS[6]) or '', ARGV[1], 1, true) then return 0 end
for number = 2, #ARGV do
    local first = 7 + 4 * (number - 2)
    redis.call('UNLINK', KEYS[first], KEYS[first + 1])
    for i = first, first + 1 do
        redis.call('RENAME', KEYS[i + 2], KEYS[i])
        redis.call('PERSIST', KEYS[i])
    end
    local version = string.format('%.0f', redis.call('INCR', KEYS[1]))
    redis.call('RPUSH', KEYS[5], version .. ' ' .. ARGV[number] .. ' 0')
    redis.call('HSET', KEYS[3], ARGV[number], version)
end
{_BEGUN}
redis.call('LTRIM', KEYS[5], -{LOGGED}, -1)
redis.call('PUBLISH', KEYS[2], ARGV[2])
return 1
"""
# KEYS: the first five, what the catalogue says of its last change; then of each channel its keys and its digests. ARGV:
# what is known, the mark of a change of the catalogue, the channels. With that change their keys go.
REMOVE: Final = f"""
{_GUARD}
if not string.find(redis.call('GET', KEYS[6]) or '', ARGV[2], 1, true) then return 0 end
for number = 3, #ARGV do
    redis.call('UNLINK', KEYS[2 * number + 1], KEYS[2 * number + 2])
    redis.call('HDEL', KEYS[3], ARGV[number])
    local version = string.format('%.0f', redis.call('INCR', KEYS[1]))
    redis.call('RPUSH', KEYS[5], version .. ' ' .. ARGV[number] .. ' 0')
end
{_BEGUN}
redis.call('LTRIM', KEYS[5], -{LOGGED}, -1)
redis.call('PUBLISH', KEYS[2], ARGV[3])
return 1
"""
# ARGV: the version and the last id that are known; the version and the history that were found; something that no other
# history has; each channel that must be there, with its version. Only now nothing is missing any more.
# Returns 1, 0 where somebody was faster or had done it before, or -1 where a channel is missing again; and the history.
WRITTEN_BACK: Final = f"""
for i = 6, #ARGV, 2 do
    if (tonumber(redis.call('HGET', KEYS[3], ARGV[i]) or '0') or 0) < tonumber(ARGV[i + 1]) then return {{-1, ''}} end
end
local version = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') or 0, ARGV[1])
local last_id = math.max(tonumber(redis.call('GET', KEYS[4]) or '0') or 0, ARGV[2])
local history = redis.call('HGET', KEYS[3], '') or ''
local begun = tonumber(string.match(history, '^%d+')) or 0
local was_found = tonumber(ARGV[3]) >= tonumber(ARGV[1]) and history ~= ''
if was_found or (begun > 0 and history ~= ARGV[4]) then
    redis.call('SET', KEYS[4], string.format('%.0f', last_id))
    return {{0, history}}
end
version = string.format('%.0f', version + {LOGGED})
history = version .. ' ' .. ARGV[5]
redis.call('SET', KEYS[1], version)
redis.call('HSET', KEYS[3], '', history)
redis.call('SET', KEYS[4], string.format('%.0f', last_id + {LOGGED}))
redis.call('PUBLISH', KEYS[2], '')
return {{1, history}}
"""
# KEYS: the last id. ARGV: one that is not to be given any more.
RAISE_LAST_ID: Final = """
if (tonumber(redis.call('GET', KEYS[1]) or '0') or 0) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
return 1
"""
