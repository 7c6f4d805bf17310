"""Who is compared: a direct call, nginx, Go's ReverseProxy and the gateway, each in front of the same upstream.

Each is a context manager that starts its processes, pins them and ends them with the block.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.storage.connections import open_redis
from app.storage.embedded import embedded_url
from benchmarks.processes import (
    CHECKOUT,
    Cores,
    children,
    command_line,
    free_port,
    pin,
    running,
    wait_for_port,
    wait_until,
)

HERE = Path(__file__).resolve().parent
DIRECT, NGINX, GO, GATEWAY = "direct", "nginx", "Go", "gateway"
ADMIN_TOKEN = "benchmark-0123456789abcdef"
PREFIX = "/bench"
MODEL = "gpt-4o-mini"
TOKEN = "sk-0123456789abcdef0123456789abcdef"
"""What the small load sends as model and credential."""


@dataclass
class Contender:
    """A server that passes requests on to the upstream; `direct` is the upstream itself."""

    name: str
    port: int
    prefix: str = ""
    """What stands before the upstream's own path."""
    pids: list[int] = field(default_factory=list)
    """The processes that serve; their CPU and memory is what counts."""
    side_pids: dict[str, int] = field(default_factory=dict)
    """Processes that work off the request path: told, not counted."""
    token: str = TOKEN
    """What the small load shows."""


class Missing(Exception):
    """A program that a row needs is not installed. Its text says which."""


def need(program: str) -> str:
    """The program's path. Raises Missing."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/go/bin")
    if found is None:
        raise Missing(f"{program} is not installed")
    return found


Start = Callable[[int, Cores], contextlib.AbstractContextManager[Contender]]


@contextlib.contextmanager
def direct(upstream_port: int, cores: Cores) -> Iterator[Contender]:
    yield Contender(DIRECT, upstream_port)


@contextlib.contextmanager
def nginx(upstream_port: int, cores: Cores) -> Iterator[Contender]:
    """nginx as a reverse proxy: one worker, connections to the upstream kept alive, nothing buffered."""
    port = free_port()
    http_block = f"""
        upstream up {{ server 127.0.0.1:{upstream_port}; keepalive 4096; keepalive_requests 1000000000; }}
        server {{
            listen 127.0.0.1:{port} backlog=4096;
            location / {{
                proxy_pass http://up;
                proxy_http_version 1.1;
                proxy_set_header Connection "";
                proxy_buffering off;
                proxy_request_buffering off;
            }}
        }}"""
    with _nginx(http_block, port, cores.server) as process:
        yield Contender(NGINX, port, pids=[process.pid])


@contextlib.contextmanager
def json_upstream(cores: Cores) -> Iterator[int]:
    """nginx that answers every request with 500 bytes of JSON, as an AI API would. Yields its port."""
    port = free_port()
    text = "The sky is blue because air scatters short wavelengths of sunlight more than long ones. "
    message: dict[str, object] = {"role": "assistant", "content": text.strip(), "refusal": None, "annotations": []}
    usage = {"prompt_tokens": 27, "completion_tokens": 19, "total_tokens": 46}
    answer = {"id": "chatcmpl-0123456789abcdef01234567", "object": "chat.completion", "created": 1700000000}
    answer |= {"model": "gpt-4o-mini-2024-07-18", "choices": [{"index": 0, "message": message, "logprobs": None}]}
    answer |= {"usage": usage, "service_tier": "default", "system_fingerprint": "fp_0123456789"}
    http_block = f"""
        server {{
            listen 127.0.0.1:{port} backlog=4096;
            location / {{
                default_type application/json;
                add_header x-request-id req_0123456789abcdef0123456789abcdef;
                add_header openai-processing-ms 412;
                add_header x-ratelimit-remaining-requests 9999;
                return 200 '{json.dumps(answer)}';
            }}
        }}"""
    with _nginx(http_block, port, cores.load):
        yield port


@contextlib.contextmanager
def _nginx(http_block: str, port: int, cores: frozenset[int]) -> Iterator[subprocess.Popen[bytes]]:
    with tempfile.TemporaryDirectory(prefix="bench-nginx-") as directory:
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = " ".join(f"{kind}_temp_path {directory}/{kind};" for kind in kinds)
        config = Path(directory) / "nginx.conf"
        config.write_text(
            f"daemon off; master_process off; pid {directory}/pid; error_log stderr crit;\n"
            "worker_rlimit_nofile 16384; events { worker_connections 8192; multi_accept on; }\n"
            "http { access_log off; keepalive_timeout 300s; keepalive_requests 1000000000; tcp_nodelay on;\n"
            f"client_max_body_size 0; {paths} {http_block} }}\n"
        )
        with running([need("nginx"), "-e", "stderr", "-p", directory, "-c", str(config)], cores) as process:
            wait_for_port(port, process)
            yield process


@contextlib.contextmanager
def go(upstream_port: int, cores: Cores) -> Iterator[Contender]:
    """`httputil.ReverseProxy` with GOMAXPROCS=1."""
    port = free_port()
    command = [str(_built_go_proxy()), f"127.0.0.1:{port}", f"http://127.0.0.1:{upstream_port}"]
    with running(command, cores.server, env={"GOMAXPROCS": "1"}) as process:
        wait_for_port(port, process)
        yield Contender(GO, port, pids=[process.pid])


@functools.cache
def _built_go_proxy() -> Path:
    source, binary = HERE / "go_proxy" / "main.go", HERE / "bin" / "go_proxy"
    compiler = need("go")
    if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
        binary.parent.mkdir(exist_ok=True)
        print("building the Go proxy ...", file=sys.stderr)
        subprocess.run([compiler, "build", "-o", str(binary), str(source)], check=True, timeout=300)
    return binary


@contextlib.contextmanager
def gateway(
    upstream_port: int,
    cores: Cores,
    *,
    mapping_count: int = 0,
    more_settings: Mapping[str, str] | None = None,
    checkout: Path = CHECKOUT,
) -> Iterator[Contender]:
    """The gateway as it is run: `python -m app`, one web process, statistics on, Redis and the worker beside it."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        settings = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")},
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "ADMIN_TOKEN": ADMIN_TOKEN,
            "DATA_DIR": directory,
            "EGRESS_ALLOW": "127.0.0.0/8",
            "WEB_CONCURRENCY": "1",
            "GRACEFUL_TIMEOUT": "1",
            "ENABLE_STATS": "true",
            "REDIS_URL": "",
            "GATEWAY_ENV_FILE": os.devnull,
            "KEYS_FILE": "off",
            "API_PROXY_REDIS_URL": "",
            "LOG_LEVEL": "WARNING",
            **(more_settings or {}),
        }
        with running([sys.executable, "-m", "app"], cores.load, env=settings, checkout=checkout) as process:
            wait_until(lambda: _asked(port, "GET", "/health") == 200, "the gateway is healthy", process, 40.0)
            web, side = _roles(process.pid)
            pin(web, cores.server)
            target = f"http://127.0.0.1:{upstream_port}"
            if _asked(port, "POST", "/api/mappings", {"prefix": PREFIX, "target": target}) != 201:
                raise RuntimeError("the gateway does not take the benchmark's mapping")
            if mapping_count:
                _fill_mappings(Path(directory), port, mapping_count, target)
            yield Contender(GATEWAY, port, PREFIX, [web], side)


