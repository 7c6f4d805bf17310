"""The Channel that a JSON object means (core.channels.shape says what may stand in it), and its answer."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import replace
from typing import Any

from app.core.channels.edits import parse_body_rules, parse_header_rules, shown_body_rule, shown_header_rule
from app.core.channels.hours import parse_hours
from app.core.channels.shape import CHANNEL, MODEL
from app.core.channels.urls import parse_url, shown_url
from app.core.errors import InvalidChannel
from app.core.kinds import Value
from app.core.model import Channel, ChannelUrl, Hours, ModelEntry
from app.core.money.amounts import parse_usd
from app.core.network.addresses import mask_url
from app.core.network.forward_proxies import ForwardProxy, parse_proxy_url
from app.core.said.reading import Said
from app.core.setting_table import CHANNEL_OPTIONS, MAPPING_OPTIONS
from app.core.settings import Limits

CHANNEL_TARGET = "channel:"
"""What a mapping's target begins with where it leads to a channel; the channel's name follows."""


def parse_channel(
    channel_id: str,
    value: Any,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    *,
    created_at_ms: int = 0,
    updated_at_ms: int = 0,
) -> Channel:
    """The Channel that a JSON object means, over the gateway's `limits`. `Channel.said` is what to store.

    Raises InvalidChannel, and UnknownField, both of which name the field.
    """
    said = Said(value, "", CHANNEL)
    dialects = said.words("dialects")
    options = _parse_options(said)
    proxy_url, proxy = _parse_proxy(said)
    own = replace(limits.with_overrides(options), max_concurrency=0, requests_per_second=0.0, burst=0)
    channel = Channel(
        id=channel_id,
        name=said.text("name"),
        dialects=frozenset(dialects),
        urls=_parse_urls(said, dialects, own, proxy),
        models=_parse_models(said),
        auth=said.choice("auth"),
        priority=said.number("priority"),
        weight=said.number("weight"),
        enabled=said.flag("enabled"),
        key_strategy=said.choice("key_strategy"),
        max_concurrency=said.number("max_concurrency"),
        requests_per_minute=said.number("requests_per_minute"),
        key_max_concurrency=said.number("key_max_concurrency"),
        key_requests_per_minute=said.number("key_requests_per_minute"),
        cost_per_day_nano=parse_usd(said.money("cost_per_day_usd")),
        cost_multiplier_nano=parse_usd(said.money("cost_multiplier")),
        hours=_parse_hours(said),
        header_rules=parse_header_rules(said, "header_rules"),
        body_rules=parse_body_rules(said, "body_rules"),
        check_model=said.text("check_model"),
        limits=own,
        first_useful_timeout=_seconds(options.get("first_useful_timeout")),
        created_at_ms=created_at_ms,
        updated_at_ms=updated_at_ms,
    )
    channel.said.update(_normal_form(channel, said, dialects, options, proxy_url))
    return channel


def _normal_form(
    channel: Channel, said: Said, dialects: tuple[str, ...], options: dict[str, Value], proxy_url: str
) -> dict[str, Any]:
    """All fields of a channel, defaults among them."""
    return {
        "name": channel.name,
        "dialects": list(dialects),
        "urls": [shown_url(url, dialects) for url in channel.urls],
        "auth": channel.auth,
        "models": [{"name": model.name, "upstream_name": model.upstream_name} for model in channel.models],
        "priority": channel.priority,
        "weight": channel.weight,
        "enabled": channel.enabled,
        "key_strategy": channel.key_strategy,
        "max_concurrency": channel.max_concurrency,
        "requests_per_minute": channel.requests_per_minute,
        "key_max_concurrency": channel.key_max_concurrency,
        "key_requests_per_minute": channel.key_requests_per_minute,
        "cost_per_day_usd": said.money("cost_per_day_usd"),
        "cost_multiplier": said.money("cost_multiplier"),
        "hours": said.text("hours"),
        "header_rules": [shown_header_rule(rule) for rule in channel.header_rules],
        "body_rules": [shown_body_rule(rule) for rule in channel.body_rules],
        "proxy_url": proxy_url,
        "check_model": channel.check_model,
        "note": said.text("note"),
        "options": options,
    }


def comparable(name: str) -> str:
    """The form in which channels' names are unique: capitals count for nothing."""
    return name.strip().casefold()


