"""Answers as raw bytes of a connection, read as strictly as `http.client` can."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading

from tests.support.gateway import receive_all


class Answer:
    """One answer taken from a connection, read as strictly as `http.client` can."""

    def __init__(self, sock: socket.socket, method: str = "GET") -> None:
        response = http.client.HTTPResponse(Unread(sock), method=method)  # type: ignore[arg-type]
        with contextlib.closing(response):
            response.begin()
            self.status = response.status
            self.fields = {name.lower(): value for name, value in response.getheaders()}
            self.body = response.read()

    def told(self) -> dict[str, object]:
        """What the echoing upstream saw."""
        told: dict[str, object] = json.loads(self.body)
        return told

    @property
    def line(self) -> object:
        return self.told()["line"]


class Unread:
    """A socket whose file takes byte by byte, so that the next answer stays on the connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, mode: str) -> object:
        return self._sock.makefile(mode, buffering=0)


def answers(data: bytes, methods: list[str]) -> tuple[list[Answer], bytes]:
    """The answers in `data`, one for each method, and what follows them."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        threading.Thread(target=lambda: (theirs.sendall(data), theirs.shutdown(socket.SHUT_WR))).start()
        found = [Answer(ours, method) for method in methods]
        return found, receive_all(ours)


def body_of(data: bytes) -> bytes:
    """The body of the one answer in `data`. Raises IncompleteRead when it is broken off."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        thread = threading.Thread(target=lambda: (theirs.sendall(data), theirs.shutdown(1)))
        thread.start()
        with contextlib.closing(http.client.HTTPResponse(ours)) as response:
            response.begin()
            body = response.read()
        thread.join()
    return body
