"""`python -m app` as a real process: it starts, tends and stops everything, or says why it cannot."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.storage.connections import MAPPINGS, MAPPINGS_UPDATES, MAPPINGS_VERSION, open_redis
from app.storage.embedded import embedded_url
from tests.support.gateway import free_port, wait_until
from tests.support.upstream import Peer, Upstream

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("app", "worker", "admin_ui", "scripts", "gunicorn.conf.py")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes under /proc")


class Launched:
    """A `python -m app` with its own project directory, data and port."""

    def __init__(self, project: Path, log: Path, **environ: str) -> None:
        self.environ = clean_environ(project) | environ
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
        return {pid: line for pid, line in _processes_about(str(self.data_dir)) if pid != os.getpid()}

    def pid_of(self, word: str) -> int:
        """The oldest process whose command line holds the word."""
        return min(pid for pid, line in self.processes().items() if word in line)


def _processes_about(text: str) -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            about = line + (entry / "environ").read_text(errors="replace")
            if text in about and line:
                yield int(entry.name), line


def clean_environ(project: Path) -> dict[str, str]:
    """Nothing of the tester's own settings; blank wins over a `.env` too."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | {"DATA_DIR": str(project / "data"), "HOST": "127.0.0.1", "PORT": str(free_port())}


@pytest.fixture
def project() -> Iterator[Path]:
    """A copy of what the gateway needs to run, so that it may have a `.env` of its own.

    Its path is short, so that the Redis socket stands in it, by which its process is found.
    """
    with TemporaryDirectory(prefix="gateway", ignore_cleanup_errors=True) as directory:
        project = Path(directory)
        copy_parts(project)
        yield project


def copy_parts(project: Path) -> None:
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, project / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, project / part)


