"""Whatever the admin API changes or gives away is written into the audit when it is done, here and nowhere else.

An act is any operation that is no GET, and what its route says of itself besides (`audited`). What a change of the
catalogue did is seen where it is made; of all else only numbers stand in an entry, and what a route tells by `tell`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

import orjson
from flask import Response, g, has_request_context, request

from app.core.audit.entry import Entry
from app.core.audit.objects import FieldChange, object_changes, object_name
from app.core.snapshot import ACCESS_TOKENS, CHANNELS, Table
from app.gateway import Gateway
from app.routes.openapi.document import name_of_operation
from app.routes.openapi.operation import Operation, operation_of
from app.storage.catalog.changes import Edit

MOST_OBJECTS: Final = 100
"""Of one act that stand in the audit one by one."""
SHORT_BYTES: Final = 65_536
"""A longer body is not looked at for what was said."""
LONGEST_WORD: Final = 100
_SAID: Final = ("action", "all", "enabled", "method", "model", "path", "priority", "seconds", "state", "token_id")
"""Fields of bodies that hold no secret; a path without its query."""
_NO_NEWS: Final = ("success", "version", "preview")
_LOGINS: Final = ("admin.login", "ccload.login")

audit = logging.getLogger("audit")
audit.setLevel(logging.INFO)  # whatever LOG_LEVEL says


def tell(before: Any = None, after: Any = None, object: str = "", *, alone: bool = False) -> None:
    """What the request does, beyond what is seen by itself. `alone`: that says all of it."""
    g.audit_told = (object, before, after, alone)


class Auditing:
    """Of one web process."""

    def __init__(self, gateway: Gateway, views: Mapping[str, Any]) -> None:
        self._gateway = gateway
        self._views = views
        gateway.catalog.on_edits = self._note

    def finish(self, response: Response) -> Response:
        """Called with each answer of ours, before it leaves."""
        endpoint = request.endpoint or ""
        view = self._views.get(endpoint)
        told = operation_of(view) if view is not None else None
        if told is None or not _is_act(told) or request.args.get("preview", "").strip() == "true":
            return response
        if endpoint in _LOGINS and response.status_code == 401:
            self._write([self._entry("login_refused", "sessions", None, None)])
        elif response.status_code < 400:
            self._write(self._entries(name_of_operation(endpoint), response))
        return response

    def _note(self, edits: Sequence[Edit], before: Mapping[str, Table]) -> None:
        if has_request_context():
            g.setdefault("audit_edits", []).append((edits, before))

    def _entries(self, action: str, response: Response) -> list[Entry]:
        object, before, after, alone = g.get("audit_told", ("", None, None, False))
        changed = [] if alone else object_changes(self._changes(), MOST_OBJECTS)
        entries = [self._entry(action, *change) for change in changed]
        if "audit_told" in g or not entries:
            if "audit_told" not in g:
                after = {**_said(), **_counts(response)} or None
            entries.append(self._entry(action, object or self._object(), before, after))
        return entries

    def _changes(self) -> list[FieldChange]:
        changes: list[FieldChange] = []
        for edits, tables in g.get("audit_edits", ()):
            for verb, table, name, text in edits:
                if verb in ("add", "put", "delete") and len(changes) < 4 * MOST_OBJECTS:
                    before, after = tables.get(table, {}).get(name), None if verb == "delete" else text
                    changes.append(FieldChange(table, name, before, after))
        return changes

    def _object(self) -> str:
        """What the path names."""
        place = request.view_args or {}
        catalog = self._gateway.catalog
        if "channel_id" in place:
            texts = CHANNELS.tables[0]
            name = object_name(texts, place["channel_id"], catalog.table(texts).get(place["channel_id"], ""))
            return f"key {place['key_id']} of {name}" if "key_id" in place else name
        if "token_id" in place:
            texts = ACCESS_TOKENS.tables[0]
            return object_name(texts, place["token_id"], catalog.table(texts).get(place["token_id"], ""))
        for name, value in place.items():
            return f"{name.removesuffix('_id')} {value}"
        segments = [one for one in request.path.split("/") if one not in ("", "api", "admin")]
        return " ".join(segments[:1])

    def _entry(self, action: str, object: str, before: Any, after: Any) -> Entry:
        return Entry(uuid4().hex, time.time_ns() // 1_000_000, _who(), action, object, before, after)

    def _write(self, entries: list[Entry]) -> None:
        for entry in entries:
            told = orjson.dumps({"before": entry.before, "after": entry.after}).decode()
            audit.info("%s of %s by %s: %s", entry.action, entry.object, entry.who, told[:2000])
        self._gateway.audit_trail.write(entries)


def _is_act(told: Operation) -> bool:
    return told.audited if told.audited is not None else request.method in ("POST", "PUT", "PATCH", "DELETE")


def _said() -> dict[str, Any]:
    """Of a short body that was read as JSON."""
    if not request.is_json or (request.content_length or 0) > SHORT_BYTES:
        return {}
    try:
        value = orjson.loads(request.get_data())
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(value, dict):
        return {}
    told = {name: value[name] for name in _SAID if isinstance(value.get(name), str | int | float | bool)}
    told |= {f"{name}_count": len(value[name]) for name in ("ids", "names") if isinstance(value.get(name), list)}
    return {name: one.partition("?")[0][:LONGEST_WORD] if isinstance(one, str) else one for name, one in told.items()}


def _counts(response: Response) -> dict[str, Any]:
    """The numbers of an answer, and what it names by an id."""
    if response.is_streamed or not response.is_json or (response.content_length or 0) > SHORT_BYTES:
        return {}
    value = orjson.loads(response.get_data())
    if not isinstance(value, dict):
        return {}
    told = {name: one for name, one in value.items() if isinstance(one, int | float) and name not in _NO_NEWS}
    task = value.get("task")
    return told | ({"task": task.get("id")} if isinstance(task, dict) else {})


def _who() -> str:
    address = request.remote_addr or "an unknown address"
    if request.endpoint in _LOGINS:
        return address
    has_bearer = request.headers.get("Authorization", "")[:7].lower() == "bearer "
    return f"{address} ({'bearer' if has_bearer else 'session'})"
