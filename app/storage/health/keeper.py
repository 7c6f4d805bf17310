"""Stores what a process observed of channels, and learns what others did. It alone talks to Redis about health.

A trouble is stored at once, sums each second; so is it heard by all others. Who missed a word finds out by the version
and reads all. While Redis is away everything goes on locally, and is merged when it is back; what it has lost by then
is written back.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from contextlib import suppress
from itertools import islice
from uuid import uuid4

import orjson

from app.core.judging.troubles import written
from app.core.model import Channel
from app.storage.connections import CHANNEL_HEALTH_NEWS, Redis, RedisError
from app.storage.health.channel import SLICE_MS, Batch, Window
from app.storage.health.forgetting import forgettable
from app.storage.health.observed import Health, in_pieces
from app.storage.health.stored import Change, News, Reading, StoredHealth, field_of, new_average, parse_news
from app.storage.health.subjects import Subject
from app.storage.keys.pools import KeyPools
from app.storage.refusals import describe
from app.storage.threads import AWAY_S, Threads
from app.waiting import Turns

log = logging.getLogger(__name__)

SUMS_S = 1.0
"""How often sums are stored."""
POLL_S = 1.0
"""How often the version is looked at, in case that a word was missed."""
TICK_S = 0.25
GATHER_S = 0.05
"""How long a trouble waits for others, so that a storm of them costs little."""
FORGET_S = 60.0
CATCH_UP_LOOK_S = 0.02
TRIES = 20
"""How often a trouble is merged anew, because another process stored one meanwhile, before others have their turn."""
MOST = 250
"""Troubles that are stored by one command."""

_UNHEARD = 1 << 62


class HealthKeeper:
    """One for each process: `start` it after any fork."""

    def __init__(
        self,
        redis_client: Redis,
        health: Health,
        pools: KeyPools,
        channels: Callable[[], MappingOf[str, Channel] | None] = lambda: None,
    ) -> None:
        """`channels` are those that the operator knows, by id; None while they are unknown."""
        self._id = uuid4().hex
        self._redis = redis_client
        self._stored = StoredHealth(redis_client, self._id)
        self._health = health
        self._pools = pools
        self._channels = channels
        self._version = -1
        """What was heard last; -1: all must be read."""
        self._origin = ""
        """Whose count that is; empty: nobody has begun one."""
        self._late = -1
        """A version that was seen and not yet heard of."""
        self._heard: deque[bytes] = deque()
        self._in_flight: Batch | None = None
        """A batch that may be stored already."""
        self._number = 0
        self._away = False
        self._sums_at_s = self._look_at_s = 0.0
        self._forget_at_s = time.monotonic() + FORGET_S
        self._threads = Threads("health", redis_client, CHANNEL_HEALTH_NEWS)
        self._wake, self._stopping = self._threads.wake, self._threads.stopping

    def start(self) -> None:
        """Reads all and begins to keep. Does not fail when Redis is away."""
        self._health.wake = self._wake.set
        try:
            self._read_all()
        except RedisError:
            self._away = True
        self._threads.start(self._keep, self._listen)

    def stop(self) -> None:
        """Stores what is left: for the end of a process, after its last call."""
        self._threads.stop()
        with suppress(RedisError):
            self._store(time.monotonic(), also_sums=True)

    def catch_up(self, longest_s: float) -> None:
        """Returns when what is stored now is known here, or after so long. Raises RedisError."""
        _, version = self._stored.version()
        deadline_s = time.monotonic() + longest_s
        while self._version < version and time.monotonic() < deadline_s and not self._stopping.is_set():
            self._listens()
            time.sleep(CATCH_UP_LOOK_S)

    # --- the keeper ---

    def _keep(self) -> None:
        while not self._stopping.is_set():
            if self._away:
                self._stopping.wait(AWAY_S)
            elif self._wake.wait(TICK_S) and self._health.dirty:
                self._stopping.wait(GATHER_S)
            self._wake.clear()
            try:
                self._round(time.monotonic())
            except RedisError as error:
                self._go_away(error)
            except Exception:
                log.exception("what is observed of channels could not be kept; it is tried again")
                self._version = -1
                self._stopping.wait(AWAY_S)

    def _go_away(self, error: RedisError) -> None:
        if not self._away:
            log.warning("Redis %s; what is observed of channels stays in each process", describe(error))
        self._away = True

    def _round(self, now_s: float) -> None:
        """Raises RedisError."""
        turns = Turns()
        while self._heard:
            self._hear(parse_news(self._heard.popleft()))
            turns.passed()
        self._store(now_s, also_sums=now_s >= self._sums_at_s or self._health.batch.is_large)
        if now_s >= self._look_at_s or self._away or self._version < 0:
            self._look_at_s = now_s + POLL_S
            self._look()
        if now_s >= self._forget_at_s:
            self._forget_at_s = now_s + FORGET_S
            self._forget()
        if self._away:
            self._away = False
            log.warning("Redis answers again; what was observed of channels is shared")

    def _look(self) -> None:
        """Whether a word was missed, or Redis lost something."""
        origin, version = self._stored.version()
        if version < self._version or self._version < 0 or (origin != self._origin and self._origin):
            self._read_all()
        elif version > self._version and self._late > self._version:
            self._read_all()  # it was there last time, and still nobody has told us
        else:
            self._late, self._origin = version, origin

    def _hear(self, news: News) -> None:
        """Raises RedisError."""
        if not self._origin:
            self._origin = news.origin
        if news.origin != self._origin:
            self._read_all()
        if news.version <= self._version:
            return
        whole = news.version == self._version + 1
        now_ms = _now_ms()
        with self._health.lock:
            for field, raw in news.troubles:
                self._take(field, raw, now_ms)
            if whole and news.process != self._id:
                self._add(news.tallies, news.averages)
        if whole:
            self._version = news.version
        else:
            self._late = self._version + 1  # the next look reads all

    def _take(self, field: str, raw: bytes, now_ms: int) -> None:
        """What is stored of a subject, unless something newer is known."""
        channel_id, name = orjson.loads(field)
        subject = self._subject(channel_id, name)
        if subject is None or not raw or _version_of(raw) > subject.stored.version:
            self._health.learn(channel_id, name, raw, now_ms)

    def _add(self, tallies: list[tuple[int, str, int, int]], averages: list[tuple[str, str, float, int]]) -> None:
        for slice, channel_id, good, bad in tallies:
            self._health.of(channel_id).window.add(slice, good, bad)
        for channel_id, url, ms, samples in averages:
            if (channel_id, url) in self._health.batch.averages:
                continue
            channel = self._health.of(channel_id)
            if url:
                channel.urls[url] = new_average(ms, samples)
            else:
                channel.average = new_average(ms, samples)

    # --- storing ---

    def _store(self, now_s: float, also_sums: bool) -> None:
        """Raises RedisError; what was to be stored is then stored next time, once."""
        if self._in_flight is None and also_sums:
            self._sums_at_s = now_s + SUMS_S
            with self._health.lock:
                if self._health.batch:
                    self._in_flight, self._health.batch = self._health.batch, Batch()
                    self._number += 1
        turns = Turns()
        for _ in range(TRIES):
            turns.passed()
            with self._health.lock:
                changes, pending = self._changes()
            if not changes and self._in_flight is None:
                return
            found = self._stored.store(changes, self._in_flight, self._number, self._health.window_ms)
            self._in_flight = None
            now_ms = _now_ms()
            with self._health.lock:
                for change, count, raw in zip(changes, pending, found, strict=True):
                    channel_id, name = orjson.loads(change.field)
                    if raw == b"ok":
                        self._health.learn(channel_id, name, change.after, now_ms, count)
                    else:
                        self._collide(channel_id, name, raw, now_ms)

    def _collide(self, channel_id: str, name: str, raw: bytes, now_ms: int) -> None:
        """Something else was stored than we knew: what happened here comes on top of it; what was lost, back."""
        subject = self._subject(channel_id, name, to_change=True)
        if subject is None:
            return
        if _version_of(raw) >= subject.stored.version:
            self._health.learn(channel_id, name, raw, now_ms)
        else:
            subject.raw, subject.forced = raw, True
        if subject.pending or subject.forced:
            self._health.dirty[channel_id, name] = subject

    def _changes(self) -> tuple[list[Change], list[int]]:
        """What is to be stored, and how many events each is made of."""
        changes, pending = [], []
        for (channel_id, name), subject in list(islice(self._health.dirty.items(), MOST)):
            stored = subject.trouble._replace(version=subject.stored.version)
            if stored == subject.stored and not subject.forced:
                subject.pending.clear()
                del self._health.dirty[channel_id, name]
                self._health.of(channel_id).subjects.put_away(name)
                continue
            after = written(stored._replace(version=stored.version + 1))
            changes.append(Change(field_of(channel_id, name), subject.raw, after))
            pending.append(len(subject.pending))
        return changes, pending

    # --- reading ---

    def _read_all(self) -> None:
        """Raises RedisError."""
        now_ms = _now_ms()
        last = now_ms // SLICE_MS
        reading = self._stored.read(range(last - self._health.window_ms // SLICE_MS, last + 1))
        lost = reading.version < self._version or (reading.origin != self._origin and bool(self._origin))
        self._read_troubles(now_ms)
        if lost:
            log.warning("Redis lost what was observed of channels; the rests that are known are written back")
        else:
            with self._health.lock:
                self._replace_sums(reading)
        self._origin, self._version = reading.origin, reading.version

    def _read_troubles(self, now_ms: int) -> None:
        """In steps, for there may be very many. What is stored meanwhile we hear of as all others do."""
        turns, found = Turns(), dict[str, bytes]()
        is_known = {channel.id: channel.subjects.names() for channel in list(self._health.channels.values())}
        for troubles in self._stored.troubles():
            with self._health.lock:
                for field, raw in troubles.items():
                    self._take(field, raw, now_ms)
            if is_known:
                found |= troubles
            turns.passed()
        for channel_id, known in is_known.items():
            for names in in_pieces(known):
                with self._health.lock:
                    for name in names:
                        self._write_back(channel_id, name, found.get(field_of(channel_id, name), b""), now_ms)
                turns.passed()

    def _write_back(self, channel_id: str, name: str, raw: bytes, now_ms: int) -> None:
        subject = self._subject(channel_id, name)
        if subject is None or raw == subject.raw or subject.trouble.is_forgettable(now_ms):
            return
        subject = self._subject(channel_id, name, to_change=True)
        if subject is not None:
            subject.raw, subject.forced = raw, True
            self._health.dirty[channel_id, name] = subject

    def _replace_sums(self, reading: Reading) -> None:
        for channel in self._health.channels.values():
            channel.window = Window()
        self._add(reading.tallies, reading.averages)
        for batch in (self._in_flight, self._health.batch):
            for (slice, channel_id), tally in batch.tallies.items() if batch is not None else ():
                self._health.of(channel_id).window.add(slice, tally.good, tally.bad)

    # --- forgetting ---

    def _forget(self) -> None:
        """Raises RedisError."""
        now_ms, channels = _now_ms(), self._channels()
        changes = list(islice(forgettable(self._health, self._pools, channels, now_ms), MOST))
        if changes:
            self._stored.store(changes, None, self._number, self._health.window_ms)  # we hear of it as all others do
        if channels is not None:
            with self._health.lock:
                gone = self._health.forget(channels)
            if gone.channels or gone.urls:
                self._stored.forget_channels(gone.channels, gone.urls)

    # --- the listener ---

    def _listen(self) -> None:
        self._threads.listen(self._listens, self._note)

    def _listens(self) -> None:
        self._late, self._look_at_s = _UNHEARD, 0.0  # what was said while nobody listened
        self._wake.set()

    def _note(self, message: bytes) -> None:
        if message:  # an empty one wakes a listener that is to end
            self._heard.append(message)
            self._wake.set()

    def _subject(self, channel_id: str, name: str, to_change: bool = False) -> Subject | None:
        channel = self._health.channels.get(channel_id)
        if channel is None:
            return None
        return channel.subjects.get(name) if to_change else channel.subjects.look(name)


def _version_of(raw: bytes) -> int:
    return int(orjson.loads(raw)[0]) if raw else 0


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
