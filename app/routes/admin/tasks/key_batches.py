"""What is done to many keys of a channel: at once where they are few, else by a task."""

from __future__ import annotations

from typing import Any, Final

import orjson
from flask import Blueprint, jsonify

from app.core.channels.keys import KeyState
from app.core.channels.shape import ID
from app.core.model import Channel
from app.core.said.reading import Said
from app.core.said.shapes import Listed, OneOf, Real, Shape, Whole, YesOrNo
from app.gateway import Gateway
from app.proxy.probing import usual_model
from app.routes.admin.answers import AdminError
from app.routes.admin.channels import Answer, find_channel
from app.routes.admin.tasks.imports import AT_ONCE
from app.routes.admin.tasks.long_objects import LongBody, LongValue
from app.routes.admin.tasks.tasks import TASK, task_answer
from app.routes.openapi.operation import operation
from app.storage.health.by_hand import shared

STATES: Final = {state.value: state for state in KeyState}
VALIDATE: Final = "validate"
ACTIONS: Final = ("delete", "restore", "enable", "disable", VALIDATE)

_BATCH: Final = LongBody(
    Shape(
        {
            "ids": Listed(ID, 1_000_000),
            "state": OneOf(tuple(STATES)),
            "all": YesOrNo(meaning="true, for all"),
            "action": OneOf(ACTIONS, is_needed=True),
            "concurrency": Whole(0, 0, 200, meaning="For validate, keys at once; 0: as validate_concurrency says"),
            "timeout_s": Real(0.0, 0.0, 120.0, meaning="For validate, of one key; 0: as validate_timeout_s says"),
        },
        one_of=("ids", "state", "all"),
    ),
    {"ids": ["1"], "action": "restore"},
    long=("ids",),
)
_CHANGED: Final = {"changed": Whole(meaning="How many are another now")}


def add_key_batch_route(admin: Blueprint, gateway: Gateway) -> None:
    edits = gateway.key_edits

    @admin.post("/channels/<channel_id>/keys/batch")
    @operation(
        "Changes many keys of a channel at once. A task does what is long, and tries keys.",
        body=_BATCH,
        answer=_CHANGED,
        also={202: {"task": TASK}},
    )
    def change_keys(read: tuple[Said, LongValue | None], channel_id: str) -> Answer:
        channel = find_channel(gateway, channel_id)
        said, long = read
        if long is not None and long.entries <= AT_ONCE:
            said.values["ids"], long = _parsed(long), None
        action = said.choice("action")
        bounds = {"concurrency": said.number("concurrency"), "timeout_s": said.real("timeout_s")}
        meant = _meant(said, long)
        if action == VALIDATE:
            if "ids" in meant:
                _ids(gateway, channel_id, meant)
            meant |= bounds
            _check_model(channel)
        if action == VALIDATE or _count(gateway, channel_id, meant, long) > AT_ONCE:
            meant |= _until(gateway, channel_id, meant, long)
            pieces = long.pieces if long is not None else ()
            task = gateway.tasks.order(f"{action}_keys", channel_id, meant, pieces=pieces)
            return jsonify(success=True, task=task_answer(task)), 202
        ids = _ids(gateway, channel_id, meant)
        match action:
            case "delete":
                changed = edits.delete(channel_id, ids)
            case "restore":
                with shared(gateway.health_keeper, gateway.choosing.health):
                    changed = edits.restore(channel_id, ids)
            case _:
                changed = edits.enable(channel_id, ids, action == "enable")
        return jsonify(success=True, changed=changed)


def _check_model(channel: Channel) -> None:
    """Raises AdminError where nothing says with which model keys are to be tried."""
    if not usual_model(channel):
        text = "the channel serves all models and names none: set its check_model to what keys are to be tried with"
        raise AdminError(400, "invalid", text, "check_model")


def _parsed(long: LongValue) -> Any:
    try:
        return orjson.loads(long.whole())
    except orjson.JSONDecodeError:
        raise AdminError(400, "bad_json", f"{long.name} is no JSON") from None


def _meant(said: Said, long: LongValue | None) -> dict[str, Any]:
    """For which keys it is: `ids`, or `state`; neither: for all, or for those of the long value. Raises AdminError."""
    if long is not None:
        return {}
    if said.any("ids") is not None:
        return {"ids": [str(one) for one in said.items("ids")]}
    if said.any("state") is not None:
        return {"state": said.choice("state")}
    if said.any("all") is not True:
        raise AdminError(400, "invalid", "all must be true", "all")
    return {}


def _count(gateway: Gateway, channel_id: str, meant: dict[str, Any], long: LongValue | None) -> int:
    """How many keys that are at most."""
    if long is not None:
        return long.entries
    if "ids" in meant:
        return len(meant["ids"])
    gateway.choosing.pools.load()
    counts = gateway.choosing.pools.of(channel_id).counts
    return getattr(counts, meant["state"]) if "state" in meant else counts.total


def _until(gateway: Gateway, channel_id: str, meant: dict[str, Any], long: LongValue | None) -> dict[str, int]:
    """The last key that there is: those that come after the order are not meant by it."""
    if long is not None or "ids" in meant:
        return {}
    gateway.choosing.pools.load()
    ids = gateway.choosing.pools.of(channel_id).ids
    return {"last_id": ids[-1] if ids else 0}


def _ids(gateway: Gateway, channel_id: str, meant: dict[str, Any]) -> list[str]:
    """Raises AdminError for one that the channel does not have."""
    ids: list[str] | None = meant.get("ids")
    if ids is None:
        return gateway.key_edits.ids(channel_id, [STATES[meant["state"]]] if "state" in meant else [])
    place = gateway.key_edits.unknown(channel_id, ids)
    if place >= 0:
        # Not as it was sent: it may be a key that somebody took for an id.
        raise AdminError(404, "not_found", f"ids[{place}] is no key of it; nothing was changed", f"ids[{place}]")
    return ids
