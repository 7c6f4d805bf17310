"""What a web process has for channels: their keys, their health, and what an operator does to keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import pytest

from app.core.channels.keys import Key, StoredKey
from app.core.judging.outcome import Blame, Outcome, Verdict
from app.core.model import Channel, ChannelUrl, ModelEntry, Upstream
from app.core.settings import Settings
from app.storage.connections import open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.health.channel import Attempt
from app.storage.health.keeper import HealthKeeper
from app.storage.health.observed import Health
from app.storage.health.stored import StoredHealth
from app.storage.keys.edits import KeyEdits
from app.storage.keys.pool import KeyPool
from app.storage.keys.pools import KeyPools
from app.storage.secrets import Secrets

URLS = ("https://a.example", "https://b.example")
OK = Verdict(Outcome.OK)
LIMITED = Verdict(Outcome.RATE_LIMITED, Blame.KEY, again=True)
INVALID = Verdict(Outcome.INVALID_KEY, Blame.KEY, again=True, blacklist=True)
REFUSED = Verdict(Outcome.REFUSED_KEY, Blame.KEY, again=True, counts_to_blacklist=True)
DOWN = Verdict(Outcome.SERVER_ERROR, Blame.URL, again=True)
OVERLOADED = Verdict(Outcome.OVERLOADED, Blame.MODEL, again=True)
EMPTY = Verdict(Outcome.EMPTY, Blame.CHANNEL, again=True)
SETTINGS = Settings()
PLAIN = Secrets()
BAD_REQUEST = Verdict(Outcome.BAD_REQUEST, Blame.CLIENT)


def channel(id: str = "1", urls: tuple[str, ...] = URLS, **options: int) -> Channel:
    dialects = frozenset({"openai"})
    upstream = Upstream("https", "a.example", 443, "a.example", "")
    listed = tuple(ChannelUrl(url, 1, dialects, False, upstream) for url in urls)
    return Channel(id, f"channel {id}", dialects, listed, (ModelEntry("m", ""),), **options)  # type: ignore[arg-type]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def put_keys(pool: KeyPool, ids: Iterable[int], at_ms: int | None = None) -> None:
    """Gives a pool keys that are stored nowhere."""
    for id in ids:
        pool.put(StoredKey(id, f"sk-{id}"), now_ms() if at_ms is None else at_ms)


class KeepingProcess:
    """`start` it, and `end` it as a process ends that is not killed."""

    def __init__(self, redis_url: str, channels: dict[str, Channel] | None = None, secrets: Secrets = PLAIN) -> None:
        self.redis = open_redis(redis_url, socket_timeout_s=0.5)
        self.pools = KeyPools(self.redis, secrets)
        self.health = Health(self.pools)
        self.keeper = HealthKeeper(self.redis, self.health, self.pools, lambda: channels)
        self.edits = KeyEdits(self.pools, self.health, StoredHealth(self.redis, "reader"))

    def start(self) -> KeepingProcess:
        self.pools.start()
        self.keeper.start()
        return self

    def end(self) -> None:
        self.pools.stop()
        self.keeper.stop()
        self.redis.close()

    def note(
        self,
        verdict: Verdict,
        *,
        key: str = "",
        url: str = URLS[0],
        model: str = "m",
        of: str = "1",
        began_ms: int | None = None,
        at_ms: int | None = None,
        first_byte_ms: float | None = None,
        status: int = 0,
        settings: Settings = SETTINGS,
    ) -> int:
        """An attempt that ended now, as is told. Until when who is to blame rests then, if it is a key or a url."""
        at_ms = now_ms() if at_ms is None else at_ms
        pool = self.pools.of(of)
        secret = pool.secret_at(pool.place_of(int(key))) if key and pool.place_of(int(key)) >= 0 else "sk-unknown"
        attempt = Attempt(
            channel(of), url, Key(key, secret) if key else None, model, at_ms if began_ms is None else began_ms
        )
        if first_byte_ms is not None:
            self.health.measured(of, url, first_byte_ms)
        self.health.note(attempt, verdict, settings, at_ms, status=status)
        return self.key_until(key, of) if key else self.health.url_rest(of, url).until_ms

    def key_until(self, key: str, of: str = "1") -> int:
        return self.health.trouble(of, "k", key).until_ms


def secrets(process: KeepingProcess, of: str = "1") -> list[str]:
    """As the process knows them without asking."""
    pool = process.pools.of(of)
    return [pool.secret_at(place) for place, mark in enumerate(pool.marks()) if mark]


@pytest.fixture
def new_process(own_server: EmbeddedRedis, own_redis: object) -> Iterator[Callable[..., KeepingProcess]]:
    """Starts what one process would have, with a client of its own."""
    started: list[KeepingProcess] = []

    def start(
        redis_url: str = own_server.url, channels: dict[str, Channel] | None = None, secrets: Secrets = PLAIN
    ) -> KeepingProcess:
        started.append(KeepingProcess(redis_url, channels, secrets).start())
        return started[-1]

    yield start
    for process in started:
        process.end()
