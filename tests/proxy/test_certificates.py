"""Whose certificates are trusted, and what the 502 says of one that is not."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.certificate_files import CertificateFiles
from app.config import Config, ConfigError, load_config
from app.core.errors import UpstreamFault
from app.core.network.egress import EgressPolicy, parse_entries
from app.core.routing import parse_mapping
from app.proxy.upstream.certificates import verifying_context
from app.proxy.upstream.dialing import Dialer, OwnAddress
from tests.support.gateway import GatewayProcess
from tests.support.tls import Authority, TlsUpstream, server_context
from tests.support.upstream import Upstream


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Upstream]]:
    """Starts an upstream that shows a certificate."""
    started: list[Upstream] = []

    def start(certificate: Path) -> Upstream:
        started.append(TlsUpstream(context=server_context(certificate)))
        return started[-1]

    yield start
    for one in started:
        one.close()


def connect(port: int, files: CertificateFiles, host: str = "localhost", timeout_s: float = 5) -> None:
    """Raises UpstreamFault."""
    egress = EgressPolicy(parse_entries("127.0.0.1,localhost"))
    dialer = Dialer(egress, OwnAddress("127.0.0.1", 0), tls=verifying_context(files))
    dialer.dial(parse_mapping("/x", f"https://{host}:{port}").upstream, timeout_s).close()


def fault(port: int, files: CertificateFiles, host: str = "localhost") -> str:
    with pytest.raises(UpstreamFault) as caught:
        connect(port, files, host)
    assert (caught.value.status, caught.value.code) == (502, "upstream_unreachable")
    assert caught.value.message.startswith(f"no connection to {host}:{port}: ")
    return caught.value.message


@pytest.mark.parametrize(
    ("options", "trusts", "says"),
    [
        ({"begins_days": -2, "ends_days": -1}, True, "has expired"),
        ({"begins_days": 1, "ends_days": 2}, True, "not valid yet"),
        ({"names": ("other.test",)}, True, "for another name"),
        ({"self_signed": True}, False, "self-signed; if it is the right one, the operator can trust it with CA_FILE"),
        (
            {},
            False,
            "issuer of its certificate is unknown here; if it is a private one, the operator can trust it with",
        ),
        ({"chain": True}, False, "an authority that is not trusted here .* CA_FILE"),
    ],
)
def test_the_502_says_what_is_wrong_with_a_certificate(
    authority: Authority, serve: Callable[[Path], Upstream], options: dict[str, Any], trusts: bool, says: str
) -> None:
    """Each usual fault of a certificate is told in words, with what to do where the operator can do something."""
    options = {"names": ("localhost",), "chain": False} | options
    names, chain = options.pop("names"), options.pop("chain")
    certificate = authority.issue(*names, file="case.pem", **options)
    if chain:
        certificate.write_bytes(certificate.read_bytes() + authority.file.read_bytes())
    files = CertificateFiles(added=authority.file if trusts else None)
    text = fault(serve(certificate).port, files)
    assert re.search(says, text)


def test_an_address_that_the_certificate_does_not_name_is_another_name(
    authority: Authority, serve: Callable[[Path], Upstream]
) -> None:
    """A target that is an address must stand in the certificate as one."""
    text = fault(serve(authority.issue("localhost")).port, CertificateFiles(added=authority.file), "127.0.0.1")
    assert "for another name" in text


@pytest.mark.parametrize("kind", ["authority", "self-signed"])
@pytest.mark.parametrize("by", ["added", "file", "bundle", "folder", "folders", "bundle folder"])
def test_what_the_operator_names_is_trusted(
    authority: Authority, serve: Callable[[Path], Upstream], tmp_path: Path, kind: str, by: str
) -> None:
    """CA_FILE, SSL_CERT_FILE, SSL_CERT_DIR and REQUESTS_CA_BUNDLE trust an authority, or a server's own certificate.

    SSL_CERT_DIR may name several directories, as OpenSSL has it, of which some are missing.
    """
    shown = authority.issue("localhost", self_signed=kind == "self-signed")
    trusted = shown if kind == "self-signed" else authority.file
    if "folder" in by:
        put_into(tmp_path, trusted)
        trusted = tmp_path
        (tmp_path / "other").mkdir()
    told = {
        "folder": {"SSL_CERT_DIR": trusted},
        "folders": {"SSL_CERT_DIR": f"{tmp_path / 'other'}:{tmp_path / 'missing'}:{trusted}"},
        "bundle": {"REQUESTS_CA_BUNDLE": trusted},
        "added": {"CA_FILE": trusted},
        "file": {"SSL_CERT_FILE": trusted},
    }[by.split(" ")[0]]
    files = load_config({name: str(path) for name, path in told.items()}).certificate_files
    connect(serve(shown).port, files)


def put_into(folder: Path, certificate: Path) -> None:
    """As `openssl rehash` does."""
    text = certificate.read_text()
    pem = text[text.index("-----BEGIN CERTIFICATE") :]
    command = ["openssl", "x509", "-hash", "-noout"]
    named = subprocess.run(command, input=pem, capture_output=True, text=True, check=True).stdout.strip()
    (folder / f"{named}.0").write_text(pem)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Path, Path]:
    """The file and the folder of the system's store. The file does not exist, and the folder is empty."""
    file, folder = tmp_path / "cert.pem", tmp_path / "certs"
    folder.mkdir()
    paths = ssl.get_default_verify_paths()._replace(openssl_cafile=str(file), openssl_capath=str(folder))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    return file, folder


