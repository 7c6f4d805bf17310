"""The operator's channels: list, add, show, change, delete."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from flask import Blueprint, Response, jsonify, request

from app.core.channels.definition import DIALECTS
from app.core.errors import AddressRefused
from app.core.model import Channel
from app.core.said import Said
from app.core.snapshot import CHANNELS
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.routes.admin.answers import AdminError, read_object
from app.routes.admin.channel_answers import ChannelAnswers
from app.routes.admin.lists import asked_words, page_size
from app.routes.admin.tasks.imports import GivenKeys, order_import, read_keys_of
from app.routes.admin.tasks.long_objects import read_long_object
from app.routes.admin.tasks.tasks import task_answer
from app.storage.catalog import channels
from app.storage.catalog.channels import ChannelNotFound
from app.storage.connections import RedisError
from app.storage.secrets import CannotOpen

EXAMPLE = '{"name": "one", "dialects": ["openai"], "urls": [{"url": "https://..."}], "models": [...]}'
STATES = ("enabled", "disabled", "resting")
LONGEST_REST_S = 31 * 86_400
"""By hand."""

Answer = Response | tuple[Response, int]
Given = TypeVar("Given")


def add_channel_routes(admin: Blueprint, gateway: Gateway) -> None:
    catalog = gateway.catalog
    check, answers = partial(refuse_addresses, gateway), ChannelAnswers(gateway)

    @admin.get("/channels")
    def list_channels() -> Answer:
        found = _asked_for(catalog.in_hand().channels, answers)
        size, begin = page_size(), _begin(found)
        page = found[begin : begin + size]
        more = len(found) > begin + size
        following = _place(page[-1]) if more else None
        return jsonify(answers.listed(page, len(found), following))

    @admin.post("/channels")
    def add_channel() -> Answer:
        body, long = read_long_object(EXAMPLE, ("keys",))
        given = read_keys_of(body, long)
        channel = channels.add(catalog, body, check)
        ordered = give_first_keys(gateway, channel, given)
        return jsonify(success=True, channel=answers.one(channel), **ordered), 201

    @admin.get("/channels/<channel_id>")
    def show_channel(channel_id: str) -> Answer:
        return jsonify(success=True, channel=answers.one(find_channel(gateway, channel_id)))

    @admin.put("/channels/<channel_id>")
    def update_channel(channel_id: str) -> Answer:
        body = read_object(EXAMPLE)
        if isinstance(body.get("keys"), str | list):
            text = f"keys are added by POST /api/channels/{channel_id}/keys, and deleted there; nothing was changed"
            raise AdminError(400, "invalid", text, "keys")
        [channel] = channels.update(catalog, {channel_id: body}, check)
        return jsonify(success=True, channel=answers.one(channel))

    @admin.delete("/channels/<channel_id>")
    def delete_channel(channel_id: str) -> Answer:
        channels.delete(catalog, [channel_id])
        gateway.key_edits.drop(channel_id)
        return jsonify(success=True, id=channel_id)


def find_channel(gateway: Gateway, channel_id: str) -> Channel:
    """Raises ChannelNotFound, and RedisError where nothing ever was known."""
    gateway.choosing.health.settle(now_ms())  # who has rested long enough is back, also where nobody calls
    gateway.catalog.in_hand()
    channel = CHANNELS.of(gateway.catalog.snapshot).by_id.get(channel_id)
    if channel is None:  # another process may just have added it
        channel = CHANNELS.of(gateway.catalog.look()).by_id.get(channel_id)
    if channel is None:
        raise ChannelNotFound(f"there is no channel {channel_id}")
    return channel


def give_first_keys(gateway: Gateway, channel: Channel, given: GivenKeys | None) -> dict[str, Any]:
    """To a channel that was just added; what is answered besides: the task that does it. Raises RedisError."""
    if given is None:
        return {}
    if given.few:
        with_keys(gateway, channel, lambda: gateway.key_edits.add(channel.id, given.few))
        return {}
    return {"task": task_answer(with_keys(gateway, channel, lambda: order_import(gateway, channel.id, given)))}


def with_keys(gateway: Gateway, channel: Channel, give: Callable[[], Given]) -> Given:
    """Gives a channel that was just added its keys; it goes again where that fails. Raises RedisError, CannotOpen."""
    try:
        return give()
    except (RedisError, CannotOpen):
        with suppress(RedisError):
            channels.delete(gateway.catalog, [channel.id])
            gateway.key_edits.drop(channel.id)
        raise


def rest_s(said: Said) -> float:
    """How long something shall rest. Raises InvalidChannel."""
    seconds = said.any("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds <= LONGEST_REST_S:
        raise said.wrong("seconds", f"must be a number from 1 to {LONGEST_REST_S:,}")
    return seconds


def refuse_addresses(gateway: Gateway, channel: Channel) -> None:
    """Raises AdminError for a url at which the egress guard lets nobody connect."""
    for place, url in enumerate(channel.urls):
        try:
            gateway.dialer.check(url.upstream)
        except AddressRefused as error:
            raise AdminError(400, "address_refused", str(error), f"urls[{place}].url") from None


def _asked_for(all_of_them: tuple[Channel, ...], answers: ChannelAnswers) -> list[Channel]:
    """Those that the query asks for."""
    dialects = asked_words("dialect", DIALECTS)
    states = set(asked_words("state", STATES))
    model, q = request.args.get("model", "").strip(), request.args.get("q", "").strip().casefold()
    return [
        channel
        for channel in all_of_them
        if (not dialects or not channel.dialects.isdisjoint(dialects))
        and (not states or not states.isdisjoint(_states(channel, answers)))
        and (not model or _serves(channel, model))
        and (not q or _speaks_of(channel, q))
    ]


def _states(channel: Channel, answers: ChannelAnswers) -> set[str]:
    if not channel.enabled:
        return {"disabled"}
    return {"enabled", "resting"} if answers.resting_until_ms(channel) else {"enabled"}


def _serves(channel: Channel, model: str) -> bool:
    return any(model in (entry.name, entry.upstream_name) or entry.name == "*" for entry in channel.models)


def _speaks_of(channel: Channel, q: str) -> bool:
    names = [name for entry in channel.models for name in entry]
    texts = [channel.name, channel.said["note"], *(url.url for url in channel.urls), *names]
    return any(q in text.casefold() for text in texts)


def _begin(found: list[Channel]) -> int:
    """Where the page begins: behind the place that the one before told, whatever was deleted meanwhile."""
    after = request.args.get("after", "")
    if not after:
        return 0
    priority, _, name = after.partition(" ")
    if not priority.removeprefix("-").isdecimal():
        raise AdminError(400, "invalid", "after must be what the answer before said as its next", "after")
    return bisect_right(found, (-int(priority), name), key=lambda channel: (-channel.priority, channel.name))


def _place(channel: Channel) -> str:
    return f"{channel.priority} {channel.name}"
