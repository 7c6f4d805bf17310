"""What the deployment says: the environment and `.env`, read once, frozen.

A wrong value stops the start with a message that names the variable.
What an operator changes while the gateway runs is not here but in the Snapshot (`storage/catalog.py`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar

from dotenv import dotenv_values

from app.certificate_files import CertificateFiles, certificate_bundle, certificate_file, certificate_folder
from app.core.addresses import only_here
from app.core.egress import Entry, Ports, parse_entries, parse_ports
from app.core.forward_proxies import VARIABLES, ForwardProxies, parse_forward_proxies
from app.core.settings import SETTINGS, Limits, Settings, check_setting
from app.tcp_keepalive import TcpKeepalive
from app.wire.redis_url import check_redis_url

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent

_READ_ELSEWHERE = {"GATEWAY_ENV_FILE", "GUNICORN_CMD_ARGS", "TEST_SERVER"}
"""Names that are ours or gunicorn's and have no field."""
_BEHIND_A_ROUTER = frozenset({"SPACE_ID", "DYNO"})
"""What a Hugging Face Space and a Heroku dyno have in their environment: there one router stands before us."""
_PLATFORM = re.compile(r"(x86_64|aarch64|arm64|i\d86|ppc64le|powerpc64le|s390x)-\w+-(linux|darwin|macos)[\w.-]*")


class ConfigError(ValueError):
    """A variable holds a value that the gateway cannot work with. Its text says which, and what would do."""


@dataclass(frozen=True, slots=True)
class Config:
    """One deployment's configuration. Field names are the variables' names in lower case unless noted."""

    redis_url: str | None = field(repr=False)
    """`API_PROXY_REDIS_URL`, else `REDIS_URL`. None: `python -m app` starts an embedded Redis and sets it."""
    redis_tls_verify: bool
    """False accepts the self-signed certificate of a managed Redis such as Heroku's."""
    redis_patience_s: float
    """How long a start waits for a Redis that does not answer."""
    admin_token: str | None = field(repr=False)
    """None: the admin API answers 503."""
    host: str
    port: int
    web_concurrency: int
    """Number of web processes."""
    worker_connections: int
    """Client connections that one web process serves at once."""
    graceful_timeout_s: int
    """`GRACEFUL_TIMEOUT`: how long streams in flight may go on after SIGTERM."""
    keepalive_s: int
    """How long a client's connection may idle between two requests."""
    head_timeout_s: float
    """How long a client may take from a request's first byte to the end of its header fields."""
    client_timeout_s: float
    """How long a client may send or take nothing while it should."""
    tcp_keepalive: TcpKeepalive
    """`TCP_KEEPALIVE_IDLE`, `_INTERVAL`, `_COUNT`: on connections of clients, upstreams and Redis."""
    trusted_proxy_count: int
    """How many reverse proxies stand in front of us, so how many `X-Forwarded-*` values are believed.

    Where a platform's router does (a Space, a dyno) 1 unless it is said.
    """
    in_space: bool
    """True in a Hugging Face Space (`SPACE_ID`), whose page shows ours in a frame."""
    forwarded_fields: str
    """What of `X-Forwarded-For` and its like goes on to upstreams: `drop`, `pass`, or `auto` (wire.headers.outbound).

    `FORWARDED_FIELDS`; with reverse proxies in front, `auto` is `drop`.
    """
    enable_stats: bool
    stats_queue_size: int
    cors: bool
    web_proxy: str
    """Who may see web pages through the gateway: nobody (`off`), the admin (`token`) or anybody (`open`).

    An `open` in a file counts on loopback only: who writes it for this machine does not mean the world.
    """
    egress_allow: tuple[Entry, ...]
    """Networks and host names that may be dialled although they are not public."""
    egress_deny: tuple[Entry, ...]
    """Networks and host names that may not be dialled although they are public or allowed."""
    egress_ports: Ports
    """Ports of web pages besides the usual ones."""
    certificate_files: CertificateFiles
    """`SSL_CERT_FILE`, `SSL_CERT_DIR`, `REQUESTS_CA_BUNDLE` and `CA_FILE`: whose certificates are trusted."""
    forward_proxies: ForwardProxies
    """`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in upper or lower case: the way out to upstreams."""
    limits: Limits
    """The deployment's limits: of each in `core/settings.py`, the variable of its name in upper case."""
    settings: Settings
    """The deployment's settings of the whole gateway, likewise."""
    pool_max_idle: int
    """Idle connections that one web process keeps to each upstream."""
    pool_max_idle_total: int
    """Idle connections that one web process keeps to all upstreams together."""
    pool_idle_timeout_s: float
    """`POOL_IDLE_TIMEOUT`: how long an idle connection is kept."""
    pool_max_age_s: float
    """`POOL_MAX_AGE`: how long after it was opened a connection may be used again."""
    held_body_max_bytes: int
    """Longest request body that is held in memory, on routes that must read it."""
    redis_server_bin: str | None
    """The embedded Redis's program. None: the packaged one, else one on PATH."""
    journal_dir: Path | None
    """Where events stand that Redis has not taken. None: in shared memory, else below `data_dir`."""
    data_dir: Path
    """Where the embedded Redis keeps its data. A relative path counts from the project's directory."""
    log_level: str
    log_format: str
    """`text` or `json`."""
    start_trace: bool
    """Begins a trace where the caller sent no `traceparent`; then one is added to the request."""
    doubts: tuple[str, ...] = ()
    """What was passed over, such as names that are nearly ours: sentences for the log of a start."""


