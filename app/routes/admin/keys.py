"""The keys of a channel: list, add, change, delete, restore, rest, reveal, export. Who is shown a key is audited."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.core.channels.keys import KeyState
from app.core.model import Channel
from app.core.said import Said
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.routes.admin.answers import AdminError, read_object
from app.routes.admin.channel_answers import ChannelAnswers, key_answer
from app.routes.admin.channels import Answer, find_channel, rest_s
from app.routes.admin.lists import asked_words, page_size
from app.routes.admin.tasks.imports import order_import, read_given_keys
from app.routes.admin.tasks.key_batches import STATES, add_key_batch_route
from app.routes.admin.tasks.tasks import task_answer
from app.storage.keys.edits import KeyNotFound

READ_ONLY = "id hint state resting_until_ms failures requests errors last_used_at_ms last_error".split()

audit = logging.getLogger("audit")
audit.setLevel(logging.INFO)  # whatever LOG_LEVEL says


def add_key_routes(admin: Blueprint, gateway: Gateway) -> None:
    edits, find = gateway.key_edits, partial(find_channel, gateway)
    add_key_batch_route(admin, gateway)
    _add_rest_routes(admin, gateway)
    _add_secret_routes(admin, gateway)

    @admin.get("/channels/<channel_id>/keys")
    def list_keys(channel_id: str) -> Answer:
        find(channel_id)
        states, q, after = _asked_states(), request.args.get("q", "").strip(), request.args.get("after", "")
        if after and not (after.isascii() and after.isdecimal() and len(after) < 20):
            raise AdminError(400, "invalid", "after must be what the answer before said as its next", "after")
        page = edits.page(channel_id, states, q, after, page_size())
        keys = [key_answer(key) for key in page.keys]
        return jsonify(success=True, count=page.total, keys=keys, next=page.following or None)

    @admin.post("/channels/<channel_id>/keys")
    def add_keys(channel_id: str) -> Answer:
        find(channel_id)
        given = read_given_keys()
        if given.few:
            return jsonify(success=True, **edits.add(channel_id, given.few)._asdict())
        return jsonify(success=True, task=task_answer(order_import(gateway, channel_id, given))), 202

    @admin.put("/channels/<channel_id>/keys/<key_id>")
    def update_key(channel_id: str, key_id: str) -> Answer:
        find(channel_id)
        said = Said(read_object('{"note": "mine"}'), "", ("note", "models", "enabled"), READ_ONLY)
        note = said.text("note", "", 1000, lines=True) if said.has("note") else None
        models = _models(said) if said.has("models") else None
        enabled = said.flag("enabled", True) if said.has("enabled") else None
        edits.change(channel_id, key_id, note, models, enabled)
        return jsonify(success=True, key=key_answer(edits.get(channel_id, key_id)))

    @admin.delete("/channels/<channel_id>/keys/<key_id>")
    def delete_key(channel_id: str, key_id: str) -> Answer:
        find(channel_id)
        if not edits.delete(channel_id, [key_id]):
            raise KeyNotFound(f"the channel has no key {key_id}")
        return jsonify(success=True, id=key_id)


def _add_rest_routes(admin: Blueprint, gateway: Gateway) -> None:
    edits, find, answers = gateway.key_edits, partial(find_channel, gateway), ChannelAnswers(gateway)

    def told(channel: Channel, key_id: str) -> Answer:
        key = key_answer(edits.get(channel.id, key_id))
        return jsonify(success=True, key=key, channel=answers.one(channel))

    @admin.post("/channels/<channel_id>/keys/<key_id>/cooldown")
    def rest_key(channel_id: str, key_id: str) -> Answer:
        channel = find(channel_id)
        seconds = rest_s(Said(read_object('{"seconds": 600}'), "", ("seconds",)))
        edits.get(channel_id, key_id)
        now = now_ms()
        gateway.choosing.health.rest(channel_id, now, now + round(seconds * 1000), key_id=key_id)
        return told(channel, key_id)

    @admin.delete("/channels/<channel_id>/keys/<key_id>/cooldown")
    def end_key_rest(channel_id: str, key_id: str) -> Answer:
        channel = find(channel_id)
        if edits.get(channel_id, key_id).state is KeyState.RESTING:
            edits.restore(channel_id, [key_id])
        return told(channel, key_id)


def _add_secret_routes(admin: Blueprint, gateway: Gateway) -> None:
    edits, find = gateway.key_edits, partial(find_channel, gateway)

    @admin.post("/channels/<channel_id>/keys/<key_id>/reveal")
    def reveal_key(channel_id: str, key_id: str) -> Answer:
        channel = find(channel_id)
        hint, secret = edits.get(channel_id, key_id).hint, edits.reveal(channel_id, key_id)
        audit.info("key %s (%s) of channel %s %r was revealed to %s", key_id, hint, *_who(channel))
        return jsonify(success=True, key_value=secret)

    @admin.get("/channels/<channel_id>/keys/export")
    def export_keys(channel_id: str) -> Answer:
        channel = find(channel_id)
        ids = edits.ids(channel_id, _asked_states())
        audit.info("%d keys of channel %s %r are exported to %s", len(ids), *_who(channel))
        text = ("".join(f"{key.secret}\n" for key in keys) for keys in edits.export(channel_id, ids))
        fields = {"Content-Disposition": f'attachment; filename="keys-{channel_id}.txt"'}
        return Response(text, mimetype="text/plain", headers=fields)


def _who(channel: Channel) -> tuple[str, str, str]:
    return channel.id, channel.name, request.remote_addr or "an unknown address"


def _asked_states() -> list[KeyState]:
    return [STATES[word] for word in asked_words("state", STATES)]


def _models(said: Said) -> tuple[str, ...]:
    def model(value: Any, path: str) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > 300:
            raise AdminError(400, "invalid", f"{path} must be a model's name", path)
        return value.strip()

    return said.each("models", 1000, model)
