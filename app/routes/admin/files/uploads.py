"""Files that an operator sends: in a form, or as the body itself. None touches a disk, for they hold secrets."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
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
        return _read(self.name, self.example)

    def content(self) -> dict[str, Any]:
        return form_content(self.name) | {AS_BODY[0]: {"schema": {"type": "string"}}}


def _read(name: str, example: str) -> bytes:
    body = _Unhurried()
    if request.mimetype in AS_BODY:
        return b"".join(iter(body.read, b""))
    if request.mimetype == "multipart/form-data":
        parser = FormDataParser(lambda *_, **__: BytesIO(), silent=False)
        unhurried: Any = body
        try:
            parsed = parser.parse(unhurried, request.mimetype, request.content_length, request.mimetype_params)
        except ValueError as error:
            raise AdminError(400, "bad_request", f"the form cannot be read: {error}") from None
        file = parsed[2].get(name)
        if file is not None:
            data: bytes = file.stream.getvalue()  # type: ignore[attr-defined]
            return data
    raise AdminError(400, "invalid", f"{name} is missing: send it in a form, such as {example}", name)
