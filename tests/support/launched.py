"""A whole gateway as operators start it, `python -m app`, in a project directory of its own."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.storage.connections import MAPPINGS, MAPPINGS_UPDATES, open_redis
from app.storage.embedded import embedded_url
from tests.support.gateway import free_port
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("app", "worker", "admin_ui", "scripts", "gunicorn.conf.py")
NEEDS_PROC = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes under /proc")


class Launched:
    """A `python -m app` with its own project directory, data and port."""

    def __init__(self, project: Path, log: Path, **environ: str) -> None:
        self.environ = project_environ(project) | environ
        self.port = int(self.environ["PORT"])
        self.data_dir = Path(self.environ["DATA_DIR"])
        self.log = log
        with log.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app"],
                cwd=project,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def health(self) -> int | None:
        """The status of /health; None when nobody answers."""
        try:
            with self.get("/health") as reply:
                reply.read()
                return reply.status
        except OSError:
            return None

    def until_healthy(self) -> Launched:
        wait_until(lambda: self.process.poll() is not None or self.health() == 200, "the gateway is healthy", 20)
        assert self.process.poll() is None, self.said()
        return self

    @contextlib.contextmanager
    def get(self, path: str) -> Iterator[http.client.HTTPResponse]:
        """An answer whose body is still to be read."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request("GET", path)
            with connection.getresponse() as reply:
                yield reply

    def map(self, prefix: str, target: str) -> None:
        """Adds a mapping in Redis and says so to the web processes, which would else find it at their next look."""
        with open_redis(embedded_url(self.data_dir)) as client:
            client.hset(MAPPINGS, prefix, target)
            client.publish(MAPPINGS_UPDATES, "mapping_added")

        def arrived() -> bool:
            with self.get(f"{prefix}/") as reply:
                return reply.status != 404

        wait_until(arrived, f"{prefix} is mapped", 20)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(40)

    def processes(self) -> dict[int, str]:
        """All live processes of this gateway and their command lines."""
        return {pid: line for pid, line in processes_about(str(self.data_dir)) if pid != os.getpid()}

    def pid_of(self, word: str) -> int:
        """The process whose command line holds the word, as its parent's does not."""
        having = {pid for pid, line in self.processes().items() if word in line}
        return next(pid for pid in having if parent_of(pid) not in having)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def processes_about(text: str) -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            about = line + (entry / "environ").read_text(errors="replace")
            if text in about and line:
                yield int(entry.name), line


def project_environ(project: Path) -> dict[str, str]:
    """Nothing of the tester's own settings; blank wins over a `.env` too."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | {"DATA_DIR": str(project / "data"), "HOST": "127.0.0.1", "PORT": str(free_port())}


def copy_parts(project: Path) -> None:
    """With what Python has compiled, or each process would do that anew; but for what it is just writing."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, project / part, ignore=shutil.ignore_patterns("*.pyc.*"))
        else:
            shutil.copy(source, project / part)


Launch = Callable[..., Launched]


def ask(project: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """What `python -m` answers that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=project,
        env=project_environ(project) | environ,
        capture_output=True,
        text=True,
        timeout=20,
    )