@pytest.fixture
def launch(project: Path, tmp_path: Path) -> Iterator[Callable[..., Launched]]:
    """Starts gateways, and leaves nothing of them behind."""
    started: list[Launched] = []

    def start(**environ: str) -> Launched:
        started.append(Launched(project, tmp_path / f"log{len(started)}", **environ))
        return started[-1]

    yield start
    for one in started:
        for pid in (one.process.pid, *one.processes()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        one.process.wait(10)


Launch = Callable[..., Launched]


def test_one_command_starts_everything_and_sigterm_ends_all_of_it(launch: Launch) -> None:
    """Redis, worker and web run after the start; SIGTERM ends them with code 0 and leaves no process."""
    gateway = launch(ADMIN_TOKEN="very-secret-word").until_healthy()
    wait_until(lambda: "dashboard" in gateway.said(), "the welcome", 20)
    running = " ".join(gateway.processes().values())
    assert "valkey-server" in running or "redis-server" in running
    assert "-m worker" in running
    assert "gunicorn" in running
    assert gateway.stop() == 0, gateway.said()
    assert gateway.processes() == {}
    said = gateway.said()
    assert f"http://127.0.0.1:{gateway.port}/admin" in said
    assert "ADMIN_TOKEN in the environment" in said
    assert "  way out     direct\n" in said
    assert "very-secret-word" not in said
    assert "they may go on" not in said
    assert "Traceback" not in said
    assert "Warning" not in said


def test_the_stop_goes_web_then_worker_then_redis(launch: Launch) -> None:
    """When the worker ends the web is gone, and when Redis ends the worker is gone."""
    gateway = launch().until_healthy()
    wait_until(lambda: any("-m worker" in line for line in gateway.processes().values()), "the worker runs")
    gateway.process.send_signal(signal.SIGTERM)
    order: list[frozenset[str]] = []
    while gateway.process.poll() is None:
        lines = " ".join(gateway.processes().values())
        alive = frozenset(word for word in ("gunicorn", "-m worker", "unixsocket") if word in lines)
        if not order or order[-1] != alive:
            order.append(alive)
    for alive in order:
        if "gunicorn" in alive:
            assert alive >= {"-m worker", "unixsocket"}
        if "-m worker" in alive:
            assert "unixsocket" in alive


def test_a_stream_in_flight_ends_whole(launch: Launch) -> None:
    """A stream that runs at SIGTERM is delivered to its end, and no new client is served."""
    told_to_stop = threading.Event()

    def handler(peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            if seen.target != "/stream":
                peer.answer(b"mapped")
                continue
            peer.begin_stream()
            for number in range(5):
                peer.send_chunk(b"data: %d\n\n" % number)
                if number == 1:
                    assert told_to_stop.wait(20)
            peer.end_stream()

    upstream = Upstream(handler)
    gateway = launch(EGRESS_ALLOW="127.0.0.1").until_healthy()
    gateway.map("/up", upstream.url)
    with gateway.get("/up/stream") as reply:
        assert reply.readline() == b"data: 0\n"
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: gateway.health() is None, "new clients are refused")
        assert gateway.process.poll() is None
        told_to_stop.set()
        assert reply.read() == b"\n" + b"".join(b"data: %d\n\n" % number for number in range(1, 5))
    assert gateway.process.wait(40) == 0
    assert gateway.processes() == {}
    upstream.close()


def test_a_stream_that_does_not_end_is_cut_after_its_time(launch: Launch) -> None:
    """A stream may go on for GRACEFUL_TIMEOUT, is then broken visibly, and is counted all the same."""

    def handler(peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            if seen.target != "/stream":
                peer.answer(b"mapped")
                continue
            peer.begin_stream()
            peer.send_chunk(b"first\n")
            peer.wait_closed(60)

    upstream = Upstream(handler)
    gateway = launch(EGRESS_ALLOW="127.0.0.1", GRACEFUL_TIMEOUT="2").until_healthy()
    gateway.map("/up", upstream.url)
    with gateway.get("/up/stream") as reply:
        assert reply.readline() == b"first\n"
        gateway.process.send_signal(signal.SIGTERM)
        asked_at = time.monotonic()
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            reply.read()
        assert 1.5 < time.monotonic() - asked_at < 4.5
    assert gateway.process.wait(20) == 0
    assert gateway.processes() == {}
    again = launch(EGRESS_ALLOW="127.0.0.1").until_healthy()
    with again.get("/stats") as reply:
        assert json.loads(reply.read())["endpoints"]["/up"]["count"] == 2  # one told that the mapping had arrived
    upstream.close()


def test_a_second_signal_cuts_the_streams_short(launch: Launch) -> None:
    """A stream that never ends holds the stop up until it is asked for again."""

    def handler(peer: Peer) -> None:
        if (seen := peer.read_request()) is not None and seen.target == "/stream":
            peer.begin_stream()
            peer.send_chunk(b"first\n")
            peer.wait_closed(60)
        peer.answer(b"mapped")

    upstream = Upstream(handler)
    gateway = launch(EGRESS_ALLOW="127.0.0.1", GRACEFUL_TIMEOUT="50").until_healthy()
    gateway.map("/up", upstream.url)
    with gateway.get("/up/stream") as reply:
        assert reply.readline() == b"first\n"
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: gateway.health() is None, "new clients are refused")
        wait_until(lambda: "calls in flight: 1; they may go on for 50 s" in gateway.said(), "it says what it waits for")
        wait_until(
            lambda: "Ctrl-C (or SIGTERM) once more cuts the calls in flight" in gateway.said(), "it says what would do"
        )
        assert gateway.stop(signal.SIGINT) == 0
        assert gateway.processes() == {}
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            reply.read()
    upstream.close()


def test_data_are_kept_over_a_restart(launch: Launch) -> None:
    """What was in the embedded Redis before a stop is there after the next start."""
    gateway = launch().until_healthy()
    with open_redis(embedded_url(gateway.data_dir)) as client:
        assert client.hlen(MAPPINGS) == 21
        client.hset(MAPPINGS, "/mine", "https://mine.example")
    assert gateway.stop() == 0
    gateway = launch().until_healthy()
    with open_redis(embedded_url(gateway.data_dir)) as client:
        assert client.hget(MAPPINGS, "/mine") == b"https://mine.example"
    assert gateway.stop() == 0


def test_an_operator_who_deleted_the_defaults_does_not_get_them_back(launch: Launch) -> None:
    """The default mappings are seeded once and never again."""
    gateway = launch().until_healthy()
    with open_redis(embedded_url(gateway.data_dir)) as client:
        client.delete(MAPPINGS)
    assert gateway.stop() == 0
    gateway = launch().until_healthy()
    with open_redis(embedded_url(gateway.data_dir)) as client:
        assert client.exists(MAPPINGS) == 0
        assert client.exists(MAPPINGS_VERSION) == 1


def test_the_environment_wins_over_the_env_file(launch: Launch, project: Path) -> None:
    """A variable in the environment counts more than the same one in `.env`; one only there counts too."""
    (project / ".env").write_text("PORT=1\nADMIN_TOKEN=from-the-file\n")
    gateway = launch().until_healthy()
    wait_until(lambda: "ADMIN_TOKEN in " + str(project / ".env") in gateway.said(), "the welcome", 20)
    assert gateway.stop() == 0


def test_the_banner_names_the_way_out_without_its_password(launch: Launch) -> None:
    """Whoever starts the gateway sees through which proxy it reaches upstreams; no process says the password."""
    gateway = launch(HTTPS_PROXY="http://me:hush@proxy.test:3128").until_healthy()
    wait_until(lambda: "way out     http://proxy.test:3128 for https://\n" in gateway.said(), "the welcome", 20)
    assert gateway.stop() == 0
    assert "hush" not in gateway.said()


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "eighty"), ("WEB_CONCURRENCY", "0"), ("REDIS_URL", "http://x:hush@y"), ("CORS", "maybe")],
)
def test_a_wrong_value_is_named_and_ends_the_start(project: Path, launch: Launch, name: str, value: str) -> None:
    """A variable that cannot be read ends the start with 1 and a line that names it; passwords stay hidden."""
    command = subprocess.run(
        [sys.executable, "-m", "app"],
        cwd=project,
        env=clean_environ(project) | {name: value},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert command.returncode == 1
    assert name in command.stderr
    assert "hush" not in command.stderr
    assert "Traceback" not in command.stderr


def ask(project: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """What `python -m` answers that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=project,
        env=clean_environ(project) | environ,
        capture_output=True,
        text=True,
        timeout=20,
    )


@pytest.mark.parametrize("program", ["app", "worker"])
def test_asking_for_help_starts_nothing(project: Path, program: str) -> None:
    """`--help` says what the command does; an argument that it does not know ends it with 2."""
    told = ask(project, program, "--help")
    assert (told.returncode, told.stdout.splitlines()[0]) == (0, ask(project, program, "-h").stdout.splitlines()[0])
    assert told.stdout.startswith(f"usage: python -m {program}")
    refused = ask(project, program, "--port=9000")
    assert refused.returncode == 2
    assert "unrecognized arguments: --port=9000" in refused.stderr
    assert not (project / "data").exists()


def test_the_version_is_the_project_s(project: Path) -> None:
    """`--version` says what stands in pyproject.toml, and starts nothing."""
    (project / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    assert ask(project, "app", "--version").stdout == "1.2.3\n"
    assert not (project / "data").exists()


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("nobody.invalid", "HOST=nobody.invalid is no address of this machine. Set HOST to 127.0.0.1"),
        ("203.0.113.7", "Cannot assign requested address. Set HOST to another"),
    ],
)
def test_a_host_that_is_not_here_is_said(project: Path, host: str, says: str) -> None:
    """It is HOST that is to be changed then, and not PORT."""
    told = ask(project, "app", HOST=host)
    assert (told.returncode, "Traceback" in told.stderr) == (1, False)
    assert says in told.stderr


def test_the_parts_are_found_where_the_directory_is_no_place_to_import_from(launch: Launch, project: Path) -> None:
    """With PYTHONSAFEPATH, `python -m app` that was found by PYTHONPATH finds its worker and web server, too."""
    gateway = launch(PYTHONSAFEPATH="1", PYTHONPATH=str(project)).until_healthy()
    with gateway.get("/health") as reply:
        reply.read()
    wait_until(lambda: "Worker ready" in gateway.said(), "the worker runs", 20)
    assert gateway.stop() == 0
    assert "No module named" not in gateway.said()


def test_what_was_passed_over_is_said_once(launch: Launch, project: Path) -> None:
    """A misspelt name in `.env` is doubted at the start, by one of the processes."""
    (project / ".env").write_text("EGRES_ALLOW=127.0.0.1\n")
    gateway = launch().until_healthy()
    assert gateway.said().count("EGRES_ALLOW is no setting and is passed over. Is EGRESS_ALLOW meant?") == 1


def test_the_redis_program_may_stand_in_the_env_file(project: Path) -> None:
    """As all settings may."""
    (project / ".env").write_text("REDIS_SERVER_BIN=/nowhere/redis-server\n")
    told = ask(project, "app")
    assert (told.returncode, "REDIS_SERVER_BIN='/nowhere/redis-server' is not a program" in told.stderr) == (1, True)


def test_a_port_in_use_is_said_before_anything_starts(launch: Launch) -> None:
    """With its port taken the start ends with 1 and names the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        gateway = launch(PORT=str(port))
        assert gateway.process.wait(20) == 1
    assert f"PORT={port} cannot be used: Address already in use" in gateway.said()
    assert not gateway.data_dir.exists()


def test_a_redis_that_is_away_is_named_without_its_password(launch: Launch) -> None:
    """With its Redis away the start tries for its patience, then ends with 1; the password stays hidden."""
    url = f"redis://me:hush-hush@127.0.0.1:{free_port()}/0"
    gateway = launch(REDIS_URL=url, REDIS_PATIENCE="1.5")
    assert gateway.process.wait(20) == 1
    said = gateway.said()
    assert "redis://me:***@127.0.0.1" in said
    assert "trying for" in said
    assert "giving up" in said
    assert "hush-hush" not in said


def test_a_stop_while_redis_is_awaited_is_obeyed_at_once(launch: Launch) -> None:
    """SIGTERM ends a start that still waits for Redis, with code 0."""
    gateway = launch(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0", REDIS_PATIENCE="600")
    wait_until(lambda: "trying for" in gateway.said(), "it waits")
    assert gateway.stop() == 0


def test_no_process_survives_a_kill_of_the_launcher(launch: Launch) -> None:
    """After kill -9 of `python -m app` its children end by themselves, and the next start has the data."""
    gateway = launch().until_healthy()
    with open_redis(embedded_url(gateway.data_dir)) as client:
        client.set("kept", "yes")
    gateway.stop(signal.SIGKILL)
    wait_until(lambda: not gateway.processes(), "no process is left", 20)
    again = launch().until_healthy()
    with open_redis(embedded_url(again.data_dir)) as client:
        assert client.get("kept") == b"yes"


@pytest.mark.parametrize("word", ["-m worker", "unixsocket"])
def test_a_worker_or_redis_that_dies_is_started_again(launch: Launch, word: str) -> None:
    """After kill -9 of the worker or of the embedded Redis there is a new one, and the gateway is healthy."""
    gateway = launch().until_healthy()
    wait_until(lambda: any(word in line for line in gateway.processes().values()), "it runs")
    old = gateway.pid_of(word)
    os.kill(old, signal.SIGKILL)
    wait_until(
        lambda: any(word in line and pid != old for pid, line in gateway.processes().items()),
        "a new one runs",
        20,
    )
    assert "ended unexpectedly (killed by SIGKILL); starting it again" in gateway.said()
    gateway.until_healthy()
    assert gateway.stop() == 0


def test_the_death_of_the_web_server_ends_everything_with_1(launch: Launch) -> None:
    """When gunicorn dies the whole gateway ends with 1 and a line that says so, and leaves no process."""
    gateway = launch().until_healthy()
    os.kill(gateway.pid_of("gunicorn"), signal.SIGKILL)
    assert gateway.process.wait(40) == 1
    wait_until(lambda: not gateway.processes(), "no process is left", 20)
    assert "the web server ended unexpectedly" in gateway.said()


def test_sighup_gives_new_web_processes_and_keeps_serving(launch: Launch) -> None:
    """SIGHUP replaces the web processes, and the gateway answers all the while."""
    gateway = launch().until_healthy()
    wait_until(lambda: "Booting worker" in gateway.said(), "a web process")
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(
        lambda: gateway.said().count("Booting worker") == 2 and gateway.health() == 200,
        "a new web process",
        20,
    )
    assert gateway.stop() == 0


def test_ten_launchers_at_one_data_directory_are_one_gateway(launch: Launch) -> None:
    """Of ten that start at once exactly one runs; the others end with 1 and say why; the data are whole."""
    gateways = [launch() for _ in range(10)]
    wait_until(lambda: sum(gateway.process.poll() is None for gateway in gateways) == 1, "one is left", 50)
    winner = next(gateway for gateway in gateways if gateway.process.poll() is None)
    winner.until_healthy()
    for loser in gateways:
        if loser is not winner:
            assert loser.process.returncode == 1
            assert "Another gateway runs on the data in" in loser.said()
    with open_redis(embedded_url(winner.data_dir)) as client:
        assert client.hlen(MAPPINGS) == 21
        assert client.get(MAPPINGS_VERSION) == b"1"
    assert winner.stop() == 0


def test_closing_the_terminal_stops_the_gateway(project: Path, tmp_path: Path) -> None:
    """A hang-up of the terminal that it was started in ends the gateway, and leaves no process."""
    environ = clean_environ(project)
    leader, follower = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "app"],
        cwd=project,
        env=environ,
        stdin=follower,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(follower)
    try:
        wait_until(
            lambda: any("gunicorn" in line for _, line in _processes_about(environ["DATA_DIR"])),
            "the web server",
        )
        os.close(leader)
        process.send_signal(signal.SIGHUP)
        assert process.wait(30) == 0
        assert not list(_processes_about(environ["DATA_DIR"]))
    finally:
        process.kill()
        process.wait(10)
