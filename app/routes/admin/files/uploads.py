"""Files that an operator sends: in a form, or as the body itself. None touches a disk, for they hold secrets."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Final

from flask import request
from werkzeug.formparser import FormDataParser

from app.routes.admin.answers import AdminError
from app.waiting import give_way

PIECE_BYTES: Final = 65_536
AS_BODY: Final = ("text/csv", "text/plain", "application/csv", "application/octet-stream")
"""Types of a body that is the file itself."""


class _Unhurried:
    """The request's body; between its pieces others run, however fast it comes."""

    def read(self, size: int = -1) -> bytes:
        give_way()
        return request.stream.read(PIECE_BYTES if size < 0 else min(size, PIECE_BYTES))


def read_upload(name: str, example: str) -> bytes:
    """The file of the form's field `name`. Raises AdminError; `example` says how to send one."""
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
