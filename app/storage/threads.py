"""The threads that talk to Redis beside a process's calls. They are greenlets where gevent has patched."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from app.storage.connections import Redis, RedisError, messages

log = logging.getLogger(__name__)

AWAY_S: Final = 1.0
"""Pause before Redis is asked again after an error."""
JOIN_S: Final = 1.0
"""How long `stop` waits for all threads together."""


class Threads:
    """Of one who keeps something in Redis, and hears on the channel `news` what others keep."""

    def __init__(self, name: str, redis_client: Redis, news: str) -> None:
        self.wake = threading.Event()
        self.stopping = threading.Event()
        self._name = name
        self._redis = redis_client
        self._news = news
        self._threads: list[threading.Thread] = []

    def start(self, *acts: Callable[[], None]) -> None:
        """Begins to run each, until it finds `stopping` set."""
        self._threads = [threading.Thread(target=act, name=f"{self._name}{act.__name__}", daemon=True) for act in acts]
        for thread in self._threads:
            thread.start()

    def stop(self, farewell: str = "") -> None:
        """Ends them, also while Redis is away. `farewell` is what wakes our own listener, and what others hear."""
        self.stopping.set()
        self.wake.set()
        with suppress(RedisError):
            self._redis.publish(self._news, farewell)
        deadline_s = time.monotonic() + JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))

    def listen(self, begin: Callable[[], object], hear: Callable[[bytes], object]) -> None:
        listen(self._redis, self._news, self.stopping, begin, hear)


def listen(
    redis_client: Redis,
    news: str,
    stopping: threading.Event,
    begin: Callable[[], object],
    hear: Callable[[bytes], object],
) -> None:
    """Gives `hear` what is said on the channel `news`, until `stopping`; `begin` makes up for what was missed before.

    Whatever goes wrong, it listens again. Anybody with access to Redis can say anything.
    """
    while not stopping.is_set():
        try:
            with redis_client.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
                channel.subscribe(news)
                begin()
                for message in messages(channel):
                    if stopping.is_set():
                        return
                    if message is not None:
                        hear(message)
        except RedisError:  # the watch of the catalogue says so
            stopping.wait(AWAY_S)
        except Exception:
            log.exception("what was said on %s could not be taken", news)
            stopping.wait(AWAY_S)
