"""A channel's base URLs: what may be said of one, and which of several is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import log
from operator import itemgetter
from typing import Any

from app.core.channels.base_urls import upstream_of
from app.core.channels.shape import URL
from app.core.choosing.standing import Health
from app.core.errors import AddressRefused, InvalidChannel
from app.core.model import Channel, ChannelUrl, Upstream
from app.core.network.forward_proxies import ForwardProxy
from app.core.said.reading import Said
from app.core.settings import Limits
from app.wire.dialects.upstream_path import base_path_for

_UNTRIED = -1.0


def parse_url(
    value: Any, path: str, dialects: tuple[str, ...], limits: Limits, proxy: ForwardProxy | None
) -> ChannelUrl:
    """One entry of a channel's `urls`, which stands at `path`. Raises InvalidChannel."""
    said = Said(value, path, URL)
    url = said.text("url")
    exact = said.flag("exact")
    try:
        upstream = upstream_of(url, said.at("url"), limits, proxy)
    except ValueError as error:
        raise InvalidChannel(str(error), said.at("url")) from None
    upstream = replace(upstream, base_path=base_path_for(upstream.base_path, exact))
    return ChannelUrl(
        url=url,
        weight=said.number("weight"),
        dialects=frozenset(said.words("dialects", dialects) or dialects),
        exact=exact,
        upstream=upstream,
    )


class AddressGuard:
    """Of many channels: asks once of each address, for a name must be resolved."""

    def __init__(self, check: Callable[[Upstream], object]) -> None:
        """`check` raises AddressRefused, as the egress guard does."""
        self._check = check
        self._refusals: dict[tuple[str, int, ForwardProxy | None], str] = {}

    def refuse(self, channel: Channel) -> None:
        """Raises Invalid for a url at which the gateway may not connect."""
        for place, url in enumerate(channel.urls):
            upstream = url.upstream
            address = (upstream.host, upstream.port, upstream.proxy)
            if address not in self._refusals:
                self._refusals[address] = self._refusal(upstream)
            if self._refusals[address]:
                raise InvalidChannel(f"urls[{place}].url: {self._refusals[address]}", f"urls[{place}].url")

    def _refusal(self, upstream: Upstream) -> str:
        """Empty: there is none."""
        try:
            self._check(upstream)
        except AddressRefused as error:
            return str(error)
        return ""


def shown_url(url: ChannelUrl, dialects: tuple[str, ...]) -> dict[str, Any]:
    """As the API answers it; `dialects` are those of the channel, in its order."""
    own = [] if len(url.dialects) == len(dialects) else [dialect for dialect in dialects if dialect in url.dialects]
    return {"url": url.url, "weight": url.weight, "dialects": own, "exact": url.exact}


def urls_in_order(
    channel: Channel,
    dialect: str,
    health: Health,
    now_ms: int,
    chance: Callable[[], float],
    *,
    falls_back: bool = False,
) -> list[ChannelUrl]:
    """The channel's urls that speak the dialect and do not rest, in the order in which a call should try them.

    Those that have never answered go first, so that each is known; then by chance, by weight over the moving average
    of the time to the first byte. `falls_back`: those that rest follow, the first to be back first, but for those that
    an upstream told how long to leave. `chance` gives random numbers from 0 to 1.
    """
    if len(channel.urls) == 1:
        url = channel.urls[0]
        rest = health.url_rest(channel.id, url.url)
        return [url] if rest.until_ms <= now_ms or (falls_back and not rest.told) else []
    fit: list[tuple[float, ChannelUrl]] = []
    resting: list[tuple[float, ChannelUrl]] = []
    for url in channel.urls:
        if dialect in url.dialects:
            rest = health.url_rest(channel.id, url.url)
            if rest.until_ms <= now_ms:
                fit.append((_order(url, health.url_first_byte_ms(channel.id, url.url), chance()), url))
            elif falls_back and not rest.told:
                resting.append((rest.until_ms, url))
    fit.sort(key=itemgetter(0))
    resting.sort(key=itemgetter(0))
    return [url for _, url in fit + resting]


def _order(url: ChannelUrl, first_byte_ms: float, chance: float) -> float:
    """Who has the least goes first. An exponential variate whose rate is the url's share has that with just the
    chance of its share, and so on among those that are left (Efraimidis and Spirakis, 2006)."""
    variate = -log(1.0 - min(chance, 1.0 - 1e-12)) / url.weight
    return variate * first_byte_ms if first_byte_ms > 0 else _UNTRIED + 1.0 - 1.0 / (1.0 + variate)
