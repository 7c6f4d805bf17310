"""Calls whose bodies are kept for a while (`log_bodies_minutes`): copied at the door, which sees all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from app.core.model import Snapshot
from app.proxy.messages import Inbound
from app.telemetry.bodies.keeper import BodiesKeeper
from app.wire.dialects.credentials import credentials
from app.wire.http.headers import Headers, lower

_SCHEMES: Final = frozenset({"authorization", "proxy-authorization"})
"""Fields with one secret behind the name of a scheme."""


def keep_bodies(keeper: BodiesKeeper, inbound: Inbound, target: str, snapshot: Snapshot) -> None:
    """Where the operator wants them, the request's body is copied from now on while it is read."""
    if not snapshot.settings.log_bodies_minutes:
        return
    secrets = credentials(inbound.headers, target.partition("?")[2])
    for name, value in inbound.headers:
        key = lower(name)
        if key in _SCHEMES:
            secrets.append(value.rpartition(" ")[2])
        elif key == "cookie":
            secrets += [pair.partition("=")[2].strip() for pair in value.split(";")]
    kept = inbound.kept = keeper.begin(inbound.request_id, inbound.headers, secrets)
    if kept is not None:
        inbound.body = kept.passing(inbound.body)


def passed_on(inbound: Inbound, status: str, fields: Headers, body: Iterable[bytes]) -> Iterable[bytes]:
    """The answer's body, copied while it is sent; but not what follows a switch of protocols."""
    if inbound.kept is None or status.startswith("101"):
        return body
    return inbound.kept.passed_on(fields, body)
