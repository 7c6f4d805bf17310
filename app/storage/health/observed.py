"""What we observe of channels, their urls, keys and models: rests, failures, successes, times to the first byte.

It is State: local at once, known to all processes within a second (`health_keeper`), and never asked of Redis on the
path of a call. It answers what `core.standing.Health` asks. What has no trouble costs a number here or nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingOf
from typing import Any, NamedTuple, Protocol

from app.core.choosing.standing import NO_REST, Full, Keys, Record, Rest
from app.core.judging.outcome import Blame, Outcome, Verdict
from app.core.judging.troubles import Event, Failed, Rested, Restored, Succeeded, Trouble
from app.core.model import Channel
from app.core.settings import Settings
from app.storage.health.channel import SLICE_MS, Attempt, Batch, ChannelHealth, LastError, all_of, blamed
from app.storage.health.subjects import CHANNEL, KEY, MODEL, URL, Subject
from app.storage.keys.pool import KeyPool
from app.storage.keys.pools import KeyPools
from app.unpatched import unpatched
from app.waiting import Turns

AT_ONCE = 250
"""Subjects that are looked at in one step."""
MODELS_KEPT = 1000
"""Of a channel, with trouble. A channel that serves all models is asked for any name."""
WINDOW_MS = 1_800_000


class Gone(NamedTuple):
    """What was forgotten."""

    channels: list[str]
    urls: list[tuple[str, str]]
    """Channel and url; an empty one for the channel itself."""


class Limiting(Protocol):
    def full(self, channel: Channel, fit_keys: int) -> Full | None:
        """What of the channel, or of all of its fit keys, has no room now."""


class Costing(Protocol):
    def over_until_ms(self, channel: Channel, now_ms: int) -> int:
        """When the day turns in which a channel has cost all that it may; 0: it may go on."""


class Health:
    """One for each process. Times are Unix time in ms."""

    def __init__(self, pools: KeyPools, limiting: Limiting | None = None, costing: Costing | None = None) -> None:
        self.lock: Any = unpatched("_thread", "allocate_lock")()
        """Held by whoever changes or reads more than one thing of what follows; never while waiting: so it is the
        system's, which costs a tenth of gevent's."""
        self.channels: dict[str, ChannelHealth] = {}
        self.dirty: dict[tuple[str, str], Subject] = {}
        """By channel and name: what is to be stored of their troubles."""
        self.batch = Batch()
        self.window_ms = WINDOW_MS
        self.wake: Callable[[], object] = lambda: None
        """Tells the keeper of something that others should know soon."""
        self._pools = pools
        self._limiting = limiting
        self._costing = costing
        self._betterments = 0
        self._returns: list[tuple[int, str]] = []
        """A heap of when the next key of which channel is back."""
        self._expected: dict[str, int] = {}
        """The same by channel; what stands otherwise in the heap is passed over."""
        self._now_ms = 0
        pools.on_load = self._reloaded

    # --- what a choice asks: core.standing.Health ---

    @property
    def version(self) -> int:
        return self._betterments + self._pools.loads

    def settle(self, now_ms: int) -> None:
        self._now_ms = now_ms
        while self._returns and self._returns[0][0] <= now_ms:
            with self.lock:
                at_ms, channel_id = heapq.heappop(self._returns)
                if self._expected.get(channel_id) == at_ms:
                    del self._expected[channel_id]
                    pool = self._pools.of(channel_id)
                    self._betterments += pool.settle(now_ms)
                    self._expect_return(pool)
                    if 0 < pool.next_return_ms <= now_ms:
                        return  # very many are back: the next choice goes on

    def channel_rest(self, channel: Channel) -> Rest:
        health = self.channels.get(channel.id)
        if health is None or not health.subjects:
            return NO_REST
        own = health.trouble(CHANNEL)
        rest = _rest(own)
        urls = [_rest(health.trouble(URL + url.url)) for url in channel.urls]
        first = min(urls, default=NO_REST)
        return max(rest, first)

    def model_rest(self, channel_id: str, upstream_model: str) -> Rest:
        return self._rest_of(channel_id, MODEL + upstream_model)

    def url_rest(self, channel_id: str, url: str) -> Rest:
        return self._rest_of(channel_id, URL + url)

    def _rest_of(self, channel_id: str, name: str) -> Rest:
        health = self.channels.get(channel_id)
        return _rest(health.trouble(name)) if health is not None and health.subjects else NO_REST

    def url_first_byte_ms(self, channel_id: str, url: str) -> float:
        health = self.channels.get(channel_id)
        average = health.urls.get(url) if health is not None else None
        return average.ms if average is not None else 0.0

    def keys(self, channel: Channel, models: tuple[str, ...]) -> Keys:
        return self._pools.of(channel.id).keys(models)

    def full(self, channel: Channel, models: tuple[str, ...]) -> Full | None:
        if self._limiting is None:
            return None
        return self._limiting.full(channel, self.keys(channel, models).fit if _limits_keys(channel) else 0)

    def over_cost_ms(self, channel: Channel, now_ms: int) -> int:
        return self._costing.over_until_ms(channel, now_ms) if self._costing is not None else 0

    def record(self, channel_id: str) -> Record:
        health = self.channels.get(channel_id)
        if health is None:
            return Record()
        with self.lock:
            tally = health.window.total((self._now_ms - self.window_ms) // SLICE_MS + 1)
        samples = tally.good + tally.bad
        rate = tally.good / samples if samples else 1.0
        return Record(rate, samples, health.average.ms, health.average.samples)

    # --- what happened ---

    def measured(self, channel_id: str, url: str, first_byte_ms: float) -> None:
        """A good answer has begun after so long; who fails fast is not fast. Waits for nobody."""
        with self.lock:
            health = self.of(channel_id)
            health.average.add(first_byte_ms)
            average = health.url_average(url)
            average.add(first_byte_ms)
            self.batch.averages[channel_id, ""] = health.average
            self.batch.averages[channel_id, url] = average

    def note(
        self,
        attempt: Attempt,
        verdict: Verdict,
        settings: Settings,
        now_ms: int,
        *,
        status: int = 0,
    ) -> None:
        """An attempt has ended: what follows holds here at once. Waits for nobody."""
        channel_id, key = attempt.channel.id, attempt.key
        good, bad = verdict.outcome is Outcome.OK, verdict.blame.ours
        self.window_ms = int(settings.health_window_s * 1000)
        with self.lock:
            health = self.of(channel_id)
            if good or bad:
                slice = now_ms // SLICE_MS
                health.window.add(slice, good, bad)
                self.batch.tally(slice, channel_id, good, bad)
            error = None
            if good:
                self.batch.last_oks_ms[channel_id] = now_ms
            elif verdict.blame is not Blame.NOBODY:
                text = key.masked(verdict.text) if key is not None else verdict.text
                error = LastError(now_ms, verdict.outcome.value, status, text)
                if bad:
                    self.batch.last_errors[channel_id] = error
            if key is not None:
                self.batch.use(channel_id, key.id, now_ms, error)
            if bad:
                failed = Failed(attempt.began_ms, now_ms, verdict, settings, error.text if error else "")
                self._happen(health, blamed(attempt, verdict.blame), failed, now_ms)
            elif good and health.subjects:
                succeeded = Succeeded(attempt.began_ms, now_ms)
                for name in all_of(attempt):
                    if name in health.subjects:
                        self._happen(health, name, succeeded, now_ms)

    def rest(self, channel_id: str, now_ms: int, until_ms: int, *, model: str | None = None, key_id: str = "") -> None:
        """By hand: a channel, one of its models (as the upstream is asked for it) or one of its keys."""
        name = KEY + key_id if key_id else CHANNEL if model is None else MODEL + model
        with self.lock:
            self._happen(self.of(channel_id), name, Rested(now_ms, until_ms), now_ms)

    def end_rests(self, channel_id: str, now_ms: int) -> int:
        """By hand: of the channel, its urls, models and keys; who is blacklisted stays so. How many rested."""
        with self.lock:
            health = self.channels.get(channel_id)
        turns, ended = Turns(), 0
        if health is not None:
            for names in in_pieces(health.subjects.names()):
                with self.lock:
                    resting = [name for name in names if not health.subjects.trouble(name).blacklisted_ms]
                    ended += self._restore(health, resting, now_ms)
                turns.passed()
        return ended

    def restore(self, channel_id: str, now_ms: int, key_ids: Iterable[str]) -> int:
        """By hand: ends rests of keys and takes them off the blacklist. How many were in trouble."""
        with self.lock:
            health = self.channels.get(channel_id)
            return self._restore(health, [KEY + key_id for key_id in key_ids], now_ms) if health is not None else 0

    def _restore(self, health: ChannelHealth, names: Iterable[str], now_ms: int) -> int:
        meant = {name: health.subjects.trouble(name) for name in names if name in health.subjects}
        for name in meant:
            self._happen(health, name, Restored(now_ms), now_ms)
        return sum(trouble.blacklisted_ms > 0 or trouble.until_ms > now_ms for trouble in meant.values())

    # --- what the API tells ---

    def trouble(self, channel_id: str, kind: str, name: str = "") -> Trouble:
        health = self.channels.get(channel_id)
        return health.trouble(kind + name) if health is not None else Trouble()

    def resting_models(self, channel_id: str, now_ms: int) -> dict[str, int]:
        """Until when, by the name that the upstream is asked for."""
        with self.lock:
            models = self.channels[channel_id].subjects.models() if channel_id in self.channels else []
        return {model: trouble.until_ms for model, trouble in models if trouble.until_ms > now_ms}

    def blacklisted(self) -> Iterator[tuple[str, str, Trouble]]:
        """Channel and key of those out of the pool, and why."""
        turns = Turns()
        for health in list(self.channels.values()):
            for names in in_pieces(health.subjects.key_names()):
                troubles = [(name, health.subjects.trouble(name)) for name in names]
                yield from ((health.id, name[1:], trouble) for name, trouble in troubles if trouble.blacklisted_ms)
                turns.passed()

    # --- for the keeper; the lock is held ---

    def learn(self, channel_id: str, name: str, raw: bytes, now_ms: int, done: int = 0) -> None:
        """Takes what is stored of a subject, in which the first `done` events that were pending are."""
        if not raw and channel_id not in self.channels:
            return
        health = self.of(channel_id)
        subject = health.subjects.get(name)
        if subject is None:
            if not raw:
                return
            subject = health.subjects.add(name)
        before = subject.trouble
        subject.learn(raw, done)
        if not subject.pending:
            self.dirty.pop((channel_id, name), None)
            if raw:
                health.subjects.put_away(name)
            else:
                health.subjects.drop(name)
        self._follow(health, name, before, subject.trouble, now_ms)

    def forget(self, channels: MappingOf[str, Channel]) -> Gone:
        """Drops what is remembered of channels that are no more, and of urls that they no longer have."""
        gone = Gone([channel_id for channel_id in self.channels if channel_id not in channels], [])
        for channel_id in gone.channels:
            health = self.channels.pop(channel_id)
            gone.urls.extend((channel_id, url) for url in ("", *health.urls))
        self.dirty = {pair: subject for pair, subject in self.dirty.items() if pair[0] in self.channels}
        for health in self.channels.values():
            urls = {url.url for url in channels[health.id].urls}
            for url in [url for url in health.urls if url not in urls]:
                del health.urls[url]
                gone.urls.append((health.id, url))
        return gone

    # --- inside ---

    def of(self, channel_id: str) -> ChannelHealth:
        health = self.channels.get(channel_id)
        if health is None:
            health = self.channels[channel_id] = ChannelHealth(channel_id)
        return health

    def _happen(self, health: ChannelHealth, name: str, event: Event, now_ms: int) -> None:
        subject = health.subjects.get(name)
        if subject is None:
            if name.startswith(MODEL) and len(health.subjects.models()) >= MODELS_KEPT:
                return
            subject = health.subjects.add(name)
        before = subject.trouble
        if subject.happen(event):
            self.dirty[health.id, name] = subject
            self._follow(health, name, before, subject.trouble, now_ms)
            self.wake()
        else:
            health.subjects.put_away(name)

    def _follow(self, health: ChannelHealth, name: str, before: Trouble, after: Trouble, now_ms: int) -> None:
        """What a changed trouble means to the pool and to choices."""
        shorter = after.until_ms < before.until_ms and before.until_ms > now_ms
        self._betterments += shorter or (before.blacklisted_ms > 0 and not after.blacklisted_ms)
        if name.startswith(KEY) and name[1:].isdecimal():
            pool = self._pools.of(health.id)
            pool.set_trouble(int(name[1:]), after, now_ms)
            self._expect_return(pool)

    def _expect_return(self, pool: KeyPool) -> None:
        at_ms, expected_ms = pool.next_return_ms, self._expected.get(pool.channel_id, 0)
        if at_ms and (not expected_ms or at_ms < expected_ms):
            self._expected[pool.channel_id] = at_ms
            heapq.heappush(self._returns, (at_ms, pool.channel_id))

    def _reloaded(self, pool: KeyPool) -> None:
        """Some of its keys are new or others: those may rest already."""
        with self.lock:
            self._expect_return(pool)


def in_pieces(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """For what is done in steps, so that no call waits for the lock."""
    return (names[begin : begin + AT_ONCE] for begin in range(0, len(names), AT_ONCE))


def _rest(trouble: Trouble) -> Rest:
    until_ms = trouble.until_ms
    return Rest(until_ms, trouble.is_told()) if until_ms else NO_REST


def _limits_keys(channel: Channel) -> bool:
    return bool(channel.key_max_concurrency or channel.key_requests_per_minute)
