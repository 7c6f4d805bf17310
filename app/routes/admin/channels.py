"""The operator's channels: list, add, show, change, delete."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from flask import Blueprint, Response, jsonify

from app.core.channels.shape import CHANNEL, DIALECTS, ID
from app.core.errors import AddressRefused
from app.core.model import Channel
from app.core.said.reading import Said
from app.core.said.shapes import Anything, Field, Listed, Real, Shape, SomeOf, Text, Whole, YesOrNo
from app.core.snapshot import CHANNELS
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.routes.admin.answers import AdminError
from app.routes.admin.channel_answers import ChannelAnswers
from app.routes.admin.lists import COUNT, NEXT, PAGED, Q
from app.routes.admin.tasks.imports import GivenKeys, order_import, read_keys_of
from app.routes.admin.tasks.long_objects import LongBody, LongValue
from app.routes.admin.tasks.tasks import TASK, task_answer
from app.routes.openapi.operation import Body, operation
from app.storage.catalog import channels
from app.storage.catalog.channels import ChannelNotFound
from app.storage.connections import RedisError
from app.storage.secrets import CannotOpen

STATES = ("enabled", "disabled", "resting")
LONGEST_REST_S = 31 * 86_400
"""By hand."""
SECONDS = Real(0, 1, LONGEST_REST_S, is_needed=True, meaning="How long it shall rest")

_ASKED: dict[str, Field] = {
    "dialect": SomeOf(DIALECTS, meaning="That speak one of them"),
    "state": SomeOf(STATES),
    "model": Text(meaning="That serve it"),
    "q": Q,
    **PAGED,
}
_AT_REST = Shape({"encrypted": YesOrNo(), "out_of_line": Whole(meaning="Keys that are stored otherwise")})
_PAGE = {"count": COUNT, "channels": Listed(CHANNEL), "next": NEXT, "keys_at_rest": _AT_REST}
_ONE = {"channel": CHANNEL}
_ADDED = Shape({"success": YesOrNo(), "channel": CHANNEL, "task": TASK}, optional=("task",))
_NEW = LongBody(
    CHANNEL.with_fields(keys=Anything(meaning="A text, with a key in each line, or a list of texts")),
    {
        "name": "main",
        "dialects": ["openai"],
        "urls": [{"url": "https://api.openai.com/v1"}],
        "models": [{"name": "gpt-5"}],
        "keys": ["sk-1"],
    },
    long=("keys",),
)

Answer = Response | tuple[Response, int]
Given = TypeVar("Given")


def add_channel_routes(admin: Blueprint, gateway: Gateway) -> None:
    catalog = gateway.catalog
    check, answers = partial(refuse_addresses, gateway), ChannelAnswers(gateway)
    _add_one_routes(admin, gateway)

    @admin.get("/channels")
    @operation("Lists channels, by priority, then name.", query=_ASKED, answer=_PAGE)
    def list_channels(asked: Said) -> Answer:
        found = _asked_for(asked, catalog.in_hand().channels, answers)
        size, begin = asked.number("limit"), _begin(asked, found)
        page = found[begin : begin + size]
        more = len(found) > begin + size
        following = _place(page[-1]) if more else None
        return jsonify(answers.listed(page, len(found), following))

    @admin.post("/channels")
    @operation(
        "Adds a channel, and its keys with it. A task adds keys that are many.", body=_NEW, answer=_ADDED, status=201
    )
    def add_channel(read: tuple[Said, LongValue | None]) -> Answer:
        said, long = read
        given = read_keys_of(said, long)
        channel = channels.add(catalog, said.values, check)
        ordered = give_first_keys(gateway, channel, given)
        return jsonify(success=True, channel=answers.one(channel), **ordered), 201


def _add_one_routes(admin: Blueprint, gateway: Gateway) -> None:
    catalog = gateway.catalog
    check, answers = partial(refuse_addresses, gateway), ChannelAnswers(gateway)

    @admin.get("/channels/<channel_id>")
    @operation("Shows a channel.", answer=_ONE)
    def show_channel(channel_id: str) -> Answer:
        return jsonify(success=True, channel=answers.one(find_channel(gateway, channel_id)))

    @admin.put("/channels/<channel_id>")
    @operation(
        "Changes what is said of a channel. A mapping that leads to it follows a new name.",
        body=Body(CHANNEL.changes(), {"priority": 10}),
        answer=_ONE,
    )
    def update_channel(said: Said, channel_id: str) -> Answer:
        if isinstance(said.values.get("keys"), str | list):
            text = f"keys are added by POST /api/channels/{channel_id}/keys, and deleted there; nothing was changed"
            raise AdminError(400, "invalid", text, "keys")
        [channel] = channels.update(catalog, {channel_id: said.values}, check)
        return jsonify(success=True, channel=answers.one(channel))

    @admin.delete("/channels/<channel_id>")
    @operation("Deletes a channel and its keys.", answer={"id": ID})
    def delete_channel(channel_id: str) -> Answer:
        delete_channels(gateway, [channel_id])
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
            delete_channels(gateway, [channel.id])
        raise


def delete_channels(gateway: Gateway, channel_ids: Sequence[str]) -> None:
    """With their keys; all or none. Raises ChannelNotFound, ChannelInUse, RedisError."""
    channels.delete(gateway.catalog, channel_ids, gateway.key_edits.removal(channel_ids))
    for channel_id in channel_ids:
        gateway.key_edits.drop(channel_id)  # what was added meanwhile, too


def refuse_addresses(gateway: Gateway, channel: Channel) -> None:
    """Raises AdminError for a url at which the egress guard lets nobody connect."""
    for place, url in enumerate(channel.urls):
        try:
            gateway.dialer.check(url.upstream)
        except AddressRefused as error:
            raise AdminError(400, "address_refused", str(error), f"urls[{place}].url") from None


def _asked_for(asked: Said, all_of_them: tuple[Channel, ...], answers: ChannelAnswers) -> list[Channel]:
    """Those that the query asks for."""
    dialects, states = asked.words("dialect"), set(asked.words("state"))
    model, q = asked.text("model"), asked.text("q").casefold()
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


def _begin(asked: Said, found: list[Channel]) -> int:
    """Where the page begins: behind the place that the one before told, whatever was deleted meanwhile."""
    after = asked.text("after")
    if not after:
        return 0
    priority, _, name = after.partition(" ")
    if not priority.removeprefix("-").isdecimal():
        raise AdminError(400, "invalid", "after must be what the answer before said as its next", "after")
    return bisect_right(found, (-int(priority), name), key=lambda channel: (-channel.priority, channel.name))


def _place(channel: Channel) -> str:
    return f"{channel.priority} {channel.name}"
