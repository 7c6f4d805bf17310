"""Channels by ccLoad's calls: list, add, show, change, delete, with its fields and numeric ids."""

from __future__ import annotations

from functools import partial
from operator import itemgetter
from typing import Final

import orjson
from flask import Blueprint, Response

from app.core.channels.ccload import CHANNEL, meaning_of
from app.core.model import Channel
from app.core.said.reading import Said
from app.core.said.shapes import Listed, Shape, Text, Whole, YesOrNo
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.routes.admin.answers import AdminError
from app.routes.admin.channels import delete_channels, find_channel, give_first_keys, refuse_addresses
from app.routes.admin.files.channel_files import BECOME, EXPORTED, FILE, IMPORTED, export_answer, import_answer
from app.routes.admin.tasks.imports import AT_ONCE, counted_keys
from app.routes.admin.tasks.tasks import TASK
from app.routes.ccload.channel_answers import CHANNEL_TOLD, CcloadAnswers
from app.routes.ccload.envelope import CCLOAD_ERROR, answered, enveloped
from app.routes.openapi.operation import Body, operation
from app.storage.catalog import channels
from app.storage.health.by_hand import shared
from app.waiting import give_way
from app.wire.ccload import DIALECTS

Answer = Response | tuple[Response, int]

LISTED_AT_ONCE: Final = 20
"""Channels that are answered before others have their turn; ccLoad's list has no pages."""
_EXAMPLE: Final = {"name": "main", "api_key": "sk-1", "url": "https://api.openai.com", "models": ["gpt-5"]}
_NEW: Final = CHANNEL.needing("name", "api_key", "models", any_of=("url", "urls"))
_TYPE: Final = Text(meaning=f"One of {', '.join(DIALECTS)}; any other means all")
_BECOME: Final = Shape({**BECOME, "errors": Listed(Text()), "redis_sync_enabled": YesOrNo()})
_ADDED: Final = Shape({**enveloped(CHANNEL_TOLD).fields, "task": TASK}, optional=("task",))
_operation = partial(operation, access=("bearer",), group="ccLoad", failure=CCLOAD_ERROR)


def add_channel_routes(ccload: Blueprint, gateway: Gateway) -> None:
    catalog, answers = gateway.catalog, CcloadAnswers(gateway)
    _add_changes(ccload, gateway, answers)
    _add_files(ccload, gateway)

    @ccload.get("/admin/channels")
    @_operation(
        "Lists channels. With penalties for failures, by what is left of the priority.",
        query={"type": _TYPE},
        answer=enveloped(Listed(CHANNEL_TOLD), count=Whole()),
    )
    def list_channels(asked: Said) -> Answer:
        type = asked.text("type")
        found = [channel for channel in catalog.in_hand().channels if _is_of_type(channel, type)]
        told: list[tuple[float, orjson.Fragment]] = []
        for begin in range(0, len(found), LISTED_AT_ONCE):
            some = answers.listed(found[begin : begin + LISTED_AT_ONCE])
            told += [(-one["effective_priority"], orjson.Fragment(orjson.dumps(one))) for one in some]
            give_way()
        if catalog.snapshot.settings.health_penalty:
            told.sort(key=itemgetter(0))
        return answered([text for _, text in told], count=len(told))

    @ccload.get("/admin/channels/<channel_id>")
    @_operation("Shows a channel.", answer=enveloped(CHANNEL_TOLD))
    def show_channel(channel_id: str) -> Answer:
        return answered(answers.one(find_channel(gateway, channel_id)))


def _add_files(ccload: Blueprint, gateway: Gateway) -> None:
    @ccload.get("/admin/channels/export")
    @_operation(
        "Shows all channels as a CSV file, with their keys. That is audited.",
        query=EXPORTED,
        answer="text/csv",
        audited=True,
    )
    def export_channels(asked: Said) -> Answer:
        return export_answer(gateway, asked)

    @ccload.post("/admin/channels/import")
    @_operation(
        "Adds and changes channels by a CSV file. Nothing is synchronised: there is one place where channels are.",
        query=IMPORTED,
        body=FILE,
        answer=enveloped(_BECOME),
    )
    def import_channels(asked: Said, data: bytes) -> Answer:
        told = import_answer(gateway, asked, data)
        errors = [f"line {error['line']}: {error['message']}" for error in told["errors"]]
        return answered({**told, "errors": errors, "redis_sync_enabled": False})


def _add_changes(ccload: Blueprint, gateway: Gateway, answers: CcloadAnswers) -> None:
    catalog, check = gateway.catalog, partial(refuse_addresses, gateway)

    @ccload.post("/admin/channels")
    @_operation("Adds a channel with its keys.", body=Body(_NEW, _EXAMPLE), answer=_ADDED, status=201)
    def add_channel(said: Said) -> Answer:
        meant = meaning_of(said.values)
        if not meant.keys:
            raise AdminError(400, "invalid", 'api_key is missing: say one, or several as "k1,k2"', "api_key")
        channel = channels.add(catalog, meant.said, check)
        ordered = give_first_keys(gateway, channel, counted_keys(meant.keys, "api_key"))
        return answered(answers.one(channel), 201, **ordered)

    @ccload.put("/admin/channels/<channel_id>")
    @_operation(
        "Changes a channel. What is not given stays. Rests end, as whoever saves one means to try it again.",
        body=Body(CHANNEL.changes(), {"enabled": True}),
        answer=enveloped(CHANNEL_TOLD),
    )
    def update_channel(said: Said, channel_id: str) -> Answer:
        channel = find_channel(gateway, channel_id)
        meant = meaning_of(said.values, channel.said)
        if len(meant.keys) > AT_ONCE:
            advice = f"add more by POST /api/channels/{channel_id}/keys; nothing was changed"
            raise AdminError(400, "invalid", f"api_key names more than {AT_ONCE:,} keys: {advice}", "api_key")
        [channel] = channels.update(catalog, {channel_id: meant.said}, check)
        if meant.keys:
            _become(gateway, channel, meant.keys)
        if said.values.keys() != {"enabled"}:
            with shared(gateway.health_keeper, gateway.choosing.health):
                gateway.choosing.health.end_rests(channel_id, now_ms())
        return answered(answers.one(channel))

    @ccload.delete("/admin/channels/<channel_id>")
    @_operation("Deletes a channel and its keys.", answer=enveloped(Shape({"id": Whole()})))
    def delete_channel(channel_id: str) -> Answer:
        delete_channels(gateway, [channel_id])
        return answered({"id": int(channel_id)})


def _is_of_type(channel: Channel, type: str) -> bool:
    """Types that nobody knows, such as `all`, mean all of them."""
    dialect = DIALECTS.get(type.lower())
    return dialect is None or dialect in channel.dialects


def _become(gateway: Gateway, channel: Channel, secrets: list[str]) -> None:
    """These are the channel's keys from now on; those that it had already stay as they are. Raises RedisError."""
    gateway.key_edits.add(channel.id, secrets)
    kept, gone = set(secrets), list[str]()
    for keys in gateway.key_edits.export(channel.id, gateway.key_edits.ids(channel.id)):
        gone += [key.id for key in keys if key.secret not in kept]
    if gone:
        gateway.key_edits.delete(channel.id, gone)