def env_file(environ: Mapping[str, str]) -> Path:
    """The file whose lines stand in for variables: what `GATEWAY_ENV_FILE` names, else the project's `.env`."""
    return ROOT / Path(environ.get("GATEWAY_ENV_FILE", "").strip() or ".env").expanduser()


def load_config(environ: Mapping[str, str] | None = None) -> Config:
    """Reads the process's environment over its `env_file`; or the given environment alone.

    Raises ConfigError.
    """
    filed = _said(_read_file(env_file(os.environ))) if environ is None else {}
    given = _said(os.environ if environ is None else environ)
    doubts = []
    if _PLATFORM.fullmatch(given.get("HOST", "")):
        doubts.append(f"HOST={given.pop('HOST')} is passed over: conda's compilers set it, and it is no address")
    values = filed | given
    known = set(_READ_ELSEWHERE)

    def read(name: str, parse: Callable[[str], T], default: T) -> T:
        known.add(name)
        if name not in values:
            return default
        try:
            return parse(values[name])
        except ValueError as error:
            shown = name if name.endswith("_URL") else f"{name}={values[name]!r}"  # a URL may hold a password
            raise ConfigError(f"{shown}: {error}") from None

    operator_values = {
        name: read(name.upper(), partial(check_setting, name), setting.default) for name, setting in SETTINGS.items()
    }
    config = Config(
        redis_url=read("API_PROXY_REDIS_URL", check_redis_url, None) or read("REDIS_URL", check_redis_url, None),
        redis_tls_verify=read("REDIS_TLS_VERIFY", _boolean, True),
        redis_patience_s=read("REDIS_PATIENCE", _seconds, 30.0),
        admin_token=read("ADMIN_TOKEN", str, None),
        host=read("HOST", _host, "127.0.0.1"),  # the Dockerfile, the Procfile and the compose file say 0.0.0.0
        port=read("PORT", _integer(0, 65535), 8000),
        web_concurrency=read("WEB_CONCURRENCY", _integer(1, 1024), 1),
        worker_connections=read("WORKER_CONNECTIONS", _integer(1, 1_000_000), 10_000),
        graceful_timeout_s=read("GRACEFUL_TIMEOUT", _integer(0, 86_400), 30),
        keepalive_s=read("KEEPALIVE_TIMEOUT", _integer(1, 86_400), 75),  # common load balancers let go after 60 s
        head_timeout_s=read("HEAD_TIMEOUT", _seconds, 20.0),
        client_timeout_s=read("CLIENT_TIMEOUT", _seconds, 300.0),
        tcp_keepalive=TcpKeepalive(  # at most what Linux takes
            read("TCP_KEEPALIVE_IDLE", _integer(0, 32_767), 30),
            read("TCP_KEEPALIVE_INTERVAL", _integer(1, 32_767), 10),
            read("TCP_KEEPALIVE_COUNT", _integer(1, 127), 3),
        ),
        trusted_proxy_count=read("TRUSTED_PROXY_COUNT", _integer(0, 16), 1 if _BEHIND_A_ROUTER & given.keys() else 0),
        in_space="SPACE_ID" in given,
        forwarded_fields=read("FORWARDED_FIELDS", _one_of("auto", "drop", "pass"), "auto"),
        enable_stats=read("ENABLE_STATS", _boolean, True),
        stats_queue_size=read("STATS_QUEUE_SIZE", _integer(1, 10_000_000), 10_000),
        cors=read("CORS", _boolean, True),
        web_proxy=read("WEB_PROXY", _one_of("off", "token", "open"), "token"),
        egress_allow=read("EGRESS_ALLOW", parse_entries, ()),
        egress_deny=read("EGRESS_DENY", parse_entries, ()),
        egress_ports=read("EGRESS_PORTS", parse_ports, ()),
        certificate_files=CertificateFiles(
            file=read("SSL_CERT_FILE", _path(certificate_file), None),
            folder=read("SSL_CERT_DIR", _path(certificate_folder), None),
            bundle=read("REQUESTS_CA_BUNDLE", _path(certificate_bundle), None),
            added=read("CA_FILE", _path(certificate_file), None),
        ),
        forward_proxies=_forward_proxies({name: read(name, str, "") for name in VARIABLES}),
        limits=Limits().with_overrides(operator_values),
        settings=Settings().with_overrides(operator_values),
        pool_max_idle=read("POOL_MAX_IDLE", _integer(0, 100_000), 256),
        pool_max_idle_total=read("POOL_MAX_IDLE_TOTAL", _integer(0, 1_000_000), 1024),
        pool_max_age_s=read("POOL_MAX_AGE", _seconds, 300.0),
        pool_idle_timeout_s=read("POOL_IDLE_TIMEOUT", _seconds, 60.0),
        held_body_max_bytes=read("HELD_BODY_MAX_BYTES", _integer(1, 2**40), 64 * 1024 * 1024),
        redis_server_bin=read("REDIS_SERVER_BIN", str, None),
        journal_dir=read("JOURNAL_DIR", _path(Path), None),
        data_dir=read("DATA_DIR", _path(Path), ROOT / "data"),
        log_level=read("LOG_LEVEL", _log_level, "INFO"),
        log_format=read("LOG_FORMAT", _one_of("text", "json"), "text"),
        start_trace=read("START_TRACE", _boolean, False),
    )
    if config.forwarded_fields == "auto" and config.trusted_proxy_count:
        config = replace(config, forwarded_fields="drop")
    if config.web_proxy == "open" and "WEB_PROXY" not in given and not only_here(config.host):
        config = replace(config, web_proxy="token")
        doubts.append(
            f"WEB_PROXY=open of the file is not followed, for HOST={config.host} is reached from elsewhere: web pages "
            "are for the admin alone. Say it in the environment if anybody may see web pages through this gateway"
        )
    doubts += [
        f"NO_PROXY: {entry!r} is no name, address or CIDR, and is passed over"
        for entry in config.forward_proxies.ignored
    ]
    doubts += _nearly_known(known, filed, 0.75) + _nearly_known(known, given.keys() - filed.keys(), 0.9)
    return replace(config, doubts=tuple(doubts))


