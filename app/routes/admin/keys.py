"""The keys of a channel: list, add, change, delete, restore, rest, reveal, export. Who is shown a key is audited."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, Response, jsonify

from app.core.channels.keys import KeyState
from app.core.channels.shape import CHANNEL
from app.core.model import Channel
from app.core.said.reading import Said
from app.core.said.shapes import Listed, Shape, SomeOf, Text, Whole
from app.core.snapshot import CHANNELS
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.routes.admin.answers import AdminError
from app.routes.admin.channel_answers import KEY, ChannelAnswers, key_answer
from app.routes.admin.channels import SECONDS, Answer, find_channel
from app.routes.admin.keeping.acts import tell
from app.routes.admin.lists import COUNT, NEXT, PAGED
from app.routes.admin.tasks.imports import GIVEN, GivenKeys, order_import
from app.routes.admin.tasks.key_batches import STATES, add_key_batch_route
from app.routes.admin.tasks.tasks import TASK, task_answer
from app.routes.openapi.operation import Body, operation
from app.storage.health.by_hand import shared
from app.storage.keys.edits import KeyNotFound
from app.storage.keys.listing import ListedKey

_STATE = SomeOf(tuple(STATES))
_Q = Text(meaning="Only those with it in hint or note, or the one that it is")
_REST = Body(Shape({"seconds": SECONDS}), {"seconds": 600})
_GAINED = {name: Whole() for name in ("added", "duplicates", "total")}
_TOLD = {"key": KEY, "channel": CHANNEL}


def add_key_routes(admin: Blueprint, gateway: Gateway) -> None:
    edits, find = gateway.key_edits, partial(find_channel, gateway)
    _add_change_routes(admin, gateway)
    add_key_batch_route(admin, gateway)
    _add_rest_routes(admin, gateway)
    _add_secret_routes(admin, gateway)

    @admin.get("/channels/<channel_id>/keys")
    @operation(
        "Lists the keys of a channel.",
        query={"state": _STATE, "q": _Q, **PAGED},
        answer={"count": COUNT, "keys": Listed(KEY), "next": NEXT},
    )
    def list_keys(asked: Said, channel_id: str) -> Answer:
        find(channel_id)
        states, q, after = _states(asked), asked.text("q"), asked.text("after")
        if after and not (after.isascii() and after.isdecimal() and len(after) < 20):
            raise AdminError(400, "invalid", "after must be what the answer before said as its next", "after")
        page = edits.page(channel_id, states, q, after, asked.number("limit"))
        keys = [key_answer(key) for key in page.keys]
        return jsonify(success=True, count=page.total, keys=keys, next=page.following or None)

    @admin.post("/channels/<channel_id>/keys")
    @operation(
        "Adds keys to a channel. Those that it has are passed over; a task adds those that are many.",
        body=GIVEN,
        answer=_GAINED,
        also={202: {"task": TASK}},
    )
    def add_keys(given: GivenKeys, channel_id: str) -> Answer:
        find(channel_id)
        if given.few:
            added = edits.add(channel_id, given.few)
            if channel_id not in CHANNELS.of(gateway.catalog.look()).by_id:  # it was deleted meanwhile
                edits.drop(channel_id)
            find(channel_id)
            return jsonify(success=True, **added._asdict())
        return jsonify(success=True, task=task_answer(order_import(gateway, channel_id, given))), 202


def _add_change_routes(admin: Blueprint, gateway: Gateway) -> None:
    edits, find = gateway.key_edits, partial(find_channel, gateway)

    @admin.put("/channels/<channel_id>/keys/<key_id>")
    @operation("Changes what is said of a key.", body=Body(KEY.changes(), {"note": "mine"}), answer={"key": KEY})
    def update_key(said: Said, channel_id: str, key_id: str) -> Answer:
        find(channel_id)
        note = said.text("note") if said.has("note") else None
        models = _models(said) if said.has("models") else None
        enabled = said.flag("enabled") if said.has("enabled") else None
        before = edits.get(channel_id, key_id)
        edits.change(channel_id, key_id, note, models, enabled)
        key = edits.get(channel_id, key_id)
        tell(_of_key(before), _of_key(key))
        return jsonify(success=True, key=key_answer(key))

    @admin.delete("/channels/<channel_id>/keys/<key_id>")
    @operation("Deletes a key.", answer={"id": Text()})
    def delete_key(channel_id: str, key_id: str) -> Answer:
        find(channel_id)
        before = edits.get(channel_id, key_id)
        if not edits.delete(channel_id, [key_id]):
            raise KeyNotFound(f"the channel has no key {key_id}")
        tell(_of_key(before))
        return jsonify(success=True, id=key_id)


def _add_rest_routes(admin: Blueprint, gateway: Gateway) -> None:
    edits, find, answers = gateway.key_edits, partial(find_channel, gateway), ChannelAnswers(gateway)

    def told(channel: Channel, key_id: str) -> Answer:
        key = key_answer(edits.get(channel.id, key_id))
        return jsonify(success=True, key=key, channel=answers.one(channel))

    @admin.post("/channels/<channel_id>/keys/<key_id>/cooldown")
    @operation("Lets a key rest.", body=_REST, answer=_TOLD)
    def rest_key(said: Said, channel_id: str, key_id: str) -> Answer:
        channel, seconds = find(channel_id), said.real("seconds")
        edits.get(channel_id, key_id)
        now = now_ms()
        with shared(gateway.health_keeper, gateway.choosing.health):
            gateway.choosing.health.rest(channel_id, now, now + round(seconds * 1000), key_id=key_id)
        return told(channel, key_id)

    @admin.delete("/channels/<channel_id>/keys/<key_id>/cooldown")
    @operation("Ends the rest of a key.", answer=_TOLD)
    def end_key_rest(channel_id: str, key_id: str) -> Answer:
        channel = find(channel_id)
        with shared(gateway.health_keeper, gateway.choosing.health):
            if edits.get(channel_id, key_id).state is KeyState.RESTING:
                edits.restore(channel_id, [key_id])
        return told(channel, key_id)


def _add_secret_routes(admin: Blueprint, gateway: Gateway) -> None:
    edits, find = gateway.key_edits, partial(find_channel, gateway)

    @admin.post("/channels/<channel_id>/keys/<key_id>/reveal")
    @operation("Shows the text of a key. That is audited.", answer={"key_value": Text()})
    def reveal_key(channel_id: str, key_id: str) -> Answer:
        find(channel_id)
        hint, secret = edits.get(channel_id, key_id).hint, edits.reveal(channel_id, key_id)
        tell(after={"hint": hint})
        return jsonify(success=True, key_value=secret)

    @admin.get("/channels/<channel_id>/keys/export")
    @operation(
        "Shows the texts of all keys of a channel, one in each line. That is audited.",
        query={"state": _STATE},
        answer="text/plain",
        audited=True,
    )
    def export_keys(asked: Said, channel_id: str) -> Answer:
        find(channel_id)
        ids = edits.ids(channel_id, _states(asked))
        tell(after={"keys": len(ids)})
        text = ("".join(f"{key.secret}\n" for key in keys) for keys in edits.export(channel_id, ids))
        fields = {"Content-Disposition": f'attachment; filename="keys-{channel_id}.txt"'}
        return Response(text, mimetype="text/plain", headers=fields)


def _of_key(key: ListedKey) -> dict[str, Any]:
    """What the audit tells of one."""
    return {"hint": key.hint, "note": key.note, "models": list(key.models), "state": key.state.value}


def _states(asked: Said) -> list[KeyState]:
    return [STATES[word] for word in asked.words("state")]


def _models(said: Said) -> tuple[str, ...]:
    def model(value: Any, path: str) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > 300:
            raise AdminError(400, "invalid", f"{path} must be a model's name", path)
        return value.strip()

    return said.each("models", model)
