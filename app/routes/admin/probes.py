"""An operator tries a channel or a key, and asks an upstream for its models."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.core.channels.definition import DIALECTS, parse_channel
from app.core.channels.keys import Key, KeyState, keys_in
from app.core.judging.outcome import Outcome
from app.core.model import Channel
from app.core.money.amounts import show_usd
from app.core.said import Said
from app.gateway import Gateway
from app.proxy.model_lists import NoModelList, fetch_models
from app.proxy.probing import TEXT, Probe, Prober
from app.routes.admin.answers import AdminError, read_object
from app.routes.admin.channels import find_channel, refuse_addresses

FIELDS = ("model", "key_id", "dialect", "stream", "text")
OF_UPSTREAM = ("urls", "dialects", "auth", "proxy_url", "header_rules", "options")
"""What of a channel that is not stored yet says how its upstream is asked."""


def add_probe_routes(admin: Blueprint, gateway: Gateway) -> None:
    prober = Prober(gateway.engine, gateway.choosing)

    @admin.post("/channels/<channel_id>/test")
    def test_channel(channel_id: str) -> Response:
        channel = find_channel(gateway, channel_id)
        said = Said(read_object('{"model": "gpt-5"}') if request.content_length else {}, "", FIELDS)
        key_id = said.any("key_id")
        key = (
            _key(gateway, channel, said.text("key_id", None, 20))
            if key_id is not None
            else _usual_key(gateway, channel)
        )
        return _tested(gateway, prober, channel, key, said)

    @admin.post("/channels/<channel_id>/keys/<key_id>/test")
    def test_key(channel_id: str, key_id: str) -> Response:
        channel = find_channel(gateway, channel_id)
        said = Said(read_object('{"model": "gpt-5"}') if request.content_length else {}, "", FIELDS)
        return _tested(gateway, prober, channel, _key(gateway, channel, key_id), said)

    @admin.post("/channels/<channel_id>/models/fetch")
    def fetch_channel_models(channel_id: str) -> Response:
        channel = find_channel(gateway, channel_id)
        return _fetched(gateway, channel, _usual_key(gateway, channel))

    @admin.post("/channels/models/fetch")
    def fetch_models_of_upstream() -> Response:
        """Of one that is not stored yet."""
        body = read_object('{"urls": [{"url": "https://..."}], "dialects": ["openai"], "key": "sk-..."}')
        said = Said(body, "", (*OF_UPSTREAM, "key"))
        [*keys] = keys_in(said.text("key", None, 8192), "key")
        if len(keys) != 1:
            raise said.wrong("key", "must be one key")
        least = {"name": "unnamed", "models": [{"name": "*"}]}
        channel = parse_channel("", {name: body[name] for name in OF_UPSTREAM if name in body} | least)
        refuse_addresses(gateway, channel)
        return _fetched(gateway, channel, Key("", keys[0]))


def _tested(gateway: Gateway, prober: Prober, channel: Channel, key: Key, said: Said) -> Response:
    dialects = [dialect for dialect in DIALECTS if dialect in channel.dialects]
    probe = Probe(
        channel,
        key,
        said.choice("dialect", channel.said["dialects"][0], dialects),
        said.text("model", "", 300) or _usual_model(channel, said),
        said.flag("stream", False),
        said.text("text", "", 10_000, lines=True) or TEXT,
    )
    snapshot = gateway.catalog.snapshot
    found = prober.probe(probe, snapshot, request.environ["gateway.request_id"], request.remote_addr or "")
    told: dict[str, Any] = {"ok": found.outcome == Outcome.OK.value, **found._asdict()}
    nano = told.pop("cost").nano
    told |= {"status": found.status or None, "error": found.error or None, "usage": found.usage._asdict()}
    told |= {"cost_usd": None if nano is None else show_usd(nano), "key_id": key.id, "model": probe.model}
    return jsonify(success=True, test=told)


def _usual_model(channel: Channel, said: Said) -> str:
    """The one that checks ask for, else the first that is named."""
    named = [entry.name for entry in channel.models if entry.name != "*"]
    if not (channel.check_model or named):
        raise said.wrong("model", "is missing: the channel serves all models and names none")
    return channel.check_model or named[0]


def _key(gateway: Gateway, channel: Channel, key_id: str) -> Key:
    """Whatever its state is. Raises KeyNotFound."""
    return Key(key_id, gateway.key_edits.reveal(channel.id, key_id))


def _usual_key(gateway: Gateway, channel: Channel) -> Key:
    """The next fit one; where none is, one that rests or is blacklisted."""
    names = tuple({name: None for entry in channel.models for name in entry if name})
    key = gateway.choosing.pools.of(channel.id).turn(channel.key_strategy, names).next()
    if key is not None:
        return key
    others = gateway.key_edits.ids(channel.id, [KeyState.ACTIVE, KeyState.RESTING, KeyState.BLACKLISTED])
    if not others:
        raise AdminError(400, "invalid", "the channel has no key that is enabled; add one first", "key_id")
    return _key(gateway, channel, others[0])


def _fetched(gateway: Gateway, channel: Channel, key: Key) -> Response:
    try:
        names = fetch_models(gateway.engine.transport, channel, channel.said["dialects"], key)
    except NoModelList as error:
        raise AdminError(502, "upstream_failed", str(error)) from None
    return jsonify(success=True, count=len(names), models=names)