def _read_file(file: Path) -> dict[str, str | None]:
    if os.environ.get("GATEWAY_ENV_FILE", "").strip() and not file.exists():
        raise ConfigError(f"GATEWAY_ENV_FILE: there is no {file}")
    try:
        return dotenv_values(file, encoding="utf-8-sig")  # Windows' Notepad begins files with that mark
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8 text: save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from None


def _said(values: Mapping[str, str | None]) -> dict[str, str]:
    """Those that say something, without blanks around, nor the quotes that `docker run --env-file` leaves there."""
    bare = {
        name: re.sub(r"(?s)\A(['\"])(.*)\1\Z", r"\2", (value or "").strip()).strip() for name, value in values.items()
    }
    return {name: value for name, value in bare.items() if value}


def _nearly_known(known: set[str], names: Iterable[str], likeness: float) -> list[str]:
    """What to say of names that nothing reads and that are spelled nearly like one of ours."""
    near = {name: get_close_matches(name.upper(), known, 1, likeness) for name in sorted(set(names) - known)}
    return [f"{name} is no setting and is passed over. Is {found[0]} meant?" for name, found in near.items() if found]


def _host(text: str) -> str:
    """An address or a name to listen at. IPv6 comes with or without brackets and leaves without."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ip_address(bare))
    except ValueError:
        if bare != text or not re.fullmatch(r"[A-Za-z0-9_.-]+", text):
            raise ValueError("must be an address or a name, such as 127.0.0.1, ::1 or 0.0.0.0 (all of them)") from None
        return text


def _forward_proxies(variables: Mapping[str, str]) -> ForwardProxies:
    try:
        return parse_forward_proxies(variables)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _path(judge: Callable[[Path], Path]) -> Callable[[str], Path]:
    """A relative path counts from the project's directory."""
    return lambda text: judge(ROOT / Path(text).expanduser())


def _boolean(text: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if text.lower() not in words:
        raise ValueError("say true or false")
    return words[text.lower()]


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return parse


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= 86_400:
        raise ValueError("must be a number of seconds above 0, at most 86400")
    return seconds


def _log_level(text: str) -> str:
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
    return text.upper()


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"must be {', '.join(words[:-1])} or {words[-1]}")
        return text.lower()

    return parse
