"""What is done to channels beyond a change of one: copied, many at once, put into an order, rested."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, jsonify

from app.core.channels.definition import MAX_PRIORITY
from app.core.channels.keys import KeyState
from app.core.model import Channel
from app.core.said import Said
from app.core.snapshot import CHANNELS
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.routes.admin.answers import AdminError, read_object
from app.routes.admin.channel_answers import ChannelAnswers
from app.routes.admin.channels import Answer, find_channel, refuse_addresses, rest_s, with_keys
from app.storage.catalog import channels

ACTIONS = ("enable", "disable", "delete", "clear_cooldowns", "set_priority")
STEP = 10
"""Between the priorities of channels that were put into an order: room to put others between them."""
MOST = MAX_PRIORITY // STEP
"""Channels that one request names."""


def add_channel_act_routes(admin: Blueprint, gateway: Gateway) -> None:
    check, answers = partial(refuse_addresses, gateway), ChannelAnswers(gateway)
    _add_rest_routes(admin, gateway, answers)

    @admin.post("/channels/<channel_id>/copy")
    def copy_channel(channel_id: str) -> Answer:
        """What is observed of it is not copied."""
        source = find_channel(gateway, channel_id)
        said = Said(read_object('{"name": "two", "keys": "all"}'), "", ("name", "keys"))
        name, which = said.text("name", None, 100), said.choice("keys", "none", ("none", "active", "all"))
        copy = channels.add(gateway.catalog, source.said | {"name": name}, check)
        if which != "none":
            states = [KeyState.ACTIVE] if which == "active" else []
            with_keys(gateway, copy, lambda: gateway.key_edits.copy(channel_id, copy.id, states))
        return jsonify(success=True, channel=answers.one(copy)), 201

    @admin.post("/channels/batch")
    def change_channels() -> Answer:
        said = Said(read_object('{"ids": ["1", "2"], "action": "disable"}'), "", ("ids", "action", "priority"))
        action = said.choice("action", None, ACTIONS)
        if action == "set_priority" and said.any("priority") is None:
            raise said.wrong("priority", "is missing")
        priority = said.number("priority", 0, -MAX_PRIORITY, MAX_PRIORITY)
        return jsonify(success=True, changed=_done(gateway, _named(gateway, said), action, priority))

    @admin.post("/channels/reorder")
    def reorder_channels() -> Answer:
        named = _named(gateway, Said(read_object('{"ids": ["2", "1"]}'), "", ("ids",)))
        wanted = {channel.id: STEP * (len(named) - place) for place, channel in enumerate(named)}
        changes = {one.id: {"priority": wanted[one.id]} for one in named if one.priority != wanted[one.id]}
        return jsonify(success=True, changed=len(channels.update(gateway.catalog, changes)))


def _add_rest_routes(admin: Blueprint, gateway: Gateway, answers: ChannelAnswers) -> None:
    health = gateway.choosing.health

    @admin.post("/channels/<channel_id>/cooldown")
    def rest_channel(channel_id: str) -> Answer:
        channel = find_channel(gateway, channel_id)
        said = Said(read_object('{"seconds": 600}'), "", ("seconds", "model"))
        now, seconds = now_ms(), rest_s(said)
        model = _upstream_model(channel, said) if said.any("model") is not None else None
        health.rest(channel_id, now, now + round(seconds * 1000), model=model)
        return jsonify(success=True, channel=answers.one(channel))

    @admin.delete("/channels/<channel_id>/cooldown")
    def end_channel_rest(channel_id: str) -> Answer:
        channel = find_channel(gateway, channel_id)
        health.end_rests(channel_id, now_ms())
        return jsonify(success=True, channel=answers.one(channel))


def _done(gateway: Gateway, named: list[Channel], action: str, priority: int) -> int:
    """How many are another now."""
    if action == "delete":
        channels.delete(gateway.catalog, [channel.id for channel in named])
        for channel in named:
            gateway.key_edits.drop(channel.id)
        return len(named)
    if action == "clear_cooldowns":
        now = now_ms()
        return sum(gateway.choosing.health.end_rests(channel.id, now) > 0 for channel in named)
    field, value = ("priority", priority) if action == "set_priority" else ("enabled", action == "enable")
    changes = {channel.id: {field: value} for channel in named if channel.said[field] != value}
    return len(channels.update(gateway.catalog, changes))


def _named(gateway: Gateway, said: Said) -> list[Channel]:
    """The channels of `ids`. Raises AdminError."""
    ids = said.items("ids", MOST)
    if not ids:
        raise said.wrong("ids", "must name one or more channels")
    gateway.catalog.look()  # others may just have been added
    known = CHANNELS.of(gateway.catalog.snapshot).by_id
    for place, one in enumerate(ids):
        where = f"ids[{place}]"
        if not isinstance(one, str) or one not in known:
            raise AdminError(404, "not_found", f"{where} is the id of no channel; nothing was changed", where)
        if one in ids[:place]:
            raise AdminError(400, "invalid", f"{where} is there twice", where)
    return [known[one] for one in ids]


def _upstream_model(channel: Channel, said: Said) -> str:
    """As the upstream is asked for it, by which models rest."""
    model = said.text("model", None, 300)
    for entry in channel.models:
        if model in (entry.name, entry.upstream_name) or entry.name == "*":
            return entry.upstream_name or model
    raise said.wrong("model", f"is not served by the channel: {model!r}")
