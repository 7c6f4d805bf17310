"""The job: events off the list, into the windows, into the summary that `/stats` serves.

RQ calls roll_up() about once a second. What it knows it keeps between calls, in this process: a SimpleWorker
runs its jobs where it stands.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import redis

from app.storage.active.interrupted import InterruptedCalls
from app.storage.connections import STATS_SUMMARY, Redis
from app.storage.refusals import describe
from app.storage.statistics.accounts import Account
from app.storage.statistics.ledger import Ledger
from worker.panels import PanelDescriber
from worker.summary import Describer

log = logging.getLogger(__name__)

BUDGET_S = 0.8
"""A job ends after about this long even when more waits, so that the summary keeps up and a stop is prompt."""


class RollUp:
    """Everything one roll-up needs."""

    def __init__(self, redis_client: Redis) -> None:
        self._ledger = Ledger(redis_client)
        self._describer = Describer()
        self._panel_describer = PanelDescriber()
        self._interrupted = InterruptedCalls(redis_client)

    def run(self, now_ms: int, budget_s: float = BUDGET_S) -> int:
        """Books what waits and publishes what changed. Returns the number of envelopes booked.

        Raises redis.RedisError; nothing is lost by it.
        """
        deadline = time.monotonic() + budget_s
        envelopes = 0
        while taken := self._ledger.roll_up(now_ms):
            envelopes += taken
            if time.monotonic() >= deadline:
                break
        else:
            self._interrupted.book()
        self._ledger.publish(now_ms, lambda account: self._describe(account, now_ms))
        return envelopes

    def _describe(self, account: Account, now_ms: int) -> Callable[[Any], None] | None:
        """What writes all that is told of an account; None when nothing has changed."""
        summary = self._describer.describe(account, now_ms)
        write_panels = self._panel_describer.describe(account, now_ms)
        if summary is None and write_panels is None:
            return None

        def write(pipe: Any) -> None:
            if summary is not None:
                pipe.set(STATS_SUMMARY, summary)
            if write_panels is not None:
                write_panels(pipe)

        return write


_roll_up: RollUp | None = None


def prepare(redis_client: Redis) -> RollUp:
    """Says which Redis the jobs of this process work on."""
    global _roll_up
    _roll_up = RollUp(redis_client)
    return _roll_up


def roll_up() -> None:
    """The job as RQ calls it. An error of Redis is no failure: the next second brings the next job."""
    if _roll_up is None:
        raise RuntimeError("roll_up() runs in the worker process only: python -m worker")
    try:
        _roll_up.run(time.time_ns() // 1_000_000)
    except redis.WatchError:
        log.info("Overtaken or cut off in the middle; nothing was booked, the next roll-up begins anew")
    except redis.RedisError as error:
        log.warning("Roll-up put off: Redis %s", describe(error))
    except Exception:
        log.exception("Roll-up failed; its events stay on the list")
        raise
