"""A wire to a Redis that can lose a connection in silence, as a firewall does that forgot it, or a reply."""

from __future__ import annotations

import contextlib
import socket
import threading


class Wire:
    """Carries bytes between clients and a Redis, until those of a connection that has subscribed are to get lost."""

    def __init__(self, redis_path: str) -> None:
        self.subscriptions = 0
        self._redis_path = redis_path
        self._sockets: list[socket.socket] = []
        self._cut: set[int] = set()
        self._subscribed: set[int] = set()
        self._lost_word, self._to_lose = b"", 0
        self._deaf: set[int] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_subscribers(self) -> None:
        """From now on nothing passes on their connections, and neither end is told."""
        self._cut |= self._subscribed

    def lose_replies(self, word: bytes, times: int) -> None:
        """Redis does what it is told; the next so many replies to what has this word are lost with the connection."""
        self._lost_word, self._to_lose = word, times

    def close(self) -> None:
        self._listener.close()
        for sock in self._sockets:
            sock.close()

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            number += 1
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._redis_path)
            self._sockets += [client, server]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._carry, args=(source, sink, number), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, number: int) -> None:
        try:
            while data := source.recv(65_536):
                if number in self._cut:
                    continue
                if number in self._deaf:
                    break
                if self._to_lose and self._lost_word in data:
                    self._to_lose -= 1
                    self._deaf.add(number)
                sink.sendall(data)
                if b"SUBSCRIBE" in data:
                    self._subscribed.add(number)
                    self.subscriptions += 1
        except OSError:
            pass
        if number not in self._cut:
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)
