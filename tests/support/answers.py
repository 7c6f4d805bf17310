"""What a web site answers, and what comes of it behind the gateway."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.gateway import Reply
from tests.support.upstream import Peer

HTML = "Content-Type: text/html; charset=utf-8\r\n"


def answering(body: bytes, fields: str = HTML, status: str = "200 OK") -> Callable[[Peer], None]:
    """One answer to a connection, so that the next request finds the handler of its time."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.answer(body, status, f"{fields}Connection: close\r\n")

    return handler


def values(reply: Reply, name: str) -> list[str]:
    """Those of all fields of that name (in lower case)."""
    return [value for key, value in reply.fields if key.lower() == name]
