"""Stores what attempts have cost, and learns what those of other processes have, of channels that may not cost more.

Where nothing was spent, and no channel has a limit, Redis is not asked. While it is away each process goes on with
what it knows, and adds that when it is back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from uuid import uuid4

from app.core.model import Channel
from app.storage.connections import Redis, RedisError
from app.storage.costs.costs import Batch, Costs
from app.storage.costs.stored import StoredCosts, Sum

log = logging.getLogger(__name__)

ROUND_S = 0.5
"""How often is told and asked."""
STOP_S = 1.0
MOST = 2_000
"""Channels with a limit that are asked for by one command."""


class CostsKeeper:
    """One for each process: `start` it after any fork."""

    def __init__(self, redis_client: Redis, costs: Costs, channels: Callable[[], Iterable[Channel]]) -> None:
        """`channels` are those that the operator knows."""
        self._costs = costs
        self._channels = channels
        self._stored = StoredCosts(redis_client, uuid4().hex)
        self._in_flight: Batch | None = None
        """What may be stored already."""
        self._number = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        costs.wake = self._begin

    def start(self) -> None:
        """Learns what was spent, and begins to keep. Does not fail when Redis is away."""
        self._round()
        self._begin()

    def stop(self) -> None:
        """Stores what is left: for the end of a process, after its last call."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_S)
            self._round()

    def _begin(self) -> None:
        """With the first thing to store: of a process without channels, too."""
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep, name="costs", daemon=True)
                self._thread.start()

    def _keep(self) -> None:
        while not self._stopping.wait(ROUND_S):
            try:
                self._round()
            except Exception:
                log.exception("what attempts cost could not be stored; it is tried again")

    def _round(self) -> None:
        with suppress(RedisError):  # the watch of the catalogue says so
            self._tell_and_ask()

    def _tell_and_ask(self) -> None:
        """Raises RedisError; what was to be stored is then stored next time, once."""
        if self._in_flight is None:
            batch = self._costs.take()
            if batch.costs or batch.unpriced:
                self._in_flight = batch
                self._number += 1
        batch = self._in_flight or Batch()
        sums = self._sums(batch)
        if not sums and self._in_flight is None:
            return
        found = self._stored.store(sums, self._in_flight, self._number)
        self._in_flight = None
        for one, nano in zip(sums, found, strict=True):
            self._costs.learn(one.begin_ms, one.channel_id, nano)

    def _sums(self, batch: Batch) -> list[Sum]:
        """Those to which something is added, and of today those of channels with a limit."""
        today = self._costs.day_of(time.time_ns() // 1_000_000)
        limited = [channel.id for channel in self._channels() if channel.cost_per_day_nano][:MOST]
        wanted = dict.fromkeys([*batch.costs, *((today, channel_id) for channel_id in limited)])
        return [Sum(*of, self._costs.stored(*of, batch.costs.get(of, 0)), batch.costs.get(of, 0)) for of in wanted]
