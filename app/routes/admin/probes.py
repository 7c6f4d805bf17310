"""An operator tries a channel or a key, and asks an upstream for its models."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.core.channels.definition import parse_channel
from app.core.channels.keys import Key, keys_in
from app.core.channels.shape import CHANNEL, DIALECTS
from app.core.judging.outcome import Outcome
from app.core.model import Channel
from app.core.money.amounts import show_usd
from app.core.request_log.shapes import USAGE
from app.core.said.reading import Said
from app.core.said.shapes import Listed, Named, OneOf, Real, Shape, Text, Usd, Whole, YesOrNo
from app.gateway import Gateway
from app.proxy.model_lists import NoModelList, fetch_models
from app.proxy.probing import TEXT, Probe, Prober, usual_key, usual_model
from app.routes.admin.answers import AdminError
from app.routes.admin.channels import find_channel, refuse_addresses
from app.routes.openapi.operation import Body, operation

_TEST = Body(
    Shape(
        {
            "model": Text(300, meaning="Empty: the channel's check_model, else the first that it names"),
            "key_id": Text(20, meaning="Empty: the next fit one"),
            "dialect": OneOf(("", *DIALECTS), "", meaning="Empty: the channel's first"),
            "stream": YesOrNo(),
            "text": Text(10_000, lines=True, meaning="What is asked; empty: to say hi"),
        }
    ),
    {"model": "gpt-5"},
    is_optional=True,
)
_OF_KEY = Shape({name: one for name, one in _TEST.shape.fields.items() if name != "key_id"})
_TEST_OF_KEY = Body(_OF_KEY, {"model": "gpt-5"}, is_optional=True)
_TESTED = {
    "test": Shape(
        {
            "ok": YesOrNo(),
            "outcome": OneOf(tuple(outcome.value for outcome in Outcome)),
            "status": Whole(is_null=True),
            "duration_ms": Real(),
            "first_byte_ms": Real(is_null=True),
            "first_content_ms": Real(is_null=True),
            "text": Text(meaning="What came back"),
            "error": Text(is_null=True),
            "headers": Named(Text()),
            "usage": USAGE,
            "cost_usd": Usd(is_null=True),
            "key_id": Text(),
            "model": Text(),
        }
    )
}
_OF_UPSTREAM = ("urls", "dialects", "auth", "proxy_url", "header_rules", "options")
"""What of a channel that is not stored yet says how its upstream is asked."""
_UPSTREAM = Body(
    Shape({name: CHANNEL.fields[name] for name in _OF_UPSTREAM} | {"key": Text(8192, is_needed=True, example="sk-1")}),
    {"urls": [{"url": "https://api.openai.com/v1"}], "dialects": ["openai"], "key": "sk-1"},
)
_MODELS = {"count": Whole(), "models": Listed(Text())}


def add_probe_routes(admin: Blueprint, gateway: Gateway) -> None:
    prober = Prober(gateway.engine, gateway.choosing)

    @admin.post("/channels/<channel_id>/test")
    @operation("Tries a channel by one small call. It is judged like any.", body=_TEST, answer=_TESTED)
    def test_channel(said: Said, channel_id: str) -> Response:
        channel, key_id = find_channel(gateway, channel_id), said.text("key_id")
        key = _key(gateway, channel, key_id) if key_id else _usual_key(gateway, channel)
        return _tested(gateway, prober, channel, key, said)

    @admin.post("/channels/<channel_id>/keys/<key_id>/test")
    @operation("Tries a key by one small call. It is judged like any.", body=_TEST_OF_KEY, answer=_TESTED)
    def test_key(said: Said, channel_id: str, key_id: str) -> Response:
        channel = find_channel(gateway, channel_id)
        return _tested(gateway, prober, channel, _key(gateway, channel, key_id), said)

    @admin.post("/channels/<channel_id>/models/fetch")
    @operation("Asks a channel's upstream for its models.", answer=_MODELS)
    def fetch_channel_models(channel_id: str) -> Response:
        channel = find_channel(gateway, channel_id)
        return _fetched(gateway, channel, _usual_key(gateway, channel))

    @admin.post("/channels/models/fetch")
    @operation("Asks an upstream for its models, of which no channel is stored yet.", body=_UPSTREAM, answer=_MODELS)
    def fetch_models_of_upstream(said: Said) -> Response:
        [*keys] = keys_in(said.text("key"), "key")
        if len(keys) != 1:
            raise said.wrong("key", "must be one key")
        least = {"name": "unnamed", "models": [{"name": "*"}]}
        channel = parse_channel("", {name: value for name, value in said.values.items() if name != "key"} | least)
        refuse_addresses(gateway, channel)
        return _fetched(gateway, channel, Key("", keys[0]))


def _tested(gateway: Gateway, prober: Prober, channel: Channel, key: Key, said: Said) -> Response:
    dialects = [dialect for dialect in DIALECTS if dialect in channel.dialects]
    probe = Probe(
        channel,
        key,
        said.choice("dialect", among=dialects) or dialects[0],
        said.text("model") or _usual_model(channel, said),
        said.flag("stream"),
        said.text("text") or TEXT,
    )
    snapshot = gateway.catalog.snapshot
    found = prober.probe(probe, snapshot, request.environ["gateway.request_id"], request.remote_addr or "")
    told: dict[str, Any] = {"ok": found.outcome == Outcome.OK.value, **found._asdict()}
    nano = told.pop("cost").nano
    del told["blame"]
    told |= {"status": found.status or None, "error": found.error or None, "usage": found.usage._asdict()}
    told |= {"cost_usd": None if nano is None else show_usd(nano), "key_id": key.id, "model": probe.model}
    return jsonify(success=True, test=told)


def _usual_model(channel: Channel, said: Said) -> str:
    model = usual_model(channel)
    if not model:
        raise said.wrong("model", "is missing: the channel serves all models and names none")
    return model


def _key(gateway: Gateway, channel: Channel, key_id: str) -> Key:
    """Whatever its state is. Raises KeyNotFound."""
    return Key(key_id, gateway.key_edits.reveal(channel.id, key_id))


def _usual_key(gateway: Gateway, channel: Channel) -> Key:
    """The next fit one; where none is, one that rests or is blacklisted."""
    gateway.choosing.pools.load()
    key = usual_key(gateway.choosing.pools, channel)
    if key is None:
        raise AdminError(400, "invalid", "the channel has no key that is enabled; add one first", "key_id")
    return key


def _fetched(gateway: Gateway, channel: Channel, key: Key) -> Response:
    try:
        names = fetch_models(gateway.engine.transport, channel, channel.said["dialects"], key)
    except NoModelList as error:
        raise AdminError(502, "upstream_failed", str(error)) from None
    return jsonify(success=True, count=len(names), models=names)
