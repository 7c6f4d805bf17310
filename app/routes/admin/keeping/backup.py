"""A backup of all that the operator said, out and in. Both are audited."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson
from flask import Blueprint, Response, jsonify, request

from app.core.backup.form import ENCRYPTED, HEADING, LEFT_OUT, BackupRefused, Heading, damaged, read_heading
from app.core.said.reading import Said
from app.core.said.shapes import Field, Listed, OneOf, Shape, Text, Whole, YesOrNo
from app.gateway import Gateway
from app.routes.admin.answers import AdminError
from app.routes.admin.keeping.acts import tell
from app.routes.admin.tasks.long_objects import cut
from app.routes.openapi.operation import Body, operation
from app.storage.backup.passphrase import SHORTEST, Cipher, cipher_of, new_cipher
from app.storage.backup.reading import read
from app.storage.backup.restoring import Decision, Restore
from app.storage.backup.writing import Backup
from app.version import own_version
from app.waiting import give_way
from app.wire.bodies.top_level import TopLevel

FIELD: Final = "X-Backup-Passphrase"
LONGEST_BYTES: Final = 256 << 20
"""Of a backup: that of 100,000 keys has some 20 MB."""
PIECE_BYTES: Final = 65_536
_PASSPHRASE: Final[dict[str, Field]] = {
    FIELD: Text(meaning="What the secrets of the backup are encrypted with; without it they are left out")
}
_EXAMPLE: Final = {"backup": 1, "made_at_ms": 0, "version": 0, "secrets": LEFT_OUT, "entries": []}
MOST_NAMES: Final = 20
"""Of each noun that the audit tells."""
_NAMES: Final = Listed(Text())
_BECOMES: Final[dict[str, Field]] = {
    "preview": YesOrNo(),
    "product": Text(meaning="The version of the gateway that wrote the backup"),
    "made_at_ms": Whole(),
    "secrets": OneOf((ENCRYPTED, LEFT_OUT)),
    "changes": Listed(
        Shape({"noun": Text(), "added": _NAMES, "changed": _NAMES, "removed": _NAMES}), meaning="By noun, names"
    ),
    "keys": Shape({name: Whole() for name in ("added", "changed", "removed")}, meaning="Of all channels, how many"),
    "notes": Listed(Text(), meaning="What the backup does not bring, or makes no sense here"),
}


@dataclass
class SentBackup:
    """The body of a restore, with its entries as they came."""

    value: dict[str, Any]
    """All but the entries."""
    entries: list[bytes]


@dataclass
class BackupBody(Body):
    """A backup; nobody looks at it as a whole. A route is given it as SentBackup."""

    def read(self) -> SentBackup:
        """Raises AdminError and BackupRefused."""
        request.max_content_length = LONGEST_BYTES
        if not request.is_json:
            text = f'send the backup as JSON: curl -H "Content-Type: application/json" -H "{FIELD}: ..." '
            raise AdminError(400, "bad_json", text + "--data-binary @backup.json")
        pieces = list(_pieces())
        members = TopLevel(frozenset({"entries"}))
        for piece in pieces:
            members.begin(piece)
            while members.step():
                give_way()
            give_way()
        members.finish()
        if members.is_unreadable or not pieces:
            raise AdminError(400, "bad_json", "Invalid request body: it is no whole JSON object, as a backup is")
        if "entries" in members.values:
            return SentBackup(_value(b"".join(pieces)), [members.values["entries"]])
        begin, end = members.left_out_start, members.left_out_end
        if not end:
            return SentBackup(_value(b"".join(pieces)), [])
        rest = b"".join([*cut(pieces, 0, begin), b"[]", *cut(pieces, end, 1 << 62)])
        return SentBackup(_value(rest), list(cut(pieces, begin, end)))


def add_backup_routes(admin: Blueprint, gateway: Gateway) -> None:
    @admin.get("/backup")
    @operation(
        "Shows all that the operator said, as one document. With a passphrase it has all secrets. That is audited.",
        fields=_PASSPHRASE,
        answer=HEADING,
        audited=True,
    )
    def back_up() -> Response:
        passphrase = _passphrase()
        cipher = new_cipher(passphrase) if passphrase else None
        backup = Backup(gateway.catalog, gateway.choosing.pools, gateway.stored_health, cipher, give_way)
        tell(after={"version": backup.version, "with_secrets": cipher is not None, "keys": backup.counted_keys()})
        name = time.strftime("gateway-%Y%m%d-%H%M%S.json")
        fields = {"Content-Disposition": f'attachment; filename="{name}"'}
        pieces = backup.written(own_version(), time.time_ns() // 1_000_000)
        return Response(pieces, content_type="application/json", headers=fields)

    @admin.post("/restore")
    @operation(
        "Makes all that the operator said what a backup says, and nothing else: at once, or not at all.",
        query={"preview": YesOrNo(meaning="true: nothing is changed")},
        fields=_PASSPHRASE,
        body=BackupBody(HEADING, _EXAMPLE),
        answer=_BECOMES,
    )
    def restore(asked: Said, sent: SentBackup) -> Response:
        preview = asked.flag("preview")
        heading = read_heading(sent.value, own_version())
        document = read(heading, _cipher_for(heading), sent.entries, give_way)
        work = Restore(
            gateway.catalog,
            gateway.choosing.pools,
            gateway.stored_health,
            document,
            give_way,
            only_here=not gateway.config.exposure,
        )
        decision = work.decide() if preview else work.take()
        if not preview:
            tell(after=_audited(heading, decision), alone=True)
        return jsonify(success=True, preview=preview, **_answer(heading, decision))


def _answer(heading: Heading, decision: Decision) -> dict[str, Any]:
    return {
        "product": heading.product,
        "made_at_ms": heading.made_at_ms,
        "secrets": LEFT_OUT if heading.encryption is None else ENCRYPTED,
        "changes": [vars(change) for change in decision.nouns if change],
        "keys": decision.key_counts,
        "notes": decision.notes,
    }


def _audited(heading: Heading, decision: Decision) -> dict[str, Any]:
    told: dict[str, Any] = {"version": heading.version, "made_at_ms": heading.made_at_ms, "keys": decision.key_counts}
    for change in decision.nouns:
        names = {"added": change.added, "changed": change.changed, "removed": change.removed}
        if change:
            told[change.noun] = {word: some[:MOST_NAMES] for word, some in names.items() if some}
    return told


def _passphrase() -> bytes:
    """Its bytes as they were sent. Raises AdminError for one that protects nothing."""
    said = request.headers.get(FIELD)
    if said is None:
        return b""
    passphrase = said.encode("latin-1", "replace")
    if len(passphrase) < SHORTEST:
        text = f"{FIELD} has {len(passphrase)} bytes; say {SHORTEST} or more, or leave it out, and secrets with it"
        raise AdminError(400, "invalid", text, FIELD)
    return passphrase


def _cipher_for(heading: Heading) -> Cipher | None:
    """Raises BackupRefused where the passphrase is missing, or another one."""
    if heading.encryption is None:
        return None
    passphrase = (request.headers.get(FIELD) or "").encode("latin-1", "replace")
    if not passphrase:
        text = (
            f"the secrets of this backup are encrypted: send its passphrase in the field {FIELD}; nothing was changed"
        )
        raise BackupRefused("passphrase_missing", text)
    return cipher_of(heading.encryption, passphrase)


def _pieces() -> Iterator[bytes]:
    while piece := request.stream.read(PIECE_BYTES):
        yield piece
        give_way()


def _value(text: bytes) -> dict[str, Any]:
    try:
        value: dict[str, Any] = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise damaged("it is no JSON") from None
    return value
