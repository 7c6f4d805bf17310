"""MariaDB and PostgreSQL of a test's own: on a unix socket and a free port of loopback, in a temporary folder.

Both are Debian's packages (mariadb-server, postgresql). Neither runs as root, nor may its folder be root's.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.certificate_files import CertificateFiles
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.errors import DatabaseAway
from app.wire.database_url import parse_database_url
from tests.support.gateway import free_port
from tests.support.waiting import wait_until
from tests.support.worker_process import children_of, has_ended

PASSWORD = "p@ss/w#rd?"
_MARIADBD = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
_QUOTED = "p%40ss%2Fw%23rd%3F"


@dataclass
class DatabaseServer:
    """A database `gateway`, and a user of that name whose password is PASSWORD."""

    kind: str
    folder: Path
    port: int
    command: Sequence[str]
    url: str
    stop_signal: signal.Signals
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Returns when it answers."""
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(self.command, stdout=log, stderr=log, **_as_somebody())
        log.close()
        wait_until(self._answers, f"{self.kind} answers: {self.folder / 'log'}", timeout_s=60)

    def kill(self) -> None:
        """kill -9 of the server, and of what it started."""
        children = children_of(self.process.pid)
        self.process.kill()
        self.process.wait()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            wait_until(partial(has_ended, child), "its processes are gone")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(self.stop_signal)
            self.process.wait(timeout=60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def pause(self) -> None:
        """It answers nothing and closes nothing, as after a network that was cut."""
        self._signal_all(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        for pid in self._pids():
            os.kill(pid, number)

    def _pids(self) -> list[int]:
        """The server's and those of its children."""
        return [self.process.pid, *children_of(self.process.pid)]

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with closing(self.database()) as database:
            try:
                database.run(lambda one: one.exec_driver_sql("SELECT 1"))
            except DatabaseAway:
                return False
        return True

    def database(self) -> WorkerDatabase:
        return WorkerDatabase(parse_database_url(self.url), CertificateFiles())


def mariadb(folder: Path) -> DatabaseServer:
    """Made, not started."""
    data, port = folder / "data", free_port()
    # One that starts removes what it finds of others' temporary tables.
    here = [f"--datadir={data}", f"--tmpdir={folder}"]
    _run(["mariadb-install-db", "--no-defaults", *here, "--auth-root-authentication-method=normal", "--skip-test-db"])
    said = [
        "FLUSH PRIVILEGES;",
        "CREATE DATABASE gateway;",
        f"CREATE USER gateway@'%' IDENTIFIED BY '{PASSWORD}';",
        "GRANT ALL ON gateway.* TO gateway@'%';",
    ]
    _run([_MARIADBD, "--no-defaults", *here, "--bootstrap"], given="\n".join(said).encode())
    command = [
        *(_MARIADBD, "--no-defaults", *here, f"--socket={folder}/s", f"--port={port}"),
        *("--bind-address=127.0.0.1", "--innodb-buffer-pool-size=64M", "--skip-name-resolve"),
    ]
    url = f"mysql://gateway:{_QUOTED}@127.0.0.1:{port}/gateway"
    return DatabaseServer("MariaDB", folder, port, command, url, signal.SIGTERM)


def postgresql(folder: Path) -> DatabaseServer:
    """Made, not started."""
    data, port = folder / "data", free_port()
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    (folder / "password").write_text(PASSWORD)
    _run(
        [
            *(str(programs / "initdb"), f"--pgdata={data}", "--username=gateway", f"--pwfile={folder}/password"),
            *("--auth=scram-sha-256", "--no-locale", "--encoding=UTF8", "--no-sync"),
        ]
    )
    command = [
        *(str(programs / "postgres"), "-D", str(data), "-p", str(port), "-k", str(folder)),
        *("-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=64MB"),
    ]
    url = f"postgres://gateway:{_QUOTED}@127.0.0.1:{port}/postgres"
    return DatabaseServer("PostgreSQL", folder, port, command, url, signal.SIGINT)


SERVERS: dict[str, Callable[[Path], DatabaseServer]] = {"mariadb": mariadb, "postgresql": postgresql}


DATABASE_KINDS = [
    "sqlite",
    *(pytest.param(name, marks=[pytest.mark.soak, pytest.mark.timeout(300)]) for name in SERVERS),
]
"""For tests of all three: servers take long to start."""


def new_server(name: str) -> DatabaseServer:
    """Started, and empty."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-db-"))
    if who := _somebody():
        os.chown(folder, who.pw_uid, who.pw_gid)
    server = SERVERS[name](folder)
    server.start()
    return server


def _somebody() -> pwd.struct_passwd | None:
    """Who is no root, where we are."""
    return pwd.getpwnam("nobody") if os.getuid() == 0 else None


def _as_somebody() -> dict[str, Any]:
    who = _somebody()
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []} if who else {}


def _run(command: Sequence[str], given: bytes = b"") -> None:
    done = subprocess.run(command, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **_as_somebody())
    assert done.returncode == 0, done.stdout.decode()
