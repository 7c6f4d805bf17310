"""Channels with their keys as a CSV file, out and in. Whoever is given one is written down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from flask import Blueprint, Response, jsonify

from app.core.channels.csv_keys import FileKey, write_keys
from app.core.channels.csv_reading import ChannelRow, Heading, is_blank, read_heading, read_row
from app.core.channels.csv_writing import COLUMNS, write_row
from app.core.channels.urls import AddressGuard
from app.core.errors import Invalid
from app.core.model import Channel, Upstream
from app.core.network.addresses import is_name
from app.core.said.reading import Said
from app.core.said.shapes import Field, Listed, OneOf, Shape, Text, Whole, YesOrNo
from app.gateway import Gateway
from app.routes.admin.answers import AdminError
from app.routes.admin.channels import Answer
from app.routes.admin.files.uploads import Upload
from app.routes.admin.keeping.acts import tell
from app.routes.openapi.operation import operation
from app.storage.channel_import import ChannelImport, Decision, LineError
from app.storage.keys.listing import stored_in
from app.storage.secrets import CannotOpen
from app.waiting import give_way
from app.wire.csv_files import BOM, STEP_BYTES, read_records, record_pieces, write_record

MOST_LINES: Final = 10_000
"""Of one file."""
RESOLVING_S: Final = 20.0
"""So long, of one file, names are resolved to be checked. What is left passes, as names do that cannot be resolved: all
are checked whenever they are dialled."""
EXAMPLE: Final = "curl -F file=@channels.csv"
FILE: Final = Upload("file", EXAMPLE)
EXPORTED: Final = {"secrets": YesOrNo(default=True, meaning="false: hints in place of keys")}
IMPORTED: Final = {"preview": YesOrNo(meaning="true: nothing is changed")}
CHANGE: Final = Shape(
    {
        "line": Whole(),
        "name": Text(),
        "action": OneOf(("created", "updated", "unchanged")),
        "fields": Listed(Text(), meaning="Those that become others"),
        **{name: Whole() for name in ("keys_added", "keys_changed", "keys_removed")},
        "notes": Listed(Text(), meaning="What of the line is not taken"),
    }
)
COUNTS: Final = ("created", "updated", "unchanged", "skipped", "processed")
BECOME: Final[dict[str, Field]] = {
    "preview": YesOrNo(),
    **{name: Whole() for name in COUNTS},
    "errors": Listed(Shape({"line": Whole(), "message": Text()})),
    "changes": Listed(CHANGE),
    "notes": Listed(Text()),
}


def add_channel_file_routes(admin: Blueprint, gateway: Gateway) -> None:
    @admin.get("/channels/export")
    @operation(
        "Shows all channels as a CSV file, with their keys. That is audited.",
        query=EXPORTED,
        answer="text/csv",
        audited=True,
    )
    def export_channels(asked: Said) -> Answer:
        return export_answer(gateway, asked)

    @admin.post("/channels/import")
    @operation(
        "Adds and changes channels by a CSV file, all or none of its good lines.",
        query=IMPORTED,
        body=FILE,
        answer=BECOME,
    )
    def import_channels(asked: Said, data: bytes) -> Answer:
        return jsonify(success=True, **import_answer(gateway, asked, data))


def export_answer(gateway: Gateway, asked: Said) -> Response:
    """All channels, the first to be tried first. Raises AdminError, RedisError."""
    secrets = asked.flag("secrets")
    gateway.choosing.pools.load()
    channels = gateway.catalog.look().channels
    tell(after={"channels": len(channels), "with_keys": secrets})
    name = time.strftime("channels-%Y%m%d-%H%M%S.csv")
    fields = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(_written(gateway, channels, secrets), content_type="text/csv; charset=utf-8", headers=fields)


def import_answer(gateway: Gateway, asked: Said, data: bytes) -> dict[str, Any]:
    """What became of the file that was sent, or with `?preview=true` would. Raises AdminError, Invalid, RedisError."""
    preview = asked.flag("preview")
    heading, rows, errors, blank = _read_file(data)
    work = ChannelImport(
        gateway.catalog,
        gateway.choosing.pools,
        gateway.stored_health,
        AddressGuard(check_for_a_while(gateway.dialer.check)).refuse,
        give_way,
    )
    decision = work.decide(rows) if preview else work.take(rows)
    answer = _answer(decision, errors, blank)
    if not preview:
        tell(after={name: answer[name] for name in COUNTS})
    return {"preview": preview, **answer, "notes": list(heading.notes)}


def check_for_a_while(check: Callable[[Upstream], object]) -> Callable[[Upstream], None]:
    """The egress guard for all addresses of a file: names for RESOLVING_S, addresses always."""
    ends_s = time.monotonic() + RESOLVING_S

    def check_one(upstream: Upstream) -> None:
        if time.monotonic() < ends_s or not is_name(upstream.host):
            check(upstream)

    return check_one


def _read_file(data: bytes) -> tuple[Heading, list[ChannelRow], list[LineError], int]:
    """Its heading, the lines that make sense, what is wrong with others, and how many are blank."""
    records = read_records(data, give_way)
    first = next(records, None)
    if first is None:
        raise AdminError(400, "invalid", f"the file is empty: its first line must name the columns ({EXAMPLE})", "file")
    heading = read_heading(first)
    rows: list[ChannelRow] = []
    errors: list[LineError] = []
    blank = 0
    for number, record in enumerate(records, 1):
        if number > MOST_LINES:
            raise AdminError(400, "invalid", f"the file has more than {MOST_LINES:,} lines; send fewer at once", "file")
        if is_blank(record):
            blank += 1
            continue
        try:
            rows.append(read_row(heading, record, give_way))
        except Invalid as error:
            errors.append(LineError(record.line, str(error)))
    return heading, rows, errors, blank


def _answer(decision: Decision, errors: list[LineError], blank: int) -> dict[str, Any]:
    """`updated`: lines whose channel was there, `unchanged`: those of them that are as the line says already."""
    errors = sorted([*errors, *decision.errors])
    created, unchanged = decision.count("created"), decision.count("unchanged")
    updated = decision.count("updated") + unchanged
    skipped = len(errors) + blank
    return {
        "created": created,
        "updated": updated,
        "unchanged": unchanged,
        "skipped": skipped,
        "processed": created + updated + skipped,
        "errors": [error._asdict() for error in errors],
        "changes": [change._asdict() for change in decision.changes],
    }


def _written(gateway: Gateway, channels: tuple[Channel, ...], secrets: bool) -> Iterator[bytes]:
    """In pieces that are neither very long nor very short."""
    pieces, size = [write_record(COLUMNS)], 0
    yield BOM
    for channel in channels:
        keys = write_keys(_keys_of(gateway, channel.id), secrets=secrets, pause=give_way)
        for piece in record_pieces(write_row(channel, keys, secrets=secrets)):
            pieces.append(piece)
            size += len(piece)
            if size > STEP_BYTES:
                yield "".join(pieces).encode()
                pieces, size = [], 0
                give_way()
    yield "".join(pieces).encode()


def _keys_of(gateway: Gateway, channel_id: str) -> Iterator[FileKey]:
    """In their order; without those that cannot be opened."""
    pools = gateway.choosing.pools
    for keys in stored_in(pools.of(channel_id)):
        for key in keys:
            with suppress(CannotOpen):
                yield FileKey(pools.stored.secrets.open(key.sealed, channel_id), key.note, key.models, key.enabled)
