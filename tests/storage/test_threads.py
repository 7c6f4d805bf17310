"""The threads beside the calls: what is said on a channel of Redis is heard, whatever else is said there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from app.storage.connections import Redis
from app.storage.threads import Threads
from tests.support.waiting import wait_until

Heard = list[bytes]
Listen = Callable[[], tuple[Threads, Heard, Heard]]


@pytest.fixture
def listening(own_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listen]:
    """Begins to listen on the channel `news`: the threads, what was heard, and an entry for each beginning."""
    monkeypatch.setattr("app.storage.threads.AWAY_S", 0.05)
    begun: list[Threads] = []

    def start() -> tuple[Threads, Heard, Heard]:
        threads = Threads("test", own_redis, "news")
        heard: Heard = []
        beginnings: Heard = []

        def hear(message: bytes) -> None:
            if message == b"nonsense":
                raise ValueError("nonsense")
            heard.append(message)

        def _listen() -> None:
            threads.listen(lambda: beginnings.append(b""), hear)

        threads.start(_listen)
        begun.append(threads)
        wait_until(lambda: beginnings, "it listens")
        return threads, heard, beginnings

    yield start
    for threads in begun:
        threads.stop()


def test_nonsense_ends_no_listener(listening: Listen, own_redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and what was missed meanwhile is made up for by a new beginning."""
    _, heard, beginnings = listening()
    own_redis.publish("news", "nonsense")
    wait_until(lambda: len(beginnings) == 2, "it listens again")
    own_redis.publish("news", "sense")
    wait_until(lambda: heard == [b"sense"], "sense is heard")
    assert "what was said on news could not be taken" in caplog.text


def test_it_ends_at_once_though_nobody_speaks(listening: Listen, own_redis: Redis) -> None:
    """By a word of its own, which others hear as a farewell."""
    threads, _, _ = listening()
    _, heard, _ = listening()
    threads.stop("farewell")
    assert not any(thread.is_alive() for thread in threads._threads)
    wait_until(lambda: heard == [b"farewell"], "the other hears it")
    assert own_redis.pubsub_numsub("news")[0][1] == 1