@pytest.mark.parametrize(
    ("in_file", "in_folder", "held"), [("a", "", 1), ("", "a", 0), ("ab", "b", 2), ("a", "ab", 0), ("ab", "ab", 0)]
)
def test_the_systems_store_is_trusted_whole(
    store: tuple[Path, Path], tmp_path: Path, serve: Callable[[Path], Upstream], in_file: str, in_folder: str, held: int
) -> None:
    """Be it a file, a folder, or both. A file that stands in the folder, too, takes no memory."""
    authorities = {name: Authority(tmp_path, f"Authority {name}") for name in "ab"}
    if in_file:
        store[0].write_text("".join(authorities[name].file.read_text() for name in in_file))
    for name in in_folder:
        put_into(store[1], authorities[name].file)
    assert len(verifying_context().get_ca_certs()) == held
    for name in {*in_file, *in_folder}:
        connect(serve(authorities[name].issue("localhost")).port, CertificateFiles())


@pytest.mark.parametrize("why", ["a gap", "a folder nobody may list", "a file of several"])
def test_a_file_is_trusted_where_the_folder_may_not_do(
    store: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """OpenSSL finds nothing behind a link that leads nowhere, and one certificate of a file."""
    first, second = (Authority(tmp_path, f"Authority {name}").file.read_text() for name in "ab")
    put_into(store[1], tmp_path / "Authority a.pem")
    store[0].write_text(first)
    named = next(store[1].iterdir())
    if why == "a gap":
        named.rename(named.with_suffix(".1"))
        named.symlink_to("removed.pem")
    elif why == "a file of several":
        named.write_text(second + first)
    else:
        monkeypatch.setattr(Path, "iterdir", forbidden)
    assert len(verifying_context().get_ca_certs()) == 1


def forbidden(folder: Path) -> Iterator[Path]:
    raise PermissionError(folder)


def test_ca_file_adds_and_a_bundle_replaces(
    store: tuple[Path, Path], authority: Authority, tmp_path: Path, serve: Callable[[Path], Upstream]
) -> None:
    """With CA_FILE the system's authorities stay trusted; REQUESTS_CA_BUNDLE stands in place of them all."""
    system = Authority(tmp_path, "The System's")
    put_into(store[1], system.file)
    of_system, private = serve(system.issue("localhost")).port, serve(authority.issue("localhost")).port
    for port in (of_system, private):
        connect(port, CertificateFiles(added=authority.file))
    connect(private, CertificateFiles(bundle=authority.file))
    assert "issuer of its certificate is unknown" in fault(of_system, CertificateFiles(bundle=authority.file))


@pytest.mark.parametrize("there", ["nothing", "an empty directory"])
def test_an_empty_store_is_replaced_by_certifis(store: tuple[Path, Path], authority: Authority, there: str) -> None:
    """Where the system trusts nobody, as python.org's Python on macOS, certifi's authorities are trusted."""
    if there == "nothing":
        store[1].rmdir()
    assert len(verifying_context().get_ca_certs()) > 50
    if there == "an empty directory":
        put_into(store[1], authority.file)
        assert not verifying_context().get_ca_certs(), "a store that is not empty is used as it is"


@pytest.mark.parametrize("name", ["CA_FILE", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
def test_a_file_that_cannot_be_used_stops_the_start(tmp_path: Path, name: str) -> None:
    """A file that is not there or holds no certificate is a ConfigError that names variable and file."""
    nothing = tmp_path / "none"
    with pytest.raises(ConfigError, match=f"^{name}=.*none.*cannot be read: No such file"):
        load_config({name: str(nothing)})
    nothing.write_text("no certificate")
    says = "cannot be read: Not a directory" if name == "SSL_CERT_DIR" else "no certificate in PEM form"
    with pytest.raises(ConfigError, match=f"^{name}=.*{says}"):
        load_config({name: str(nothing)})
    with pytest.raises(ConfigError, match=f"^{name}=.*cannot be read: File name too long"):
        load_config({name: "x" * 300})


def test_nothing_switches_the_checks_off() -> None:
    """The context checks certificate and name whatever files are named, and no setting says otherwise."""
    context = verifying_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert not [name for name in Config.__dataclass_fields__ if "insecure" in name or "upstream_verify" in name]


def test_a_handshake_that_never_ends_is_called_one() -> None:
    """A server that takes the connection and says nothing is told as a handshake that did not end."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(UpstreamFault, match=r"the TLS handshake did not end within 0\.2 s"),
    ):
        connect(listener.getsockname()[1], CertificateFiles(), timeout_s=0.2)


def test_what_does_not_speak_tls_is_told(serve: Callable[[Path], Upstream]) -> None:
    """A plain port under https:// is told as that, and so is an end in the middle of the handshake."""
    plain = Upstream(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    ends = Upstream(lambda peer: None)
    try:
        assert "does not speak TLS at this port" in fault(plain.port, CertificateFiles())
        assert "broke off the TLS handshake" in fault(ends.port, CertificateFiles())
    finally:
        plain.close()
        ends.close()


def test_the_caller_reads_what_is_wrong(
    gateway: GatewayProcess, authority: Authority, serve: Callable[[Path], Upstream]
) -> None:
    """The answer of a running gateway holds the words."""
    port = serve(authority.issue("localhost", self_signed=True)).port
    gateway.map("/tls-wrong", f"https://127.0.0.1:{port}")
    reply = gateway.request("GET", "/tls-wrong/x")
    assert reply.status == 502
    assert "its certificate is self-signed" in reply.json()["error"]["message"]


def test_an_upstream_that_wants_a_certificate_of_its_client_is_told(
    start_gateway: Callable[..., GatewayProcess], authority: Authority
) -> None:
    """With TLS 1.3 it says so after the handshake, in place of an answer."""
    context = server_context(authority.issue("localhost"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    with contextlib.closing(TlsUpstream(context=context)) as upstream:
        own = start_gateway(CA_FILE=str(authority.file), EGRESS_ALLOW="127.0.0.1,localhost")
        own.map("/mutual", f"https://localhost:{upstream.port}")
        reply = own.request("GET", "/mutual/x")
    assert reply.status == 502
    assert "it wants a certificate of whoever calls it" in reply.json()["error"]["message"]
