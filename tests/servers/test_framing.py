"""An answer with a Content-Length is as long as that says, whatever the application gives."""

from __future__ import annotations

from contextlib import closing

import pytest
from gevent import socket

from app.servers.framing import Response


class Pieces:
    """A WSGI body."""

    def __init__(self, *pieces: bytes) -> None:
        self.left = [*pieces]
        self.is_closed = False

    def __iter__(self) -> Pieces:
        return self

    def __next__(self) -> bytes:
        if not self.left:
            raise StopIteration
        return self.left.pop(0)

    def close(self) -> None:
        self.is_closed = True


def sent(pieces: Pieces, length: str, method: str = "GET") -> bytes:
    """The body that a client gets."""
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        response = Response(ours, method, is_http11=True, keep_alive=False)
        response.start("200 OK", [("Content-Length", length)])
        response.send_all(pieces)
        return bytes(theirs.recv(1000)).partition(b"\r\n\r\n")[2]


def test_a_body_that_is_whole_is_asked_for_nothing_more() -> None:
    """It is closed all the same."""
    pieces = Pieces(b"a", b"b", b"too much")
    assert sent(pieces, "2") == b"ab"
    assert pieces.left == [b"too much"]
    assert pieces.is_closed


def test_a_body_whose_head_alone_is_asked_for_is_read_to_its_end() -> None:
    pieces = Pieces(b"a", b"b")
    assert sent(pieces, "2", "HEAD") == b""
    assert not pieces.left


@pytest.mark.parametrize("given", [(b"abc",), (b"a", b"bc"), (b"a",)], ids=["longer", "longer at last", "shorter"])
def test_what_is_of_another_length_is_a_mistake(given: tuple[bytes, ...]) -> None:
    pieces = Pieces(*given)
    with pytest.raises(RuntimeError, match="than its Content-Length"):
        sent(pieces, "2")
    assert pieces.is_closed
