"""Upstreams over TLS and over WebSocket, limits of the shared one, and stories of calls to channels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.channel_story import Story, Tell
from tests.support.gateway import GatewayProcess
from tests.support.own_redis import own_redis, own_server
from tests.support.tls import Authority, TlsUpstream
from tests.support.upstream import Upstream
from tests.support.websocket_upstream import SocketServer

__all__ = ["own_redis", "own_server"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate for localhost, made for this run, and its key."""
    return Authority(tmp_path_factory.mktemp("tls")).issue("localhost", "127.0.0.1", self_signed=True)


@pytest.fixture(scope="module")
def trusting(redis_url: str, certificate: Path) -> Iterator[GatewayProcess]:
    """A gateway that trusts the certificate."""
    process = GatewayProcess(redis_url, {"SSL_CERT_FILE": str(certificate)}).start()
    yield process
    process.stop()


@pytest.fixture
def secured(trusting: GatewayProcess, certificate: Path) -> Iterator[TlsUpstream]:
    """An upstream that the trusting gateway reaches over TLS under `/tls`."""
    server = TlsUpstream()
    server.context.load_cert_chain(certificate)
    trusting.map("/tls", server.url.replace("http://127.0.0.1", "https://localhost"))
    yield server
    server.close()


@pytest.fixture
def limit(gateway: GatewayProcess, upstream: Upstream) -> Iterator[Callable[..., None]]:
    """Sets limits of the mapping `/up`, and takes them back at the end."""

    def set_limits(**options: float) -> None:
        assert gateway.admin("PUT", "/api/mappings/up", {"options": options}).status == 200

    yield set_limits
    set_limits()


@pytest.fixture
def server(gateway: GatewayProcess) -> Iterator[SocketServer]:
    """An upstream that the shared gateway reaches under `/ws`, and that speaks WebSocket."""
    server = SocketServer()
    gateway.map("/ws", f"http://127.0.0.1:{server.port}/base")
    yield server
    server.close()


@pytest.fixture
def tell() -> Iterator[Tell]:
    """Begins a story of calls to channels, in process."""
    told: list[Story] = []

    def begin(*accounts: Any, **more: Any) -> Story:
        told.append(Story(*accounts, **more))
        return told[-1]

    yield begin
    for story in told:
        story.close()
