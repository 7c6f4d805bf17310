"""Channels and their keys as the API answers them: what was said, and what is observed. No key stands in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.core.channels.definition import answer
from app.core.channels.keys import KeyCounts, KeyState
from app.core.channels.shape import ID, LAST_ERROR, TIME
from app.core.choosing.penalties import penalties
from app.core.choosing.selection import Preferences
from app.core.choosing.standing import Health
from app.core.model import Channel
from app.core.said.shapes import Listed, OneOf, Shape, Text, Whole, YesOrNo
from app.gateway import Gateway
from app.proxy.api.choices import now_ms, preferences_of
from app.storage.health.channel import LastError
from app.storage.keys.listing import ListedKey

KEY = Shape(
    {
        "note": Text(1000, lines=True),
        "models": Listed(Text(300), 1000, meaning="Those that it is kept for; empty: all of the channel's"),
        "enabled": YesOrNo(default=True),
    },
    {
        "id": ID,
        "hint": Text(meaning="How it begins and ends"),
        "state": OneOf(tuple(state.value for state in KeyState)),
        "resting_until_ms": TIME,
        "failures": Whole(),
        "requests": Whole(meaning="Attempts with it"),
        "errors": Whole(),
        "last_used_at_ms": TIME,
        "last_error": LAST_ERROR,
    },
    title="Key",
    unanswered=("enabled",),
)


class ChannelAnswers:
    """As this process knows them at the time of asking."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def one(self, channel: Channel) -> dict[str, Any]:
        return self.all([channel])[0]

    def all(self, channels: Sequence[Channel]) -> list[dict[str, Any]]:
        """Raises RedisError."""
        health, now = self._gateway.choosing.health, now_ms()
        health.settle(now)
        seen = self._gateway.stored_health.last_seen([channel.id for channel in channels])
        snapshot = self._gateway.catalog.snapshot
        taken_off = _penalties(health, snapshot.channels, preferences_of(snapshot.settings))
        answers = []
        for channel in channels:
            last_ok_at_ms, last_error = seen[channel.id]
            record = health.record(channel.id)
            observed = {
                "effective_priority": round(channel.priority - taken_off.get(channel.id, 0.0), 3),
                "success_rate": round(record.success_rate, 4) if record.samples else None,
                "resting_until_ms": self.resting_until_ms(channel) or None,
                "resting_models": self._resting_models(channel, now),
                "last_error": error_answer(last_error),
                "last_ok_at_ms": last_ok_at_ms or None,
                "keys": counts_answer(self._gateway.choosing.pools.of(channel.id).counts),
                "urls": {url.url: self._url(channel, url.url, now) for url in channel.urls},
            }
            answers.append(answer(channel, observed))
        return answers

    def listed(self, channels: Sequence[Channel], count: int, following: str | None) -> dict[str, Any]:
        """A page of them, of so many, and how their keys lie in Redis. Raises RedisError."""
        secrets, pools = self._gateway.secrets, self._gateway.choosing.pools
        at_rest = {"encrypted": secrets.encrypts, "out_of_line": pools.out_of_line()}
        answered = self.all(channels)
        return {"success": True, "count": count, "channels": answered, "next": following, "keys_at_rest": at_rest}

    def resting_until_ms(self, channel: Channel) -> int:
        """Its own rest or, with no fit key, that of the key which is back first; 0: it does not rest."""
        choosing, now = self._gateway.choosing, now_ms()
        choosing.health.settle(now)  # who has rested long enough is back, also where nobody calls
        until_ms = choosing.health.channel_rest(channel).until_ms
        counts = choosing.pools.of(channel.id).counts
        if counts.resting and not counts.active:
            names = tuple({name: None for entry in channel.models for name in entry if name})
            until_ms = max(until_ms, choosing.health.keys(channel, names).back_ms)
        return until_ms if until_ms > now else 0

    def _resting_models(self, channel: Channel, now: int) -> dict[str, int]:
        """By the names that the channel serves them by, where it names them."""
        served: dict[str, list[str]] = {}
        for entry in channel.models:
            served.setdefault(entry.upstream_name or entry.name, []).append(entry.name)
        resting = self._gateway.choosing.health.resting_models(channel.id, now)
        return {name: until for upstream, until in resting.items() for name in served.get(upstream, [upstream])}

    def _url(self, channel: Channel, url: str, now: int) -> dict[str, Any]:
        health = self._gateway.choosing.health
        until_ms, first_byte_ms = health.url_rest(channel.id, url).until_ms, health.url_first_byte_ms(channel.id, url)
        return {
            "resting_until_ms": until_ms if until_ms > now else None,
            "first_byte_ms": round(first_byte_ms, 1) if first_byte_ms > 0 else None,
        }


def key_answer(key: ListedKey) -> dict[str, Any]:
    until_ms = key.trouble.until_ms
    return {
        "id": key.id,
        "hint": key.hint,
        "note": key.note,
        "state": key.state.value,
        "resting_until_ms": until_ms if until_ms > now_ms() else None,
        "failures": key.trouble.failures,
        "models": list(key.models),
        "requests": key.usage.requests,
        "errors": key.usage.errors,
        "last_used_at_ms": key.usage.last_used_ms or None,
        "last_error": error_answer(key.usage.last_error),
    }


def counts_answer(counts: KeyCounts) -> dict[str, int]:
    return counts._asdict()


def error_answer(error: LastError | None) -> dict[str, Any] | None:
    return error._asdict() if error is not None else None


def _penalties(health: Health, channels: Sequence[Channel], preferences: Preferences) -> dict[str, float]:
    """What is taken off the priority of each, beside all others. A call compares those that serve its model alone."""
    if not preferences.weights.any:
        return {}
    taken_off = penalties([health.record(channel.id) for channel in channels], preferences.weights)
    return dict(zip((channel.id for channel in channels), taken_off, strict=True))
