"""Files that an operator sends: in a form, or as the body itself. None touches a disk, for they hold secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from flask import request
from werkzeug.formparser import FormDataParser

from app.routes.admin.answers import AdminError
from app.routes.openapi.operation import form_content
from app.waiting import give_way

PIECE_BYTES: Final = 65_536
AS_BODY: Final = ("text/csv", "text/plain", "application/csv", "application/octet-stream")
"""Types of a body that is the file itself."""


class _Unhurried:
    """The request's body; between its pieces others run, however fast it comes."""

    def read(self, size: int = -1) -> bytes:
        give_way()
        return request.stream.read(PIECE_BYTES if size < 0 else min(size, PIECE_BYTES))


@dataclass
class Upload:
    """A file, in the form's field `name` or as the body itself; a route is given its bytes."""

    name: str
    example: str
    """How to send one."""
    is_optional: bool = False

    def read(self) -> bytes:
        """Raises AdminError."""
        return b"".join(self.read_pieces())

    def read_pieces(self) -> list[bytes]:
        """The same as it came: putting 16 MiB together takes several milliseconds. Raises AdminError."""
        return _read(self.name, self.example)

    def content(self) -> dict[str, Any]:
        return form_content(self.name) | {AS_BODY[0]: {"schema": {"type": "string"}}}


class _Pieces:
    """What werkzeug writes a file of a form into."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.pieces.append(bytes(data))
        return len(data)

    def seek(self, place: int) -> int:
        """Werkzeug does it at the file's end."""
        return place


def _stream(*_: Any, **__: Any) -> Any:
    return _Pieces()


def _read(name: str, example: str) -> list[bytes]:
    body = _Unhurried()
    if request.mimetype in AS_BODY:
        return list(iter(body.read, b""))
    if request.mimetype == "multipart/form-data":
        parser = FormDataParser(_stream, silent=False)
        unhurried: Any = body
        try:
            parsed = parser.parse(unhurried, request.mimetype, request.content_length, request.mimetype_params)
        except ValueError as error:
            raise AdminError(400, "bad_request", f"the form cannot be read: {error}") from None
        file = parsed[2].get(name)
        if file is not None:
            stream: Any = file.stream
            pieces: list[bytes] = stream.pieces
            return pieces
        text = parsed[1].get(name)
        if text is not None:  # a field without a file's name, as `curl -F "file=<channels.csv"` sends it
            return [text.encode()]
    raise AdminError(400, "invalid", f"{name} is missing: send it in a form, such as {example}", name)
