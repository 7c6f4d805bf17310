"""Tries keys of channels beside the calls of clients: within the limits, the hours and the money of each channel."""

from __future__ import annotations

import time
from typing import Final
from uuid import uuid4

import gevent

from app.core.channels.hours import is_open
from app.core.choosing.standing import Full
from app.core.judging.outcome import Blame, Outcome
from app.core.model import Channel, Snapshot
from app.core.snapshot import CHANNELS
from app.gateway import Gateway
from app.proxy.probing import Probe, Probed, Prober, usual_model
from app.storage.limits.places import Place

LOOK_S: Final = 0.1
"""Between two looks for room in a channel that is full."""
LONGEST_LOOK_S: Final = 1.0
"""The same where it was told when room is due: it may come sooner."""
CATCH_UP_S: Final = 5.0
"""So long a process may take to hear what others observed of keys before it begins to try them."""


HOPELESS: Final = 20
"""After so many failures in a row that are no key's fault no more of a channel's keys are tried: it would only keep the
channel at rest."""


class MayNotAsk(Exception):
    """The channel's upstream may not be asked now. The text says why, as the end of a sentence."""


class Asking:
    """One for each who asks. All in a process that gevent has patched: what waits here is a greenlet."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._prober = Prober(gateway.engine, gateway.choosing)

    def catch_up(self) -> None:
        """Knows from now on what was said and observed until it was called, wherever that was. Raises RedisError."""
        self.gateway.catalog.look()
        self.gateway.choosing.pools.load()
        self.gateway.health_keeper.catch_up(CATCH_UP_S)
        self.gateway.choosing.health.settle(_now_ms())

    def try_key(self, channel_id: str, key_id: str, patience_s: float = 0.0, model: str = "") -> Probed | None:
        """What comes of one small call with this key, which is judged like any; None where there is no key to show.

        `model` is asked for; empty: what the key is kept for, or else is usual. It waits for room among the attempts of
        its channel, for as long as it takes. Who takes longer than `patience_s` for an answer is to blame for nothing;
        0: for him it is a timeout. Raises MayNotAsk.
        """
        channel, places = self._room(channel_id, key_id)
        try:
            pool = self.gateway.choosing.pools.of(channel_id)
            place = pool.place_of(int(key_id))
            if place < 0:
                return None
            model = model or usual_model(channel, pool.stored_at(place).models)
            key = pool.key_at(place)
            if key is None:
                return None
            probe = Probe(channel, key, channel.said["dialects"][0], model, patience_s=patience_s)
            return self._prober.probe(probe, self._snapshot, uuid4().hex, "")
        finally:
            for one in places:
                one.release()

    @property
    def _snapshot(self) -> Snapshot:
        return self.gateway.catalog.snapshot

    def _room(self, channel_id: str, key_id: str) -> tuple[Channel, tuple[Place, ...]]:
        """Raises MayNotAsk, also where that becomes so while it waits."""
        while True:
            channel = self.may_ask(channel_id)
            found = self.gateway.choosing.limits.take_both(channel, key_id)
            if not isinstance(found, Full):
                return channel, found
            left_s = found.until_ms / 1000 - time.time() if found.until_ms else LOOK_S
            gevent.sleep(min(max(left_s, LOOK_S), LONGEST_LOOK_S))

    def may_ask(self, channel_id: str) -> Channel:
        """The channel as it is now. Raises MayNotAsk."""
        snapshot, now_ms = self._snapshot, _now_ms()
        channel = CHANNELS.of(snapshot).by_id.get(channel_id)
        if channel is None:
            raise MayNotAsk("the channel is there no more")
        if not usual_model(channel):
            raise MayNotAsk("the channel serves all models and names none: set its check_model")
        if not is_open(channel.hours, now_ms, snapshot.settings.time_zone):
            raise MayNotAsk(f"the channel serves at {channel.said['hours']} only")
        if self.gateway.choosing.costs.over_until_ms(channel, now_ms):
            raise MayNotAsk("the channel has spent what it may cost in a day")
        return channel


def says_of_key(probed: Probed) -> bool:
    """Whether a key was tried indeed: it is good, or to blame."""
    return probed.outcome == Outcome.OK.value or probed.blame is Blame.KEY


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
