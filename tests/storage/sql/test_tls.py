"""Connections to servers are encrypted and their certificates are looked at, as the URL says."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from app.certificate_files import CertificateFiles
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.errors import DatabaseAway
from app.wire.database_url import parse_database_url
from tests.support.database_servers import SERVERS, DatabaseServer, new_server
from tests.support.tls import Authority

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]

ASKS = {
    "MariaDB": "SELECT VARIABLE_VALUE != '' FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'",
    "PostgreSQL": "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
}
"""Whether the connection is encrypted."""


@pytest.fixture(params=list(SERVERS))
def server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    server = new_server(request.param)
    yield server
    server.stop()


def is_encrypted(server: DatabaseServer, query: str, authority: Path | None = None) -> bool:
    """Of a connection by the server's URL with this query. Raises DatabaseAway."""
    url, certificates = parse_database_url(f"{server.url}?{query}"), CertificateFiles(added=authority)
    with closing(WorkerDatabase(url, certificates)) as database:
        return bool(database.run(lambda one: one.scalar(text(ASKS[server.kind]))))


def test_a_server_without_tls_is_refused_where_tls_is_asked_for(server: DatabaseServer) -> None:
    """Without a word it is used as it is."""
    assert not is_encrypted(server, "")
    for query in ("sslmode=require", "tls=true"):
        with pytest.raises(DatabaseAway):
            is_encrypted(server, query)


def test_certificates_are_checked_where_that_is_asked_for(server: DatabaseServer, tmp_path: Path) -> None:
    """By the authority of CA_FILE, or one that the URL names; a stranger's is taken where nobody asks."""
    ours, strangers = Authority(tmp_path), Authority(tmp_path, "Stranger")
    show(server, ours.issue("127.0.0.1"))
    assert is_encrypted(server, "")
    assert is_encrypted(server, "tls=skip-verify")
    assert is_encrypted(server, "tls=true", ours.file)
    assert is_encrypted(server, f"sslmode=verify-full&sslrootcert={ours.file}")
    with pytest.raises(DatabaseAway, match="certificate"):
        is_encrypted(server, "tls=true", strangers.file)


def show(server: DatabaseServer, certificate: Path) -> None:
    """Starts the server anew with a file that holds certificate and key."""
    folder = Path(tempfile.mkdtemp(dir=server.folder))
    shutil.copy(certificate, folder / "both.pem")
    for path in (folder, folder / "both.pem"):
        os.chown(path, server.folder.stat().st_uid, server.folder.stat().st_gid)
    (folder / "both.pem").chmod(0o600)
    server.kill()
    both = folder / "both.pem"
    if server.kind == "MariaDB":
        server.command = [*server.command, f"--ssl-cert={both}", f"--ssl-key={both}"]
    else:
        told = ("-c", "ssl=on", "-c", f"ssl_cert_file={both}", "-c", f"ssl_key_file={both}")
        server.command = [*server.command, *told]
    server.start()
