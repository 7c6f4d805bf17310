"""What is observed of channels as Redis keeps it: stored by one script, told to all processes, read at one instant.

Troubles are compared before they are set: whoever was slower applies what happened to what he finds. Sums are added
once, by the number of their batch, also where the answer to the first time was lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

import orjson

from app.core.judging.troubles import NONE, Trouble, read
from app.storage.connections import (
    CHANNEL_FIRST_BYTES,
    CHANNEL_HEALTH_NEWS,
    CHANNEL_HEALTH_ORIGIN,
    CHANNEL_HEALTH_VERSION,
    CHANNEL_SEEN,
    CHANNEL_TOLD,
    CHANNEL_TROUBLES,
    CHANNEL_USAGE,
    CHANNEL_WINDOW,
    Redis,
)
from app.storage.health.channel import SLICE_MS, Average, Batch, LastError, Tally
from app.storage.health.subjects import KEY

TOLD_S = 3600
SOME = 250
"""Troubles that are read in one step."""
# KEYS: troubles, version, news, the number of this process's last batch, origin; then those of the sums. ARGV: process,
# a new mark, number of the batch (0: there is none), how long that is kept, what all are told of the sums, the sums as
# JSON (of each what to do, the number of its key, field, value; in one piece, as many arguments cost much more), and of
# each trouble its field, what it was, what it becomes (empty: it goes). Returns for each trouble "ok" or what it really
# was.
_STORE = """
local replies, news = {}, {}
for i = 7, #ARGV, 3 do
    local there = redis.call('HGET', KEYS[1], ARGV[i]) or ''
    if there == ARGV[i + 1] or there == ARGV[i + 2] then
        if ARGV[i + 2] == '' then redis.call('HDEL', KEYS[1], ARGV[i])
        else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2]) end
        news[#news + 1] = ARGV[i]
        news[#news + 1] = ARGV[i + 2]
        there = 'ok'
    end
    replies[#replies + 1] = there
end
local told = ''
if (tonumber(redis.call('GET', KEYS[4]) or '0') or 0) < tonumber(ARGV[3]) then
    told = ARGV[5]
    redis.call('SET', KEYS[4], ARGV[3], 'EX', ARGV[4])
    for _, sum in ipairs(cjson.decode(ARGV[6])) do
        local verb, key, field, value = sum[1], KEYS[sum[2]], sum[3], sum[4]
        if verb == 'add' then redis.call('HINCRBY', key, field, string.format('%.0f', value))
        elseif verb == 'raise' then
            local there = tonumber(redis.call('HGET', key, field) or '0') or 0
            if there < value then redis.call('HSET', key, field, string.format('%.0f', value)) end
        elseif verb == 'uses' then
            for id, use in pairs(value) do
                redis.call('HINCRBY', key, id .. ' requests', string.format('%.0f', use[1]))
                local there = tonumber(redis.call('HGET', key, id .. ' used') or '0') or 0
                if there < use[2] then redis.call('HSET', key, id .. ' used', string.format('%.0f', use[2])) end
            end
        elseif verb == 'set' then redis.call('HSET', key, field, value)
        else redis.call('EXPIRE', key, value) end
    end
end
if #news > 0 or told ~= '' then
    redis.call('SET', KEYS[5], ARGV[2], 'NX')
    local version = string.format('%.0f', redis.call('INCR', KEYS[2]))
    local head = ARGV[1] .. ' ' .. redis.call('GET', KEYS[5]) .. ' ' .. version
    redis.call('PUBLISH', KEYS[3], table.concat({head, told, unpack(news)}, '\\n'))
end
return replies
"""


class Change(NamedTuple):
    """Of one trouble, as it is written."""

    field: str
    before: bytes
    after: bytes
    """Empty: it is forgotten."""


class News(NamedTuple):
    """What one process stored."""

    process: str
    origin: str
    version: int
    tallies: list[tuple[int, str, int, int]]
    """Slice, channel, successes, failures."""
    averages: list[tuple[str, str, float, int]]
    """Channel, url, ms, samples."""
    troubles: list[tuple[str, bytes]]
    """By field, as they are written."""


class Reading(NamedTuple):
    """All that a process must know beside the troubles."""

    origin: str
    """Of the version; another one when Redis has lost all."""
    version: int
    averages: list[tuple[str, str, float, int]]
    tallies: list[tuple[int, str, int, int]]


class KeyUsage(NamedTuple):
    requests: int = 0
    errors: int = 0
    last_used_ms: int = 0
    last_error: LastError | None = None


class StoredHealth:
    """Raises RedisError, whatever it is asked."""

    def __init__(self, client: Redis, process: str) -> None:
        self._redis = client
        self._process = process

    def version(self) -> tuple[str, int]:
        """Its origin, which is another one when Redis has lost all, and the number."""
        return _version(self._redis.mget(CHANNEL_HEALTH_ORIGIN, CHANNEL_HEALTH_VERSION))

    def store(self, changes: Sequence[Change], batch: Batch | None, number: int, window_ms: int) -> list[bytes]:
        """For each change `ok`, or what was found in its place. `number` grows with each batch."""
        keys = [CHANNEL_TROUBLES, CHANNEL_HEALTH_VERSION, CHANNEL_HEALTH_NEWS]
        keys += CHANNEL_TOLD + self._process, CHANNEL_HEALTH_ORIGIN
        sums = _Sums(keys, window_ms)
        told = sums.add(batch) if batch is not None else b""
        mark, number = uuid4().hex, number if batch is not None else 0
        arguments: list[object] = [self._process, mark, number, TOLD_S, told, orjson.dumps(sums.told)]
        for change in changes:
            arguments += change
        return self._redis.eval(_STORE, len(keys), *keys, *arguments)  # type: ignore[no-any-return, arg-type]

    def read(self, slices: Iterable[int]) -> Reading:
        pipe = self._redis.pipeline()
        pipe.mget(CHANNEL_HEALTH_ORIGIN, CHANNEL_HEALTH_VERSION)
        pipe.hgetall(CHANNEL_FIRST_BYTES)
        numbers = list(slices)
        for slice in numbers:
            pipe.hgetall(f"{CHANNEL_WINDOW}{slice}")
        version, averages, *windows = pipe.execute()
        tallies = []
        for slice, window in zip(numbers, windows, strict=True):
            for field, count in window.items():
                channel_id, bad = field.decode().removesuffix(" !"), field.endswith(b" !")
                tallies.append((slice, channel_id, 0 if bad else int(count), int(count) if bad else 0))
        return Reading(
            *_version(version),
            [(*orjson.loads(field), *orjson.loads(value)) for field, value in averages.items()],
            tallies,
        )

    def blacklisted(self) -> Iterator[tuple[str, str, Trouble]]:
        """Channel and key of those on the blacklist, and why; read piece by piece, as there may be very many."""
        for some in self.troubles():
            for field, raw in some.items():
                channel_id, name = orjson.loads(field)
                trouble = read(raw) if name.startswith(KEY) else NONE
                if trouble.blacklisted_ms:
                    yield channel_id, name[1:], trouble

    def troubles(self) -> Iterator[dict[str, bytes]]:
        """By field, as they are written, some at a time. What changes meanwhile may be told as it was or as it is."""
        cursor = -1
        while cursor:
            some: Any = self._redis.hscan(CHANNEL_TROUBLES, max(cursor, 0), count=SOME)
            cursor, found = some
            yield {field.decode(): raw for field, raw in found.items()}

    def troubles_of(self, fields: Sequence[str]) -> list[bytes]:
        """As they are written; empty: there is none."""
        found: list[Any] = self._redis.hmget(CHANNEL_TROUBLES, list(fields)) if fields else []
        return [raw or b"" for raw in found]

    def last_seen(self, channel_ids: Sequence[str]) -> dict[str, tuple[int, LastError | None]]:
        """When each channel last answered well (0: never), and its last error."""
        fields = [f"{channel_id} {what}" for channel_id in channel_ids for what in ("ok", "error")]
        found = self._redis.hmget(CHANNEL_SEEN, fields) if fields else []
        pairs = zip(channel_ids, found[::2], found[1::2], strict=True)
        return {channel_id: (int(ok or 0), _last_error(error)) for channel_id, ok, error in pairs}

    def key_usage(self, channel_id: str, key_ids: Sequence[str]) -> dict[str, KeyUsage]:
        fields = [f"{key_id} {what}" for key_id in key_ids for what in ("requests", "errors", "used", "error")]
        found = self._redis.hmget(CHANNEL_USAGE + channel_id, fields) if fields else []
        rows = zip(key_ids, found[::4], found[1::4], found[2::4], found[3::4], strict=True)
        return {
            key_id: KeyUsage(int(requests or 0), int(errors or 0), int(used or 0), _last_error(error))
            for key_id, requests, errors, used, error in rows
        }

    def forget_keys(self, channel_id: str, key_ids: Sequence[str]) -> None:
        """What was counted of keys that are no more."""
        fields = [f"{key_id} {what}" for key_id in key_ids for what in ("requests", "errors", "used", "error")]
        if fields:
            self._redis.hdel(CHANNEL_USAGE + channel_id, *fields)

    def forget_channels(self, channel_ids: Sequence[str], urls: Sequence[tuple[str, str]]) -> None:
        """What was counted of channels that are no more, and of these channels' urls."""
        pipe = self._redis.pipeline(transaction=False)
        for channel_id in channel_ids:
            pipe.delete(CHANNEL_USAGE + channel_id)
            pipe.hdel(CHANNEL_SEEN, f"{channel_id} ok", f"{channel_id} error")
        for channel_id, url in urls:
            pipe.hdel(CHANNEL_FIRST_BYTES, _pair(channel_id, url))
        pipe.execute()


class _Sums:
    """A batch as the script takes it."""

    def __init__(self, keys: list[str], window_ms: int) -> None:
        self.told: list[tuple[str, int, str, object]] = []
        """Of each what to do, the number of its key, field, value."""
        self._keys = keys
        self._numbers: dict[str, int] = {}
        self._window_s = (window_ms + 2 * SLICE_MS) // 1000

    def add(self, batch: Batch) -> bytes:
        """What all processes are told of it."""
        for (slice, channel_id), tally in batch.tallies.items():
            self._tally(f"{CHANNEL_WINDOW}{slice}", channel_id, tally)
        for slice in {slice for slice, _ in batch.tallies}:
            self._do("expire", f"{CHANNEL_WINDOW}{slice}", "", self._window_s)
        for pair, average in batch.averages.items():
            self._do("set", CHANNEL_FIRST_BYTES, _pair(*pair), _json([average.ms, average.samples]))
        for channel_id, uses in batch.uses.items():
            self._do("uses", CHANNEL_USAGE + channel_id, "", uses)
        for (channel_id, key_id), (errors, last_error) in batch.key_errors.items():
            self._do("add", CHANNEL_USAGE + channel_id, f"{key_id} errors", errors)
            self._do("set", CHANNEL_USAGE + channel_id, f"{key_id} error", _json(list(last_error)))
        for channel_id, at_ms in batch.last_oks_ms.items():
            self._do("raise", CHANNEL_SEEN, f"{channel_id} ok", at_ms)
        for channel_id, error in batch.last_errors.items():
            self._do("set", CHANNEL_SEEN, f"{channel_id} error", _json(list(error)))
        tallies = [(slice, id, tally.good, tally.bad) for (slice, id), tally in batch.tallies.items()]
        averages = [(*pair, average.ms, average.samples) for pair, average in batch.averages.items()]
        return orjson.dumps([tallies, averages])

    def _tally(self, key: str, channel_id: str, tally: Tally) -> None:
        if tally.good:
            self._do("add", key, channel_id, tally.good)
        if tally.bad:
            self._do("add", key, f"{channel_id} !", tally.bad)

    def _do(self, verb: str, key: str, field: str, value: object) -> None:
        number = self._numbers.get(key)
        if number is None:
            self._keys.append(key)
            number = self._numbers[key] = len(self._keys)
        self.told.append((verb, number, field, value))


def field_of(channel_id: str, name: str) -> str:
    """Under which the trouble of a subject is stored."""
    return _json([channel_id, name])


def parse_news(message: bytes) -> News:
    head, told, *troubles = message.split(b"\n")
    process, origin, version = head.decode().split(" ")
    tallies, averages = orjson.loads(told) if told else ([], [])
    pairs = zip(troubles[::2], troubles[1::2], strict=True)
    return News(process, origin, int(version), tallies, averages, [(field.decode(), raw) for field, raw in pairs])


def _version(found: Sequence[Any]) -> tuple[str, int]:
    origin, version = found
    return (origin or b"").decode(), int(version or 0)


def _pair(channel_id: str, url: str) -> str:
    return _json([channel_id, url])


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _last_error(stored: bytes | str | None) -> LastError | None:
    return LastError(*orjson.loads(stored)) if stored else None


def new_average(ms: float, samples: int) -> Average:
    average = Average()
    average.ms, average.samples = ms, samples
    return average
