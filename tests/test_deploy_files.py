"""The files of a deployment, checked as far as one can without a container engine, and started where one can."""

from __future__ import annotations

import dataclasses
import functools
import http.client
import importlib.metadata
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app.config import Config, load_config
from app.core.setting_table import GATEWAY_SETTINGS, LIMITS, SETTINGS
from app.storage.connections import STATS_ROLLED_AT, Redis
from app.wire.database_url import parse_database_url
from tests.support.clone import LOCKS, clone, make
from tests.support.environ import clean_environ
from tests.support.gateway import free_port
from tests.support.waiting import wait_until

__all__ = ["clone"]

ROOT = Path(__file__).resolve().parent.parent
VERBS = [
    "run",
    "dev",
    "test",
    "soak",
    "compile",
    "coverage",
    "bench",
    "lint",
    "fmt",
    "settings-page",
    "seed",
    "health",
    "stats",
    "blacklist",
    "reset-keys",
    "clean",
    "docker-build",
    "docker-run",
]

OTHER_NAMES = {
    "admin_token_name": (),
    "auth_keys": ("AUTH_KEY",),
    "openai_base_urls": ("OPENAI_BASE_URL",),
    "encryption_keys": ("ENCRYPTION_KEY",),
    "redis_url": ("API_PROXY_REDIS_URL", "REDIS_URL"),
    "graceful_timeout_s": ("GRACEFUL_TIMEOUT",),
    "head_timeout_s": ("HEAD_TIMEOUT",),
    "client_timeout_s": ("CLIENT_TIMEOUT",),
    "keepalive_s": ("KEEPALIVE_TIMEOUT",),
    "redis_patience_s": ("REDIS_PATIENCE",),
    "pool_idle_timeout_s": ("POOL_IDLE_TIMEOUT",),
    "pool_max_age_s": ("POOL_MAX_AGE",),
    "tcp_keepalive": ("TCP_KEEPALIVE_IDLE", "TCP_KEEPALIVE_INTERVAL", "TCP_KEEPALIVE_COUNT"),
    "doubts": (),
    "database": ("DATABASE_URL", "SQLITE_PATH", "SQLITE_JOURNAL_MODE"),
    "in_space": (),  # the platform sets it
    "forward_proxies": ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"),
    "certificate_files": ("CA_FILE", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    "limits": tuple(name.upper() for name in LIMITS),
    "settings": tuple(name.upper() for name in GATEWAY_SETTINGS),
}
"""Fields whose variables are not called like them."""


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# --- .env.example ---


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Config)])
def test_every_variable_is_documented(field: str) -> None:
    """Each field of Config has its line in .env.example."""
    for name in OTHER_NAMES.get(field, (field.upper(),)):
        assert re.search(rf"^#{name}=", text(".env.example"), re.MULTILINE)


def test_settings_are_documented_with_their_defaults() -> None:
    """What .env.example shows of a setting is what holds where nobody says anything."""
    for name, setting in SETTINGS.items():
        line = re.search(rf"^#{name.upper()}=(.*)$", text(".env.example"), re.MULTILINE)
        assert line, name
        assert setting.kind.parse(line[1]) == setting.default, name


def test_no_variable_is_documented_that_nothing_reads() -> None:
    """.env.example holds no name that the code does not know."""
    from_the_tables = " ".join(OTHER_NAMES["limits"] + OTHER_NAMES["settings"])
    known = text("app/config.py") + text("app/storage/embedded.py") + from_the_tables
    for name in re.findall(r"^#?([A-Z_]+)=", text(".env.example"), re.MULTILINE):
        assert name in known


# --- lock files ---


def locked(name: str) -> dict[str, str]:
    return {
        canonicalize_name(found["name"]): found["version"]
        for found in re.finditer(r"^(?P<name>[\w.-]+)(?:\[\S+\])?==(?P<version>\S+)", text(name), re.MULTILINE)
    }


