"""A channel's base URLs: what may be said of one, and which of several is asked."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from typing import Any

from app.core.base_urls import upstream_of
from app.core.errors import InvalidChannel
from app.core.forward_proxies import ForwardProxy
from app.core.model import Channel, ChannelUrl
from app.core.said import Said
from app.core.settings import Limits
from app.core.standing import Health
from app.wire.dialects.upstream_path import base_path_for

MAX_WEIGHT = 1_000_000

_FIELDS = ("url", "weight", "dialects", "exact")
_READ_ONLY = ("resting_until_ms", "first_byte_ms")


def parse_url(
    value: Any, path: str, dialects: tuple[str, ...], limits: Limits, proxy: ForwardProxy | None
) -> ChannelUrl:
    """One entry of a channel's `urls`, which stands at `path`. Raises InvalidChannel."""
    said = Said(value, path, _FIELDS, _READ_ONLY)
    url = said.text("url", None, 2048)
    exact = said.flag("exact", False)
    try:
        upstream = upstream_of(url, said.at("url"), limits, proxy)
    except ValueError as error:
        raise InvalidChannel(str(error), said.at("url")) from None
    upstream = replace(upstream, base_path=base_path_for(upstream.base_path, exact))
    return ChannelUrl(
        url=url,
        weight=said.number("weight", 1, 1, MAX_WEIGHT),
        dialects=frozenset(said.words("dialects", dialects) or dialects),
        exact=exact,
        upstream=upstream,
    )


def shown_url(url: ChannelUrl, dialects: tuple[str, ...]) -> dict[str, Any]:
    """As the API answers it; `dialects` are those of the channel, in its order."""
    own = [] if len(url.dialects) == len(dialects) else [dialect for dialect in dialects if dialect in url.dialects]
    return {"url": url.url, "weight": url.weight, "dialects": own, "exact": url.exact}


def next_url(
    channel: Channel, dialect: str, tried: Container[str], health: Health, now_ms: int, chance: float
) -> ChannelUrl | None:
    """A url that speaks the dialect, does not rest and is not among `tried`; None when there is none.

    Those that have never answered go first, so that each is known; then by weight over the moving average of the time
    to the first byte. `chance` is a random number from 0 to 1.
    """
    left = [
        url
        for url in channel.urls
        if dialect in url.dialects and url.url not in tried and health.url_rest(channel.id, url.url).until_ms <= now_ms
    ]
    if len(left) < 2:
        return left[0] if left else None
    times_ms = [health.url_first_byte_ms(channel.id, url.url) for url in left]
    untried = 0.0 in times_ms
    shares = [
        float(time_ms == 0.0) * url.weight if untried else url.weight / time_ms
        for url, time_ms in zip(left, times_ms, strict=True)
    ]
    point = chance * sum(shares)
    for url, share in zip(left, shares, strict=True):
        point -= share
        if point < 0:
            return url
    return next(url for url, share in zip(reversed(left), reversed(shares), strict=True) if share)


def first_back(channel: Channel, dialect: str, tried: Container[str], health: Health) -> ChannelUrl | None:
    """Of urls that all rest, the one that is back first; None where an upstream told how long each must be left."""
    rests = [
        (health.url_rest(channel.id, url.url), url)
        for url in channel.urls
        if dialect in url.dialects and url.url not in tried
    ]
    guessed = [(rest.until_ms, url) for rest, url in rests if not rest.told]
    return min(guessed, key=lambda one: one[0])[1] if guessed else None
