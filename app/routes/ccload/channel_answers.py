"""Channels as ccLoad answers them: its names and units, seconds for times, and numbers for ids and money."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from app.core.channels.keys import KeyState
from app.core.model import Channel
from app.core.said.shapes import Listed, Real, Shape, Text, Whole, YesOrNo
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.routes.admin.channel_answers import ChannelAnswers
from app.storage.health.subjects import CHANNEL
from app.wire.ccload import TYPES

MOST_KEYS: Final = 100
"""Resting keys of one channel that the list names."""

_COOLDOWN: Final = Shape({name: Whole() for name in ("key_index", "cooldown_until", "cooldown_remaining_ms")})
CHANNEL_TOLD: Final = Shape(
    {
        "id": Whole(),
        **{name: Text() for name in ("name", "channel_type", "url", "key_strategy", "proxy_url")},
        "priority": Whole(),
        "enabled": YesOrNo(),
        "models": Listed(Shape({"model": Text(), "redirect_model": Text()})),
        "rpm_limit": Whole(),
        "max_concurrency": Whole(),
        "daily_cost_limit": Real(),
        "cost_multiplier": Real(),
        "scheduled_check_enabled": YesOrNo(),
        "scheduled_check_model": Text(),
        "cooldown_until": Whole(meaning="In s since 1970; 0: it does not rest"),
        "cooldown_duration_ms": Whole(),
        "cooldown_remaining_ms": Whole(),
        "key_cooldowns": Listed(_COOLDOWN),
        "key_count": Whole(),
        "effective_priority": Real(),
        "success_rate": Real(),
        "created_at": Whole(meaning="In s since 1970"),
        "updated_at": Whole(meaning="In s since 1970"),
    },
    optional=("cooldown_remaining_ms", "key_cooldowns", "success_rate"),
    title="CcloadChannel",
)


class CcloadAnswers:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._answers = ChannelAnswers(gateway)

    def one(self, channel: Channel) -> dict[str, Any]:
        """Raises RedisError."""
        return self._told(channel, self._answers.one(channel))

    def listed(self, channels: Sequence[Channel]) -> list[dict[str, Any]]:
        """With the keys that rest. Raises RedisError."""
        told = []
        for channel, answer in zip(channels, self._answers.all(channels), strict=True):
            one = self._told(channel, answer)
            one["models"] = [
                {**model, "redirect_model": model["redirect_model"] or model["model"]} for model in one["models"]
            ]
            if answer["keys"]["resting"]:
                one["key_cooldowns"] = self._key_cooldowns(channel)
            told.append(one)
        return told

    def _told(self, channel: Channel, answer: dict[str, Any]) -> dict[str, Any]:
        now = now_ms()
        until_ms = answer["resting_until_ms"] or 0
        told = {
            "id": int(channel.id),
            "name": answer["name"],
            "channel_type": TYPES[answer["dialects"][0]],
            "url": ",".join(url["url"] for url in answer["urls"]),
            "priority": answer["priority"],
            "enabled": answer["enabled"],
            "models": [
                {"model": model["name"], "redirect_model": model["upstream_name"]} for model in answer["models"]
            ],
            "key_strategy": answer["key_strategy"],
            "rpm_limit": answer["requests_per_minute"],
            "max_concurrency": answer["max_concurrency"],
            "daily_cost_limit": float(answer["cost_per_day_usd"]),
            "cost_multiplier": float(answer["cost_multiplier"]),
            "proxy_url": answer["proxy_url"],
            "scheduled_check_enabled": bool(answer["check_model"]),
            "scheduled_check_model": answer["check_model"],
            "cooldown_until": until_ms // 1000,
            "cooldown_duration_ms": self._length_ms(channel, until_ms),
            "key_count": answer["keys"]["total"],
            "effective_priority": answer["effective_priority"],
            "created_at": (answer["created_at_ms"] or 0) // 1000,
            "updated_at": (answer["updated_at_ms"] or 0) // 1000,
        }
        if until_ms:
            told["cooldown_remaining_ms"] = max(0, until_ms - now)
        if answer["success_rate"] is not None:
            told["success_rate"] = answer["success_rate"]
        return told

    def _length_ms(self, channel: Channel, until_ms: int) -> int:
        """From the failure that began the rest; 0 without one."""
        began_ms = self._gateway.choosing.health.trouble(channel.id, CHANNEL).changed_ms
        return max(0, until_ms - began_ms) if until_ms and began_ms else 0

    def _key_cooldowns(self, channel: Channel) -> list[dict[str, int]]:
        """Of the first keys that rest, by their places among the channel's keys."""
        now, pool = now_ms(), self._gateway.choosing.pools.of(channel.id)
        page = self._gateway.key_edits.page(channel.id, [KeyState.RESTING], limit=MOST_KEYS)
        return [
            {
                "key_index": pool.number_of(int(key.id)),
                "cooldown_until": key.trouble.until_ms // 1000,
                "cooldown_remaining_ms": max(0, key.trouble.until_ms - now),
            }
            for key in page.keys
        ]