def locked_extras(name: str) -> dict[str, set[str]]:
    found = re.findall(r"^([\w.-]+)(?:\[(\S+)\])?==", text(name), re.MULTILINE)
    return {canonicalize_name(package): set(extras.split(",")) - {""} for package, extras in found}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_pins_and_hashes_only(name: str) -> None:
    """No index, no host, no path of the machine that made it; a hash for every pin."""
    blocks = re.split(r"\n(?=[^\s#])", text(name).strip())
    for block in blocks:
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+ (; .+ )?\\\n", block), block[:80]
        assert "--hash=sha256:" in block
    assert not re.search(r"^\s*-", re.sub(r"^    --hash=\S+", "", text(name), flags=re.MULTILINE), re.MULTILINE)
    assert "://" not in text(name)


def test_tests_run_on_what_is_deployed() -> None:
    """Each lock holds the versions of the one before."""
    for smaller, larger in itertools.pairwise(LOCKS):
        assert locked(smaller).items() <= locked(larger).items()


PYTHONS = ("3.11.0", "3.11.2", "3.11.9", "3.12.4", "3.13.1", "3.14.0")


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(("system", "machine"), [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")])
def test_the_locks_are_whole_on_every_python_and_system(python: str, system: str, machine: str) -> None:
    """No pinned package needs one that is not pinned: an installation that demands hashes would fail there."""
    there = {
        "python_full_version": python,
        "python_version": ".".join(python.split(".")[:2]),
        "sys_platform": system,
        "platform_system": system.capitalize(),
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "os_name": "posix",
        "extra": "",
    }
    for lock in LOCKS:
        pins = locked(lock)
        for name in pins:
            for requirement in _requires(name):
                if requirement.marker is None or requirement.marker.evaluate(there):
                    assert canonicalize_name(requirement.name) in pins, f"{lock}: {name} needs {requirement}"


@functools.cache
def _requires(name: str) -> list[Requirement]:
    try:
        return [Requirement(line) for line in importlib.metadata.requires(name) or []]
    except importlib.metadata.PackageNotFoundError:  # pinned for other Pythons than this one
        return []


def test_a_lock_pins_the_extras_that_are_asked_for() -> None:
    """pip looks for the newest version of a package whose pin lacks a demanded extra, and finds it without a hash."""
    for lock in LOCKS:
        pinned = locked_extras(lock)
        for name in pinned:
            for requirement in _requires(name):
                if requirement.extras and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
                    assert requirement.extras <= pinned[canonicalize_name(requirement.name)], f"{lock}: {name}"


def test_the_lock_fits_what_the_project_asks_for() -> None:
    """Each dependency in pyproject.toml is pinned, at a version that it allows."""
    project = tomllib.loads(text("pyproject.toml"))["project"]
    for lock, lines in (
        ("requirements.txt", project["dependencies"]),
        ("requirements-compile.txt", project["dependencies"] + project["optional-dependencies"]["compile"]),
        ("requirements-dev.txt", project["dependencies"] + project["optional-dependencies"]["dev"]),
    ):
        pins = locked(lock)
        for line in lines:
            requirement = Requirement(line)
            assert pins[canonicalize_name(requirement.name)] in requirement.specifier, line


# --- Makefile ---


def test_help_lists_every_verb() -> None:
    """`make help`, and `make` alone, say each verb with a line."""
    said = make("help").stdout
    for verb in VERBS:
        assert re.search(rf"^  make {verb} +\S", said, re.MULTILINE)
    assert make().stdout == said


def test_a_python_too_old_is_said(tmp_path: Path) -> None:
    """Without Python 3.11 the setup ends with a line that says what is wanted."""
    for tool in ("make", "sh", "echo", "rm"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or tool)
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    for name in ("Makefile", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    run = make("run", cwd=tmp_path, PATH=str(tmp_path))
    assert run.returncode != 0
    assert "No Python 3.11 or newer was found" in run.stderr


@pytest.mark.parametrize("whom", ["make", "group"])
def test_make_run_starts_and_stops_in_order(clone: Path, whom: str) -> None:
    """`make run` writes a token and serves; SIGTERM to make, or Ctrl-C in its terminal, ends all of it in order."""
    port = str(free_port())
    log = clone / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            ["make", "run", f"PORT={port}"],
            cwd=clone,
            env={"PATH": os.environ["PATH"], "REDIS_URL": "", "HOME": os.environ.get("HOME", "/")},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until(lambda: "dashboard" in log.read_text() or process.poll() is not None, "the welcome", 30)
        assert _status(int(port), "/health") == 200, log.read_text()
        assert _status(int(port), "/proxy/http://127.0.0.1:1/") == 403, "web pages are open, and the guard refuses"
        if whom == "make":
            process.terminate()
        else:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(40)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(40)
    said = log.read_text()
    assert said.index("Handling signal: term") < said.index("Shutting down: Master")
    assert not (clone / "data/redis/redis.sock").exists()
    environ = (clone / ".env").read_text()
    token = re.search(r"^ADMIN_TOKEN=(\S{20,})$", environ, re.MULTILINE)
    assert token is not None
    assert token[1] not in said
    assert str(clone / ".env") in said
    assert (clone / ".env").stat().st_mode & 0o777 == 0o600


def _status(port: int, path: str) -> int | None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", path)
            with connection.getresponse() as reply:
                reply.read()
                return reply.status
        except OSError:
            return None


# --- Procfile ---


def procfile() -> dict[str, str]:
    return dict(line.split(": ", 1) for line in text("Procfile").splitlines())


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that are ended after the test."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(20)


def start(name: str, redis_url: str, **environ: str) -> subprocess.Popen[bytes]:
    """A Procfile's line, as the platform runs it: by a shell, with the platform's variables."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.Popen(
        ["bash", "-c", procfile()[name]], cwd=ROOT, env=clean_environ(PATH=path, REDIS_URL=redis_url, **environ)
    )


def test_the_procfile_serves_and_works(
    redis_url: str, redis_client: Redis, started: list[subprocess.Popen[bytes]]
) -> None:
    """Both lines of the Procfile run with nothing but PORT, WEB_CONCURRENCY and REDIS_URL, and heed SIGTERM."""
    port = free_port()
    redis_client.delete(STATS_ROLLED_AT)
    web = start("web", redis_url, PORT=str(port), WEB_CONCURRENCY="2")
    worker = start("worker", redis_url)
    started += [web, worker]
    wait_until(lambda: _status(port, "/health") == 200, "the web answers", 20)
    wait_until(lambda: redis_client.get(STATS_ROLLED_AT), "the worker rolls up", 20)
    for process in started:
        process.terminate()
    assert [process.wait(20) for process in started] == [0, 0]


def test_a_platform_s_defaults_stand_in_the_procfile() -> None:
    """Open to the router, its self-signed Redis and its one proxy, each of which a variable can change."""
    for setting in ("HOST:-0.0.0.0", "REDIS_TLS_VERIFY:-false", "TRUSTED_PROXY_COUNT:-1"):
        assert "${" + setting + "}" in procfile()["web"]
    assert "${REDIS_TLS_VERIFY:-false}" in procfile()["worker"]


def test_idle_connections_outlive_the_routers_patience() -> None:
    """Heroku's router closes them after 90 s; a server that closes first may meet a request that is on its way."""
    said = re.search(r"KEEPALIVE_TIMEOUT=\$\{KEEPALIVE_TIMEOUT:-(\d+)\}", procfile()["web"])
    assert said is not None
    assert load_config({"KEEPALIVE_TIMEOUT": said[1]}).keepalive_s > 90
    for limit in ("H12", "30 s to the first byte", "FIRST_BYTE_TIMEOUT", "KEEPALIVE_TIMEOUT=100"):
        assert limit in text("docs/operations.md")


def test_the_web_alone_gives_up_on_a_redis_that_is_away() -> None:
    """gunicorn without `python -m app` waits for Redis too, then ends with 1 and hides the password."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    url = f"redis://:hush-hush@127.0.0.1:{free_port()}/0"
    run = subprocess.run(
        ["bash", "-c", procfile()["web"]],
        cwd=ROOT,
        env=clean_environ(PATH=path, REDIS_URL=url, REDIS_PATIENCE="1", PORT=str(free_port())),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert run.returncode == 1
    assert "redis://:***@127.0.0.1" in run.stderr
    assert "hush-hush" not in run.stderr + run.stdout
    assert "Traceback" not in run.stderr


# --- containers ---


def dockerfile() -> list[tuple[str, str]]:
    joined = text("Dockerfile").replace("\\\n", " ")
    return [
        (word, rest.strip())
        for line in joined.splitlines()
        if line.strip() and not line.startswith("#")
        for word, _, rest in [line.partition(" ")]
    ]


def test_what_the_dockerfile_copies_exists_and_is_sent() -> None:
    """Each source of a COPY is in the repository and not kept back by .dockerignore."""
    sent = {line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")}
    copied = set()
    for word, rest in dockerfile():
        if word == "COPY" and not rest.startswith("--from"):
            copied.update(part for part in rest.split()[:-1] if not part.startswith("--"))
    assert copied == sent
    for source in copied:
        assert (ROOT / source).exists(), source


def test_what_the_image_runs_is_bytecode() -> None:
    """Nothing is written there when it runs, so each process would compile its sources at each start."""
    of_ours = "python -m compileall -q -o 0 -o 2 "
    steps = [rest.removeprefix(of_ours) for word, rest in dockerfile() if rest.startswith(of_ours)]
    of_python = {one for one in text(".dockerignore").split() if any((ROOT / one.strip("!")).glob("**/*.py"))}
    assert [{f"!{folder}" for folder in step.split()} for step in steps] == [of_python]
    rest_of_it = " ".join(rest for word, rest in dockerfile() if word == "RUN")
    assert "compileall -q -o 2 /home/gateway/venv" in rest_of_it
    assert "-o 0 -o 2 /usr/local/lib/python3.11" in rest_of_it


@pytest.mark.soak
def test_what_the_dockerfile_copies_is_enough_to_run(tmp_path: Path) -> None:
    """The copied files alone, serve, and their health check tells it from a gateway that is down."""
    for word, rest in dockerfile():
        if word == "COPY" and not rest.startswith("--from"):
            *sources, target = [part for part in rest.split() if not part.startswith("--")]
            for source in sources:
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, tmp_path / target, dirs_exist_ok=True)
                else:
                    shutil.copy(ROOT / source, tmp_path / source)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "app"],
        cwd=tmp_path,
        env=clean_environ(HOST="0.0.0.0", PORT=str(port)),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _status(port, "/health") == 200 or process.poll() is not None, "it serves", 20)
        check = next(rest for word, rest in dockerfile() if word == "HEALTHCHECK")
        assert '["python", "scripts/show.py", "health"]' in check
        ask = [sys.executable, "scripts/show.py", "health"]
        assert subprocess.run(ask, cwd=tmp_path, env=clean_environ(PORT=str(port)), capture_output=True).returncode == 0
    finally:
        process.terminate()
        assert process.wait(40) == 0
    assert subprocess.run(ask, cwd=tmp_path, env=clean_environ(PORT=str(port)), capture_output=True).returncode == 1


def test_the_image_fits_a_space() -> None:
    """User 1000, port 8000, all interfaces, the one command."""
    lines = dockerfile()
    assert any(word == "RUN" and "--uid 1000" in rest for word, rest in lines)
    assert ("EXPOSE", "8000") in lines
    assert ("CMD", '["python", "-m", "app"]') in lines
    settings = " ".join(rest for word, rest in lines if word == "ENV")
    assert "HOST=0.0.0.0" in settings
    assert "PORT=8000" in settings
    users = [rest for word, rest in lines if word == "USER"]
    assert users == ["gateway"]


def test_the_compose_file_is_yaml_and_holds_no_password() -> None:
    """Redis 7 with a password that must be given; web and worker wait until it is healthy; all have health checks.

    How many proxies stand before it is the operator's to say, and said beside it.
    """
    yaml = pytest.importorskip("yaml")
    compose = yaml.safe_load(text("docker-compose.yml"))
    services = compose["services"]
    assert services["redis"]["image"] == "redis:7"
    for service in services.values():
        assert service["healthcheck"]["test"]
    for name in ("web", "worker"):
        assert services[name]["depends_on"]["redis"]["condition"] == "service_healthy"
        assert "${REDIS_PASSWORD:?" in services[name]["environment"]["API_PROXY_REDIS_URL"]
        assert services[name]["environment"]["HOST"] == "0.0.0.0"
        assert services[name]["environment"]["TRUSTED_PROXY_COUNT"] == "${TRUSTED_PROXY_COUNT:-0}"
    assert "requirepass ${REDIS_PASSWORD:?" in compose["configs"]["redis"]["content"]
    assert "${ADMIN_TOKEN:?" in services["web"]["environment"]["ADMIN_TOKEN"]
    for use in re.findall(r"\$\{(?:REDIS_PASSWORD|ADMIN_TOKEN)[^}]*\}", text("docker-compose.yml")):
        assert ":?" in use, "a secret must have no default"


def test_web_and_worker_share_what_the_request_log_stands_in() -> None:
    """One volume for SQLite; with deploy/compose.sql.yml one MySQL, which is waited for and whose password is given."""
    yaml = pytest.importorskip("yaml")
    services = yaml.safe_load(text("docker-compose.yml"))["services"]
    in_sql = yaml.safe_load(text("deploy/compose.sql.yml"))["services"]
    for name in ("web", "worker"):
        folder = services[name]["environment"]["DATA_DIR"]
        assert services[name]["volumes"] == [f"gateway-data:{folder}"]
        assert in_sql[name]["depends_on"]["mysql"]["condition"] == "service_healthy"
        url = in_sql[name]["environment"]["DATABASE_URL"]
        assert parse_database_url(re.sub(r"\$\{[^}]*\}", "secret", url)).host == "mysql"
    for use in re.findall(r"\$\{DATABASE_PASSWORD[^}]*\}", text("deploy/compose.sql.yml")):
        assert ":?" in use, "a secret must have no default"


def test_the_worker_s_health_check_knows_a_worker(redis_url: str, redis_client: Redis) -> None:
    """`show.py worker` ends with 0 when something rolled up lately, and else with 1."""

    def check() -> int:
        return subprocess.run(
            [sys.executable, "scripts/show.py", "worker"],
            cwd=ROOT,
            env=clean_environ(REDIS_URL=redis_url),
            capture_output=True,
        ).returncode

    now_ms = redis_client.time()[0] * 1000
    redis_client.set(STATS_ROLLED_AT, now_ms)
    assert check() == 0
    redis_client.set(STATS_ROLLED_AT, now_ms - 120_000)
    assert check() == 1
    redis_client.delete(STATS_ROLLED_AT)
    assert check() == 1


# --- CI ---


def test_the_ci_script_is_a_script() -> None:
    """.ci/run is executable bash that stops at the first fault, runs the tests and the lint."""
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert text(".ci/run").startswith("#!/usr/bin/env bash\n")
    for line in ("set -euo pipefail", "make test || again", "make soak || again", "make lint"):
        assert line in map(str.strip, text(".ci/run").splitlines())
    subprocess.run(["bash", "-n", ".ci/run"], cwd=ROOT, check=True)
