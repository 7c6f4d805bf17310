"""A request that no client sent, in the form in which clients' come."""

from __future__ import annotations

from app.proxy.messages import Inbound
from app.wire.http.headers import Headers


class _Bytes:
    """A body that is there: see proxy.messages.BodyReader."""

    def __init__(self, data: bytes) -> None:
        self.length = len(data)
        self._left = data

    @property
    def at_end(self) -> bool:
        return not self._left

    def read1(self, size: int) -> bytes:
        data, self._left = self._left[:size], self._left[size:]
        return data


def own_inbound(method: str, fields: Headers, body: bytes, request_id: str = "", client: str = "") -> Inbound:
    """`client`: the address for whom we ask."""
    framed = [("Host", "gateway"), *fields, ("Content-Length", str(len(body)))]
    return Inbound(request_id, method, framed, "", _Bytes(body), False, client, None, "", None, None)
