"""Processes that do the same at the same time, as the web processes of a gateway do.

They are started once and take one task after the other: a start costs more than most tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest

from app.storage.connections import Redis, open_redis
from tests.support.waiting import wait_until

SIZE = 4


class Crowd:
    """SIZE processes."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(SIZE, mp_context=get_context("spawn"))

    def act(self, client: Redis, url: str, do: Callable[..., Any], arguments: list[tuple[Any, ...]]) -> list[Any]:
        """Does it in each process with its own arguments. What each returned.

        `do` is a function of a module. Before its own arguments it gets a Redis client and what it has to call when it
        is prepared, which returns in all processes at the same time.
        """
        assert len(arguments) == SIZE
        tasks = [self._pool.submit(take_part, url, do, *mine) for mine in arguments]
        wait_until(
            lambda: int(client.get("crowd:ready") or 0) == SIZE or any(task.done() for task in tasks),
            "all are ready",
            timeout_s=20,
        )
        client.set("crowd:go", 1)
        return [task.result(20) for task in tasks]

    def close(self) -> None:
        self._pool.shutdown()


def take_part(url: str, do: Callable[..., Any], *arguments: Any) -> Any:
    with open_redis(url, socket_timeout_s=1) as client:

        def together() -> None:
            client.incr("crowd:ready")
            wait_until(lambda: client.get("crowd:go"), "the start", timeout_s=20)

        return do(client, together, *arguments)


@pytest.fixture(scope="session")
def crowd() -> Iterator[Crowd]:
    crowd = Crowd()
    yield crowd
    crowd.close()
