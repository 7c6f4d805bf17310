"""Channels in a line, and a health that is what a test says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.core.channels.definition import parse_channel
from app.core.choosing.exclusions import is_limited
from app.core.choosing.matching import Candidate, Serving
from app.core.choosing.selection import Preferences, Selection, Turns, Wanted
from app.core.choosing.standing import NO_REST, Full, Keys, Record, Rest
from app.core.model import Channel

ONE_KEY = Keys(1, 1)


def channel(id: str, *, models: Iterable[str] = ("m",), name: str = "", **said: Any) -> Channel:
    """A channel of the dialect openai."""
    entries = [{"name": name, "upstream_name": to} for name, _, to in (model.partition(">") for model in models)]
    urls = [{"url": f"https://{id}.example"}]
    given = {"name": name or id, "dialects": ["openai"], "urls": urls, "models": entries, **said}
    return parse_channel(id, given)


class StandingHealth:
    """A Health whose every answer is set by hand."""

    def __init__(self) -> None:
        self.version = 0
        self.channels: dict[str, Rest] = {}
        self.models: dict[tuple[str, str], Rest] = {}
        self.urls: dict[str, Rest] = {}
        self.first_bytes_ms: dict[str, float] = {}
        self.pools: dict[str, Keys] = {}
        self.fulls: dict[str, Full] = {}
        self.over_costs_ms: dict[str, int] = {}
        self.records: dict[str, Record] = {}
        self.asked = 0
        """How often it was asked how a channel stands."""

    def settle(self, now_ms: int) -> None:
        pass

    def channel_rest(self, channel: Channel) -> Rest:
        self.asked += 1
        return self.channels.get(channel.id, NO_REST)

    def model_rest(self, channel_id: str, upstream_model: str) -> Rest:
        return self.models.get((channel_id, upstream_model), NO_REST)

    def url_rest(self, channel_id: str, url: str) -> Rest:
        return self.urls.get(url, NO_REST)

    def url_first_byte_ms(self, channel_id: str, url: str) -> float:
        return self.first_bytes_ms.get(url, 0.0)

    def keys(self, channel: Channel, models: tuple[str, ...]) -> Keys:
        return self.pools.get(channel.id, ONE_KEY)

    def full(self, channel: Channel, models: tuple[str, ...]) -> Full | None:
        assert is_limited(Candidate(channel, "", models))
        return self.fulls.get(channel.id)

    def over_cost_ms(self, channel: Channel, now_ms: int) -> int:
        assert channel.cost_per_day_nano
        return self.over_costs_ms.get(channel.id, 0)

    def record(self, channel_id: str) -> Record:
        return self.records.get(channel_id, Record())


class Line:
    """Channels, their health, and what is chosen."""

    def __init__(self, *channels: Channel, chance: float = 0.0, preferences: Preferences = Preferences()) -> None:  # noqa: B008
        self.health = StandingHealth()
        self.selection = Selection(self.health, lambda: chance)
        self.preferences = preferences
        self.now_ms = 1_000_000
        self.say(*channels)

    def say(self, *channels: Channel) -> None:
        """From now on these are the channels."""
        self.serving = Serving(channels)

    def turns(self, model: str = "m", *, only: Iterable[str] | None = None, prefer: str = "") -> Turns:
        wanted = Wanted("openai", model, None if only is None else frozenset(only))
        return self.selection.turns(self.serving, wanted, self.preferences, self.now_ms, prefer)

    def order(self, model: str = "m", **how: Any) -> str:
        """The ids of all that would be tried for one call, were each to fail, in a line."""
        turns, ids = self.turns(model, **how), []
        while (one := turns.next(self.now_ms)) is not None:
            ids.append(one.channel.id)
        return " ".join(ids)

    def calls(self, count: int, model: str = "m", **how: Any) -> str:
        """The first choice of each of so many calls, in a line."""
        firsts = (self.turns(model, **how).next(self.now_ms) for _ in range(count))
        return "".join(one.channel.id if one else "-" for one in firsts)
