"""What is tried by the clock, as worker/checks/clock.py orders it: blacklisted keys, and channels."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from app.core.channels.keys import KeyState
from app.core.judging.outcome import Outcome
from app.core.judging.troubles import Trouble
from app.proxy.probing import Probed, usual_key
from app.storage.health.subjects import KEY
from worker.asking import HOPELESS, Asking, MayNotAsk, says_of_key
from worker.checks.due import ALL_CHANNELS, ALL_KEYS, due_channels, due_keys, name_of_channel, name_of_key, name_of_keys
from worker.checks.tried import Tried
from worker.tasks.at_once import for_each
from worker.tasks.key_batches import wait_until_stored
from worker.tasks.running import Running
from worker.tasks.validating import NO_KEY

log = logging.getLogger(__name__)

AT_ONCE: Final = 8
NOT_TRIED: Final = "not_tried"
"""Told among the outcomes: where the channel may not be asked, or says nothing of keys."""
OF_CHECKS: Final = (KeyState.ACTIVE, KeyState.RESTING)
"""The keys that a channel is tried with: blacklisted ones have tries of their own."""


def revalidate_keys(running: Running) -> dict[str, Any]:
    """Begun anew it tries those that are due by then. Raises RedisError."""
    return _Revalidation(running).run()


def check_channels(running: Running) -> dict[str, Any]:
    """The same of channels. Raises RedisError."""
    return _ChannelChecks(running).run()


class _Checks:
    """What both have in common."""

    name_of_all = ""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.gateway = running.gateway
        self.asking = Asking(running.gateway)
        self.tried = Tried(running.gateway.redis)
        self.outcomes = Counter[str]()

    def look(self) -> None:
        outcomes = ", ".join(f"{outcome} {count:,}" for outcome, count in self.outcomes.most_common())
        self.running.tell(self.outcomes.total(), message=outcomes)

    def result(self) -> dict[str, Any]:
        """Raises RedisError."""
        if self.running.was_cancelled:
            self.tried.note([self.name_of_all], _now_ms())  # else what is left would be due at the next look
        wait_until_stored(self.running)
        return {"tried": self.outcomes.total(), "outcomes": dict(self.outcomes.most_common())}


class _Revalidation(_Checks):
    name_of_all = ALL_KEYS

    def __init__(self, running: Running) -> None:
        super().__init__(running)
        self._in_a_row = Counter[str]()
        """Of each channel: failures that are no key's fault."""

    def run(self) -> dict[str, Any]:
        self.asking.catch_up()
        tried_ms, now_ms = self.tried.ms(), _now_ms()
        blacklisted = list(self.gateway.choosing.health.blacklisted())
        due = sorted(due_keys(blacklisted, tried_ms, self.gateway.catalog.snapshot, now_ms))
        self._forget(tried_ms, blacklisted)
        self.running.tell(0, len(due))
        for_each(self.running, due, self._try, AT_ONCE, self.look)
        return self.result()

    def _forget(self, tried_ms: Iterable[str], blacklisted: Iterable[tuple[str, str, Trouble]]) -> None:
        names = {
            name for channel_id, key_id, _ in blacklisted for name in (name_of_key(key_id), name_of_keys(channel_id))
        }
        of_keys = (name_of_key(""), name_of_keys(""))
        self.tried.forget(name for name in tried_ms if name.startswith(of_keys) and name not in names)

    def _try(self, due: tuple[int, str, str]) -> None:
        _, channel_id, key_id = due
        began_ms = _now_ms()
        self.outcomes[self._outcome(channel_id, key_id)] += 1
        trouble = self.gateway.choosing.health.trouble(channel_id, KEY, key_id)
        if trouble.blacklisted_ms and trouble.changed_ms < began_ms and self._in_a_row[channel_id] < HOPELESS:
            self.tried.note([name_of_key(key_id)], began_ms)

    def _outcome(self, channel_id: str, key_id: str) -> str:
        pool = self.gateway.choosing.pools.of(channel_id)
        place = pool.place_of(int(key_id))
        if place < 0 or pool.state_at(place) is not KeyState.BLACKLISTED:
            return "not_blacklisted"
        if self._in_a_row[channel_id] >= HOPELESS:
            return NOT_TRIED
        patience_s = self.gateway.catalog.snapshot.settings.validate_timeout_s
        try:
            probed = self.asking.try_key(channel_id, key_id, patience_s)
        except MayNotAsk:
            return NOT_TRIED
        if probed is None:
            return NO_KEY
        self._judge(channel_id, key_id, probed)
        return probed.outcome

    def _judge(self, channel_id: str, key_id: str, probed: Probed) -> None:
        if probed.outcome == Outcome.OK.value:
            log.info("Key %s of channel %s works again", key_id, channel_id)
        self._in_a_row[channel_id] = 0 if says_of_key(probed) else self._in_a_row[channel_id] + 1
        if self._in_a_row[channel_id] == HOPELESS:
            self.tried.note([name_of_keys(channel_id)], _now_ms())
            text = "Channel %s says nothing of its blacklisted keys (%s, %s); they are tried later"
            log.warning(text, channel_id, probed.outcome, probed.error)


class _ChannelChecks(_Checks):
    name_of_all = ALL_CHANNELS

    def run(self) -> dict[str, Any]:
        self.asking.catch_up()
        tried_ms, snapshot = self.tried.ms(), self.gateway.catalog.snapshot
        known = {name_of_channel(channel.id) for channel in snapshot.channels}
        self.tried.forget(name for name in tried_ms if name.startswith(name_of_channel("")) and name not in known)
        due = [channel_id for _, channel_id in sorted(due_channels(tried_ms, snapshot, _now_ms()))]
        self.running.tell(0, len(due))
        for_each(self.running, due, self._try, AT_ONCE, self.look)
        return self.result()

    def _try(self, channel_id: str) -> None:
        self.tried.note([name_of_channel(channel_id)], _now_ms())
        self.outcomes[self._outcome(channel_id)] += 1

    def _outcome(self, channel_id: str) -> str:
        try:
            channel = self.asking.may_ask(channel_id)
            key = usual_key(self.gateway.choosing.pools, channel, OF_CHECKS)
            probed = self.asking.try_key(channel_id, key.id, model=channel.check_model) if key is not None else None
        except MayNotAsk:
            return NOT_TRIED
        if key is None or probed is None:
            return NO_KEY
        if probed.outcome != Outcome.OK.value:
            text = "Channel %s %r failed its check with key %s: %s, %s"
            log.warning(text, channel_id, channel.name, key.id, probed.outcome, probed.error)
        return probed.outcome


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