def _roles(supervisor: int) -> tuple[int, dict[str, int]]:
    """The web process, and by name the processes beside it."""
    web = 0
    side = {}
    for pid in children(supervisor):
        command = command_line(pid)
        if "gunicorn" in command:
            (web,) = children(pid)
        elif "-m worker" in command:
            side["stats worker"] = pid
        else:
            side["redis"] = pid
    return web, side


def _asked(port: int, method: str, path: str, body: object = None) -> int:
    """The status of an answer; 0 when there is none."""
    return ask(port, method, path, body)[0]


def ask(port: int, method: str, path: str, body: object = None) -> tuple[int, bytes]:
    """Status and body of an answer; 0 when there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        return response.status, response.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


def add_channels(server: Contender, upstream_port: int, channels: int, keys: int) -> None:
    """Equal channels that serve the load's model, each with keys of its own."""
    for number in range(channels):
        names = [f"sk-bench-{number:04d}-{key:06d}-0123456789abcdef" for key in range(keys)]
        add_channel(server, f"bench {number}", f"http://127.0.0.1:{upstream_port}", names)


def add_channel(server: Contender, name: str, url: str, keys: list[str], priority: int = 0) -> str:
    """Its id. Raises RuntimeError when the gateway does not take it."""
    channel = {
        "name": name,
        "priority": priority,
        "dialects": ["openai"],
        "urls": [{"url": url}],
        "models": [{"name": MODEL, "upstream_name": ""}],
        "keys": keys,
    }
    status, answer = ask(server.port, "POST", "/api/channels", channel)
    if status != 201:
        raise RuntimeError(f"the gateway does not take the benchmark's channels: {answer!r}")
    number: str = json.loads(answer)["channel"]["id"]
    return number


def add_token(server: Contender, **said: object) -> str:
    """The text of a new access token; the load's model has a price. Raises RuntimeError when the gateway has none."""
    prices = {"overrides": [{"model": MODEL, "input": "0.15", "output": "0.60"}]}
    status, answer = ask(server.port, "PUT", "/api/prices", prices)
    if status == 200:
        status, answer = ask(server.port, "POST", "/api/tokens", {"name": "bench", **said})
    if status != 201:
        raise RuntimeError(f"the gateway makes no access token: {answer!r}")
    token: str = json.loads(answer)["token"]
    return token


def end_rests(server: Contender, number: str, *, delete: bool = False) -> None:
    """Makes a channel fit again, or deletes it."""
    status, answer = ask(server.port, "DELETE", f"/api/channels/{number}{'' if delete else '/cooldown'}")
    if status != 200:
        raise RuntimeError(f"channel {number} stays as it is: {answer!r}")


def _fill_mappings(data_dir: Path, port: int, count: int, target: str) -> None:
    """Adds mappings until there are `count`, past the API as an operator with redis-cli would."""
    with open_redis(embedded_url(data_dir)) as client:
        there = client.hlen("apiproxy:mappings")
        extra = {f"/filler-{number}/v{number % 3}": target for number in range(count - there)}
        if extra:
            client.hset("apiproxy:mappings", mapping=extra)
    if _asked(port, "POST", "/api/mappings/reload") != 200:
        raise RuntimeError("the gateway does not load its mappings anew")


PROXIES: tuple[tuple[str, Start], ...] = ((NGINX, nginx), (GO, go), (GATEWAY, gateway))
ALL: tuple[tuple[str, Start], ...] = ((DIRECT, direct), *PROXIES)