def merged(said: MappingOf[str, Any], changes: Any) -> dict[str, Any]:
    """What a PUT means: `said` (Channel.said) with the fields that `changes` give in their place.

    The password of a proxy that comes back masked, as it was shown, stays as it is stored. Raises InvalidChannel for
    what is no object; what is in it, parse_channel judges.
    """
    if not isinstance(changes, dict):
        raise InvalidChannel("a channel must be a JSON object", "")
    given = {name: value for name, value in changes.items() if name not in CHANNEL.read_only}
    stored = said.get("proxy_url", "")
    if stored and given.get("proxy_url") == mask_url(stored):
        given["proxy_url"] = stored
    return {**said, **given}


def answer(channel: Channel, observed: MappingOf[str, Any]) -> dict[str, Any]:
    """A channel as the API answers it: what was said, with passwords masked, and what is observed.

    `observed` has the read-only fields that are known; those of urls stand in `urls`, by url.
    """
    said = channel.said
    of_urls = observed.get("urls", {})
    urls = [
        {**url, "resting_until_ms": None, "first_byte_ms": None, **of_urls.get(url["url"], {})} for url in said["urls"]
    ]
    return {
        "id": channel.id,
        **said,
        "urls": urls,
        "proxy_url": mask_url(said["proxy_url"]),
        **{name: observed.get(name) for name in CHANNEL.read_only if name != "id"},
        "resting_models": observed.get("resting_models", {}),
        "created_at_ms": channel.created_at_ms or None,
        "updated_at_ms": channel.updated_at_ms or None,
    }


def _parse_urls(
    said: Said, dialects: tuple[str, ...], limits: Limits, proxy: ForwardProxy | None
) -> tuple[ChannelUrl, ...]:
    urls = said.each("urls", lambda value, path: parse_url(value, path, dialects, limits, proxy))
    known: set[str] = set()
    for place, url in enumerate(urls):
        if url.url in known:
            raise said.wrong(f"urls[{place}].url", f"is there twice: {url.url!r}")
        known.add(url.url)
    for dialect in dialects:
        if not any(dialect in url.dialects for url in urls):
            raise said.wrong("urls", f"have none for the dialect {dialect}")
    return urls


def _parse_models(said: Said) -> tuple[ModelEntry, ...]:
    models = said.each("models", _parse_model)
    known: set[str] = set()
    for place, model in enumerate(models):
        if model.name in known:
            raise said.wrong(f"models[{place}].name", f"is there twice: {model.name!r}")
        known.add(model.name)
    return models


def _parse_model(value: Any, path: str) -> ModelEntry:
    said = Said(value, path, MODEL)
    return ModelEntry(said.text("name"), said.text("upstream_name"))


def _parse_options(said: Said) -> dict[str, Value]:
    own = said.object("options")
    options: dict[str, Value] = {}
    for name, setting in CHANNEL_OPTIONS.items():
        if own.any(name) is not None:
            try:
                options[name] = setting.kind.parse(own.any(name))
            except ValueError as error:
                raise own.wrong(name, str(error)) from None
    return options


def _parse_proxy(said: Said) -> tuple[str, ForwardProxy | None]:
    text = said.text("proxy_url")
    if not text:
        return "", None
    try:
        url = str(MAPPING_OPTIONS["proxy_url"].kind.parse(text))
    except ValueError as error:
        raise said.wrong("proxy_url", str(error)) from None
    return url, parse_proxy_url(url)


def _parse_hours(said: Said) -> Hours | None:
    try:
        return parse_hours(said.text("hours"))
    except ValueError as error:
        raise said.wrong("hours", str(error)) from None


def _seconds(value: Value | None) -> float | None:
    return None if value is None else float(value)
