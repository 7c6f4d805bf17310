"""What is done to channels beyond a change of one: copied, many at once, put into an order, rested."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, jsonify

from app.core.channels.keys import KeyState
from app.core.channels.shape import CHANNEL, ID, MAX_PRIORITY
from app.core.model import Channel
from app.core.said.reading import Said
from app.core.said.shapes import Listed, OneOf, Shape, Text, Whole
from app.core.snapshot import CHANNELS
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.routes.admin.answers import AdminError
from app.routes.admin.channel_answers import ChannelAnswers
from app.routes.admin.channels import SECONDS, Answer, delete_channels, find_channel, refuse_addresses, with_keys
from app.routes.admin.tasks.tasks import TASK, task_answer
from app.routes.openapi.operation import Body, operation
from app.storage.catalog import channels
from app.storage.health.by_hand import shared

ACTIONS = ("enable", "disable", "delete", "clear_cooldowns", "set_priority", "fetch_models")
STEP = 10
"""Between the priorities of channels that were put into an order: room to put others between them."""
MOST = MAX_PRIORITY // STEP
"""Channels that one request names."""

_IDS = Listed(ID, MOST, 1, is_needed=True)
_COPY = Body(
    Shape({"name": Text(100, is_needed=True, example="copy"), "keys": OneOf(("none", "active", "all"), "none")}),
    {"name": "copy", "keys": "all"},
)
_BATCH = Body(
    Shape(
        {
            "ids": _IDS,
            "action": OneOf(ACTIONS, is_needed=True),
            "priority": Whole(0, -MAX_PRIORITY, MAX_PRIORITY, meaning="For set_priority"),
        }
    ),
    {"ids": ["1", "2"], "action": "disable"},
)
_ORDER = Body(Shape({"ids": _IDS}), {"ids": ["2", "1"]})
_REST = Body(
    Shape({"seconds": SECONDS, "model": Text(300, meaning="Only this one rests, as clients ask for it")}),
    {"seconds": 600},
)


def add_channel_act_routes(admin: Blueprint, gateway: Gateway) -> None:
    check, answers = partial(refuse_addresses, gateway), ChannelAnswers(gateway)
    _add_rest_routes(admin, gateway, answers)

    @admin.post("/channels/<channel_id>/copy")
    @operation(
        "Copies a channel. What is observed of it is not copied.", body=_COPY, answer={"channel": CHANNEL}, status=201
    )
    def copy_channel(said: Said, channel_id: str) -> Answer:
        source = find_channel(gateway, channel_id)
        name, which = said.text("name"), said.choice("keys")
        copy = channels.add(gateway.catalog, source.said | {"name": name}, check)
        if which != "none":
            states = [KeyState.ACTIVE] if which == "active" else []
            with_keys(gateway, copy, lambda: gateway.key_edits.copy(channel_id, copy.id, states))
        return jsonify(success=True, channel=answers.one(copy)), 201

    @admin.post("/channels/batch")
    @operation(
        "Changes many channels at once. A task asks upstreams for their models, which change nothing.",
        body=_BATCH,
        answer={"changed": Whole(meaning="How many are another now")},
        also={202: {"task": TASK}},
    )
    def change_channels(said: Said) -> Answer:
        action = said.choice("action")
        if action == "set_priority" and said.any("priority") is None:
            raise said.wrong("priority", "is missing")
        if action == "fetch_models":
            ids = [channel.id for channel in _named(gateway, said)]
            task = gateway.tasks.order(action, "", {"ids": ids}, len(ids))
            return jsonify(success=True, task=task_answer(task)), 202
        return jsonify(success=True, changed=_done(gateway, _named(gateway, said), action, said.number("priority")))

    @admin.post("/channels/reorder")
    @operation(
        "Puts channels into an order, the first to be tried first. Their priorities become multiples of 10.",
        body=_ORDER,
        answer={"changed": Whole(meaning="How many have another priority now")},
    )
    def reorder_channels(said: Said) -> Answer:
        named = _named(gateway, said)
        wanted = {channel.id: STEP * (len(named) - place) for place, channel in enumerate(named)}
        changes = {one.id: {"priority": wanted[one.id]} for one in named if one.priority != wanted[one.id]}
        return jsonify(success=True, changed=len(channels.update(gateway.catalog, changes)))


def _add_rest_routes(admin: Blueprint, gateway: Gateway, answers: ChannelAnswers) -> None:
    health, keeper = gateway.choosing.health, gateway.health_keeper

    @admin.post("/channels/<channel_id>/cooldown")
    @operation("Lets a channel rest, or one of its models.", body=_REST, answer={"channel": CHANNEL})
    def rest_channel(said: Said, channel_id: str) -> Answer:
        channel = find_channel(gateway, channel_id)
        now, seconds = now_ms(), said.real("seconds")
        model = _upstream_model(channel, said) if said.any("model") is not None else None
        with shared(keeper, health):
            health.rest(channel_id, now, now + round(seconds * 1000), model=model)
        return jsonify(success=True, channel=answers.one(channel))

    @admin.delete("/channels/<channel_id>/cooldown")
    @operation("Ends the rest of a channel, and those of its urls, keys and models.", answer={"channel": CHANNEL})
    def end_channel_rest(channel_id: str) -> Answer:
        channel = find_channel(gateway, channel_id)
        with shared(keeper, health):
            health.end_rests(channel_id, now_ms())
        return jsonify(success=True, channel=answers.one(channel))


def _done(gateway: Gateway, named: list[Channel], action: str, priority: int) -> int:
    """How many are another now."""
    if action == "delete":
        delete_channels(gateway, [channel.id for channel in named])
        return len(named)
    if action == "clear_cooldowns":
        health, now = gateway.choosing.health, now_ms()
        with shared(gateway.health_keeper, health):
            return sum(health.end_rests(channel.id, now) > 0 for channel in named)
    field, value = ("priority", priority) if action == "set_priority" else ("enabled", action == "enable")
    changes = {channel.id: {field: value} for channel in named if channel.said[field] != value}
    return len(channels.update(gateway.catalog, changes))


def _named(gateway: Gateway, said: Said) -> list[Channel]:
    """The channels of `ids`. Raises AdminError."""
    ids = said.items("ids")
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
    model = said.text("model")
    for entry in channel.models:
        if model in (entry.name, entry.upstream_name) or entry.name == "*":
            return entry.upstream_name or model
    raise said.wrong("model", f"is not served by the channel: {model!r}")
