"""The admin's routes that stand at the root, with the names that GPT-Load gave them: keys that are out of the pool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import orjson
from flask import Blueprint, Response, jsonify

from app.core.channels.keys import KeyCounts, KeyState
from app.core.said.shapes import Listed, Shape, Text, Whole
from app.core.snapshot import CHANNELS
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.routes.admin.answers import EXPECTED, error_answer
from app.routes.admin.guard import let_bearer_in
from app.routes.openapi.operation import operation
from app.storage.health.by_hand import shared
from app.storage.keys.listing import OutOfPool, out_of_pools

_BLACKLIST = {
    "totalBlacklisted": Whole(),
    "totalKeys": Whole(),
    "healthyKeys": Whole(),
    "blacklistedKeys": Listed(
        Shape({"id": Text(), "channel": Text(), "keyPreview": Text(), "reason": Text(), "since_ms": Whole()})
    ),
}
_RESET = {"message": Text(), "clearedCount": Whole(), "totalKeys": Whole()}


def build_root(gateway: Gateway) -> Blueprint:
    """Every route on it asks for the admin token as a Bearer; a browser's session counts nothing here."""
    root = Blueprint("root", __name__)
    root.before_request(let_bearer_in(gateway))

    @root.get("/blacklist")
    @operation("Lists the keys that are out of their pools.", answer=_BLACKLIST, access=("bearer",), group="keys")
    def show_blacklist() -> Response:
        pools, names = gateway.choosing.pools, _names(gateway)
        keys = out_of_pools([pools.of(channel_id) for channel_id in names], gateway.choosing.health)
        return Response(_blacklist(pools.counts(), keys, names), mimetype="application/json")

    @root.route("/reset-keys", methods=["GET", "POST"])
    @operation(
        "Restores all keys that rest or are blacklisted, and reads the file of keys again.",
        answer=_RESET,
        access=("bearer",),
        audited=True,
        group="keys",
    )
    def reset_keys() -> Response:
        of_file = gateway.keys_file.read_again() if gateway.keys_file is not None else ""
        gateway.choosing.health.settle(now_ms())
        cleared = 0
        with shared(gateway.health_keeper, gateway.choosing.health):
            for channel in gateway.catalog.in_hand().channels:
                ids = gateway.key_edits.ids(channel.id, [KeyState.RESTING, KeyState.BLACKLISTED])
                cleared += gateway.key_edits.restore(channel.id, ids)
        total = gateway.choosing.pools.counts().total
        text = f"{cleared} of {total} keys were restored; those that an operator has disabled stay so"
        text = f"{text}. {of_file}" if of_file else text
        return jsonify(success=True, message=text, clearedCount=cleared, totalKeys=total)

    for kind in EXPECTED:
        root.register_error_handler(kind, error_answer)

    @root.after_request
    def keep_nothing(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    return root


def _names(gateway: Gateway) -> dict[str, str]:
    """Of the channels, by their ids."""
    return {id: channel.name for id, channel in CHANNELS.of(gateway.catalog.in_hand()).by_id.items()}


def _blacklist(counts: KeyCounts, keys: Iterator[list[OutOfPool]], names: Mapping[str, str]) -> Iterator[bytes]:
    """The answer, some keys at a time: there may be very many."""
    head = {"totalBlacklisted": counts.blacklisted, "totalKeys": counts.total, "healthyKeys": counts.usable}
    yield orjson.dumps({"success": True, **head, "blacklistedKeys": []})[:-2]
    comma = b""
    for some in keys:
        told = [
            {
                "id": key.id,
                "channel": names[key.channel_id],
                "keyPreview": key.hint,
                "reason": ": ".join(filter(None, (key.trouble.outcome, key.trouble.text))),
                "since_ms": key.trouble.blacklisted_ms,
            }
            for key in some
        ]
        if told:
            yield comma + orjson.dumps(told)[1:-1]
            comma = b","
    yield b"]}"
