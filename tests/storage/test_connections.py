"""Redis over TLS, as managed services offer it."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.core.network.addresses import mask_url
from app.storage.connections import Redis, RedisError, open_redis
from app.tcp_keepalive import TcpKeepalive
from tests.support.own_redis import EmbeddedRedis


def self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "managed.example")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "redis.pem"
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return file


def pipe(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        sink.close()


@pytest.fixture
def tls_url(own_server: EmbeddedRedis, tmp_path: Path) -> Iterator[str]:
    """A real Redis behind TLS with a certificate that nobody vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))

    def serve(plain: socket.socket) -> None:
        try:
            client = context.wrap_socket(plain, server_side=True)
        except OSError:
            plain.close()
            return
        backend = socket.socket(socket.AF_UNIX)
        backend.connect(str(own_server.socket))
        threading.Thread(target=pipe, args=(backend, client), daemon=True).start()
        pipe(client, backend)

    def accept() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(plain,), daemon=True).start()

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, daemon=True).start()
    yield f"rediss://:secret@127.0.0.1:{listener.getsockname()[1]}/0"
    listener.close()


def test_a_self_signed_redis_is_refused_unless_allowed(tls_url: str) -> None:
    """REDIS_TLS_VERIFY=false accepts the self-signed certificate of a managed Redis; the default does not."""
    url = tls_url.replace(":secret@", "")
    with open_redis(url, tls_verify=False) as client:
        assert client.ping()
    with open_redis(url) as client, pytest.raises(RedisError):
        client.ping()


def test_a_connection_says_whose_it_is(redis_client: Redis) -> None:
    """And no version, which redis-py would read from the disk each time, and hold others up for some ms."""
    told = redis_client.client_info()
    assert (told["lib-name"], told["lib-ver"]) == ("ai-api-gateway", "")


def test_a_password_is_never_shown(tls_url: str) -> None:
    """A URL that goes into a message has its password hidden."""
    assert "secret" not in mask_url(tls_url)
    assert mask_url(tls_url).startswith("rediss://:***@127.0.0.1:")


def test_the_kernel_asks_a_silent_redis(tls_url: str) -> None:
    """Connections to Redis over TCP carry the deployment's keepalive."""
    keepalive = TcpKeepalive(7, 3, 2)
    url = tls_url.replace(":secret@", "")
    with open_redis(url, tls_verify=False, tcp_keepalive=keepalive) as client:
        assert client.ping()
        connection = client.connection_pool.get_connection()
        sock = connection._sock
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        told = {option: sock.getsockopt(socket.IPPROTO_TCP, option) for option in keepalive.options()}
        assert told == keepalive.options()
        client.connection_pool.release(connection)
