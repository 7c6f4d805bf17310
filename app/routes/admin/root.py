"""The admin's routes that stand at the root, with the names that GPT-Load gave them: keys that are out of the pool."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from app.core.channels.keys import KeyState
from app.core.said.shapes import Listed, Shape, Text, Whole
from app.core.snapshot import CHANNELS
from app.gateway import Gateway
from app.proxy.api.choices import now_ms
from app.routes.admin.answers import EXPECTED, error_answer
from app.routes.admin.guard import let_bearer_in
from app.routes.openapi.operation import operation
from app.storage.keys.listing import hint_at

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
    @operation(answer=_BLACKLIST, access=("bearer",), group="keys")
    def show_blacklist() -> Response:
        """Lists the keys that are out of their pools."""
        counts = gateway.choosing.pools.counts()
        keys = _blacklisted(gateway)
        return jsonify(
            success=True,
            totalBlacklisted=counts.blacklisted,
            totalKeys=counts.total,
            healthyKeys=counts.usable,
            blacklistedKeys=keys,
        )

    @root.route("/reset-keys", methods=["GET", "POST"])
    @operation(answer=_RESET, access=("bearer",), group="keys")
    def reset_keys() -> Response:
        """Restores all keys that rest or are blacklisted, and reads the file of keys again."""
        of_file = gateway.keys_file.read_again() if gateway.keys_file is not None else ""
        gateway.choosing.health.settle(now_ms())
        cleared = 0
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


def _blacklisted(gateway: Gateway) -> list[dict[str, Any]]:
    """Those that are in no pool any more, of channels that are still there; in the order in which they left."""
    names = {id: channel.name for id, channel in CHANNELS.of(gateway.catalog.in_hand()).by_id.items()}
    told = []
    for channel_id, key_id, trouble in gateway.choosing.health.blacklisted():
        pool = gateway.choosing.pools.of(channel_id)
        place = pool.place_of(int(key_id))
        if channel_id in names and place >= 0 and pool.state_at(place) is KeyState.BLACKLISTED:
            told.append(
                {
                    "id": key_id,
                    "channel": names[channel_id],
                    "keyPreview": hint_at(pool, place),
                    "reason": f"{trouble.outcome}: {trouble.text}" if trouble.text else trouble.outcome,
                    "since_ms": trouble.blacklisted_ms,
                }
            )
    return sorted(told, key=lambda one: (one["since_ms"], int(str(one["id"]))))
