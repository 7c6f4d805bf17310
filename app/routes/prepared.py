"""Answers that many ask for again and again: tagged, and compressed once for as long as they stay the same."""

from __future__ import annotations

import hashlib
import zlib
from functools import cached_property

from flask import Request, Response

_LEVEL = 1
"""What the dashboard's figures gain at higher levels is little, and the process does nothing else meanwhile."""
_GZIP = 16 + zlib.MAX_WBITS  # zlib's own way to ask for gzip's frame


class Prepared:
    """One content, and what is made of it when it is first needed."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    @cached_property
    def _name(self) -> str:
        return hashlib.sha256(self.body).hexdigest()[:32]

    @cached_property
    def _gzipped(self) -> bytes:
        compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        return compressor.compress(self.body) + compressor.flush()

    def answer(self, request: Request, fields: dict[str, str]) -> Response:
        """The content in the form that the client takes, or 304 when it has it already (RFC 9110, 13.1.2).

        The tags are strong, so each form has one of its own (8.8.3.3). It is the same content in both, so a client
        that has either needs neither.
        """
        gzip = request.accept_encodings["gzip"] > 0
        tag = f"{self._name}-gzip" if gzip else self._name
        has = request.if_none_match
        if has.contains_weak(self._name) or has.contains_weak(f"{self._name}-gzip"):
            response = Response(status=304, headers=fields)
        else:
            response = Response(self._gzipped if gzip else self.body, mimetype="application/json", headers=fields)
            if gzip:
                response.headers["Content-Encoding"] = "gzip"
        response.set_etag(tag)
        response.vary.add("Accept-Encoding")
        return response
