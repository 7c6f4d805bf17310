"""Redis servers that forget, follow each other and stand behind an address that may lead elsewhere."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from app.storage.connections import Redis, RedisError, open_redis
from app.storage.embedded import find_server
from tests.support.gateway import free_port
from tests.support.waiting import wait_until


class BareRedis:
    """A Redis on a TCP port that keeps nothing on its disk unless told to."""

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir(exist_ok=True)
        self.dump = folder / "dump.rdb"
        """What `SAVE` writes, and what the next start reads."""
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._command = [str(find_server()), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._command += ["--dir", str(folder), "--repl-diskless-sync-delay", "0", *options]
        self.client: Redis = open_redis(self.url)
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.answers, "the server answers")

    def answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except RedisError:
            return False

    def follow(self, primary: BareRedis) -> None:
        self.client.replicaof("127.0.0.1", str(primary.port))
        wait_until(lambda: self.client.info("replication").get("master_link_status") == "up", "it follows")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        self.client.close()


class Address:
    """Where clients think that Redis is. Connections stay with the server that they were made to."""

    def __init__(self, server: BareRedis) -> None:
        self.server = server
        self.connections: list[tuple[socket.socket, BareRedis]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def open_to(self, server: BareRedis) -> int:
        """Connections to that server which are open."""
        return sum(sock.fileno() >= 0 and to is server for sock, to in self.connections)

    def close(self) -> None:
        self._listener.close()
        for sock, _ in self.connections:
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                redis = socket.create_connection(("127.0.0.1", self.server.port))
            except OSError:
                client.close()
                continue
            self.connections.append((client, self.server))
            for source, sink in ((client, redis), (redis, client)):
                threading.Thread(target=_carry, args=(source, sink), daemon=True).start()


Pair = tuple[Address, BareRedis, BareRedis]


@contextlib.contextmanager
def primary_and_replica(folder: Path) -> Iterator[Pair]:
    """An address that leads to a primary, the primary, and its replica."""
    first, second = BareRedis(folder / "first"), BareRedis(folder / "second")
    second.follow(first)
    address = Address(first)
    yield address, first, second
    address.close()
    first.close()
    second.close()


def promote(address: Address, old: BareRedis, new: BareRedis, *, address_follows: bool = True) -> None:
    new.client.replicaof("NO", "ONE")
    old.follow(new)
    if address_follows:
        address.server = new


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for sock in (source, sink):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()
