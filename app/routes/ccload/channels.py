"""Channels by ccLoad's calls: list, add, show, change, delete, with its fields and numeric ids."""

from __future__ import annotations

from functools import partial
from operator import itemgetter
from typing import Final

import orjson
from flask import Blueprint, Response, request

from app.core.channels.ccload import meaning_of
from app.core.model import Channel
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.routes.admin.answers import AdminError, read_object
from app.routes.admin.channels import find_channel, give_first_keys, refuse_addresses
from app.routes.admin.files.channel_files import export_answer, import_answer
from app.routes.admin.tasks.imports import AT_ONCE, counted_keys
from app.routes.ccload.channel_answers import CcloadAnswers
from app.routes.ccload.envelope import answered
from app.storage.catalog import channels
from app.waiting import give_way
from app.wire.ccload import DIALECTS

Answer = Response | tuple[Response, int]

LISTED_AT_ONCE: Final = 20
"""Channels that are answered before others have their turn; ccLoad's list has no pages."""
_EXAMPLE: Final = '{"name": "one", "api_key": "sk-...", "url": "https://...", "models": ["..."]}'


def add_channel_routes(ccload: Blueprint, gateway: Gateway) -> None:
    catalog, answers = gateway.catalog, CcloadAnswers(gateway)
    _add_changes(ccload, gateway, answers)
    _add_files(ccload, gateway)

    @ccload.get("/admin/channels")
    def list_channels() -> Answer:
        """`?type=` one of ccLoad's; with penalties for failures, by what is left of the priority."""
        found = [channel for channel in catalog.in_hand().channels if _is_of_type(channel)]
        told: list[tuple[float, orjson.Fragment]] = []
        for begin in range(0, len(found), LISTED_AT_ONCE):
            some = answers.listed(found[begin : begin + LISTED_AT_ONCE])
            told += [(-one["effective_priority"], orjson.Fragment(orjson.dumps(one))) for one in some]
            give_way()
        if catalog.snapshot.settings.health_penalty:
            told.sort(key=itemgetter(0))
        return answered([text for _, text in told], count=len(told))

    @ccload.get("/admin/channels/<channel_id>")
    def show_channel(channel_id: str) -> Answer:
        return answered(answers.one(find_channel(gateway, channel_id)))


def _add_files(ccload: Blueprint, gateway: Gateway) -> None:
    @ccload.get("/admin/channels/export")
    def export_channels() -> Answer:
        return export_answer(gateway)

    @ccload.post("/admin/channels/import")
    def import_channels() -> Answer:
        """`errors` are texts, as there; nothing is synchronised, as there is one place where channels are."""
        told = import_answer(gateway)
        errors = [f"line {error['line']}: {error['message']}" for error in told["errors"]]
        return answered({**told, "errors": errors, "redis_sync_enabled": False})


def _add_changes(ccload: Blueprint, gateway: Gateway, answers: CcloadAnswers) -> None:
    catalog, edits, check = gateway.catalog, gateway.key_edits, partial(refuse_addresses, gateway)

    @ccload.post("/admin/channels")
    def add_channel() -> Answer:
        meant = meaning_of(read_object(_EXAMPLE))
        if not meant.keys:
            raise AdminError(400, "invalid", 'api_key is missing: say one, or several as "k1,k2"', "api_key")
        channel = channels.add(catalog, meant.said, check)
        ordered = give_first_keys(gateway, channel, counted_keys(meant.keys, "api_key"))
        return answered(answers.one(channel), 201, **ordered)

    @ccload.put("/admin/channels/<channel_id>")
    def update_channel(channel_id: str) -> Answer:
        """What is not given stays. Rests end, as whoever saves a channel means to try it again."""
        channel = find_channel(gateway, channel_id)
        body = read_object(_EXAMPLE)
        meant = meaning_of(body, channel.said)
        if len(meant.keys) > AT_ONCE:
            advice = f"add more by POST /api/channels/{channel_id}/keys; nothing was changed"
            raise AdminError(400, "invalid", f"api_key names more than {AT_ONCE:,} keys: {advice}", "api_key")
        [channel] = channels.update(catalog, {channel_id: meant.said}, check)
        if meant.keys:
            _become(gateway, channel, meant.keys)
        if body.keys() != {"enabled"}:
            gateway.choosing.health.end_rests(channel_id, now_ms())
        return answered(answers.one(channel))

    @ccload.delete("/admin/channels/<channel_id>")
    def delete_channel(channel_id: str) -> Answer:
        channels.delete(catalog, [channel_id])
        edits.drop(channel_id)
        return answered({"id": int(channel_id)})


def _is_of_type(channel: Channel) -> bool:
    """Types that nobody knows, such as `all`, mean all of them."""
    dialect = DIALECTS.get(request.args.get("type", "").strip().lower())
    return dialect is None or dialect in channel.dialects


def _become(gateway: Gateway, channel: Channel, secrets: list[str]) -> None:
    """These are the channel's keys from now on; those that it had already stay as they are. Raises RedisError."""
    gateway.key_edits.add(channel.id, secrets)
    kept, gone = set(secrets), list[str]()
    for keys in gateway.key_edits.export(channel.id, gateway.key_edits.ids(channel.id)):
        gone += [key.id for key in keys if key.secret not in kept]
    if gone:
        gateway.key_edits.delete(channel.id, gone)
