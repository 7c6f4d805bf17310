"""An upstream that speaks WebSocket, and how a client asks a gateway for it."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from typing import Any

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from tests.support.gateway import GatewayProcess


class SocketServer:
    """An upstream that speaks WebSocket: echoes, and does a few things on command."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.headers: list[Headers] = []
        self.closed: list[tuple[int | None, str]] = []
        self._server: Server = serve(
            self._talk,
            "127.0.0.1",
            0,
            max_size=64 * 1024 * 1024,
            select_subprotocol=lambda _, offered: offered[0] if offered else None,
            ping_interval=None,
        )
        self.port = self._server.socket.getsockname()[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _talk(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.paths.append(connection.request.path)
        self.headers.append(connection.request.headers)
        try:
            for message in connection:
                if message == "close 4321":
                    connection.close(4321, "as asked")
                elif message == "ping":
                    connection.send("pong" if connection.ping().wait(5) else "no pong")
                elif message == "vanish":
                    connection.socket.close()
                    return
                else:
                    connection.send(message)
        except ConnectionClosed:
            pass
        self.closed.append((connection.close_code, connection.close_reason or ""))

    def close(self) -> None:
        self._server.shutdown()


def ws_url(gateway: GatewayProcess, path: str = "/ws/v1/realtime?model=gpt-realtime") -> str:
    return f"ws://127.0.0.1:{gateway.port}{path}"


def handshake_refusal(sock: Any) -> tuple[int, str]:
    """Status and code of the error that answers a handshake."""
    with contextlib.closing(http.client.HTTPResponse(sock)) as response:
        response.begin()
        return response.status, json.loads(response.read())["error"]["code"]


HANDSHAKE = (
    b"Host: g\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def figures_of_switch(logged: GatewayProcess) -> dict[str, str]:
    """What the log line of the one WebSocket says, once it is whole."""
    [line] = (line for line in logged.log_with(" status=101 ").splitlines() if " status=101 " in line)
    return dict(part.split("=", 1) for part in line.split() if "=" in part)
