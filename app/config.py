"""What the deployment says: the environment and `.env`, read once, frozen.

A wrong value stops the start with a message that names the variable.
What an operator changes while the gateway runs is not here but in the Snapshot (`storage/catalog/catalog.py`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from dotenv import dotenv_values

from app.certificate_files import CertificateFiles, certificate_bundle, certificate_file, certificate_folder
from app.core.channels.time_zones import zone_or_utc
from app.core.network.addresses import only_here
from app.core.network.egress import Entry, Ports, parse_entries, parse_ports
from app.core.network.forward_proxies import VARIABLES, ForwardProxies, parse_forward_proxies
from app.core.setting_table import SETTINGS
from app.core.settings import Limits, Settings, check_setting
from app.keys_file import KeysFile, named_keys_file, usual_keys_file
from app.other_names import NEEDLESS, OTHER_NAMES, PASSED_OVER, CannotBe, Renamed, by_our_names
from app.tcp_keepalive import TcpKeepalive
from app.variables import auth_keys, boolean, encryption_keys, integer, listen_address, log_level, one_of, seconds
from app.wire.database_url import DatabaseKind, DatabaseUrl, parse_database_url, sqlite_file
from app.wire.redis_url import check_redis_url

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent

_READ_ELSEWHERE = {"GATEWAY_ENV_FILE", "GATEWAY_REDIS_IS_READY", "GUNICORN_CMD_ARGS", "REDIS_URL", "TEST_SERVER"}
"""Names that are ours or gunicorn's, and that no field need ask for."""
DATABASE_FILE = "gateway.db"
GUESSED_BELOW = 16
"""An encryption key of fewer characters is told as a doubt."""
_BEHIND_A_ROUTER = frozenset({"SPACE_ID", "DYNO"})
"""What a Hugging Face Space and a Heroku dyno have in their environment: there one router stands before us."""
_PLATFORM = re.compile(r"(x86_64|aarch64|arm64|i\d86|ppc64le|powerpc64le|s390x)-\w+-(linux|darwin|macos)[\w.-]*")


class ConfigError(ValueError):
    """A variable holds a value that the gateway cannot work with. Its text says which, and what would do."""


def _path(judge: Callable[[Path], Path]) -> Callable[[str], Path]:
    """A relative path counts from the project's directory."""
    return lambda text: judge(ROOT / Path(text).expanduser())


def _folders(text: str) -> tuple[Path, ...]:
    """As in OpenSSL those that are missing are passed over; but not all, for then none is what was meant."""
    folders = [ROOT / Path(said).expanduser() for said in text.split(os.pathsep) if said]
    return tuple(map(certificate_folder, [folder for folder in folders if os.path.exists(folder)] or folders))


def _base_urls(text: str) -> tuple[str, ...]:
    """Base URLs with commas between, each once."""
    from app.core.channels.urls import parse_url  # here, for it brings all that a channel is, and few say any

    urls = tuple(dict.fromkeys(url for part in text.split(",") if (url := part.strip())))
    for url in urls:
        parse_url({"url": url}, "", ("openai",), Limits(), None)
    return urls


def variable(name: str, parse: Callable[[str], Any], default: Any, *, repr: bool = True) -> Any:
    """A field of Config for which one variable speaks."""
    return field(default=default, repr=repr, metadata={"name": name, "parse": parse})


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One deployment's configuration: what each variable means, may say and is without a word.

    Fields without a `variable` rest on several, or on what else is said; `_config_of` reads those.
    """

    redis_url: str | None = field(repr=False)
    """`API_PROXY_REDIS_URL`, else `REDIS_URL`. None: `python -m app` starts an embedded Redis and sets it."""
    redis_tls_verify: bool = variable("REDIS_TLS_VERIFY", boolean, True)
    """False accepts the self-signed certificate of a managed Redis such as Heroku's."""
    redis_patience_s: float = variable("REDIS_PATIENCE", seconds, 30.0)
    """How long a start waits for a Redis that does not answer."""
    admin_token: str | None = variable("ADMIN_TOKEN", str, None, repr=False)
    """None: the admin API answers 503."""
    admin_token_name: str = "ADMIN_TOKEN"  # noqa: S105 - a name
    """The variable that said it."""
    auth_keys: tuple[str, ...] = variable("AUTH_KEY", auth_keys, (), repr=False)
    """Access tokens to channels that nobody has to create."""
    encryption_keys: tuple[str, ...] = variable("ENCRYPTION_KEY", encryption_keys, (), repr=False)
    """The first encrypts keys of channels in Redis, all decrypt; an empty first one (`off`): none encrypts."""
    keys_file: KeysFile | None
    """`KEYS_FILE`: whose keys the channel `keys-file` has. None: nobody looks for one."""
    openai_base_urls: tuple[str, ...] = variable("OPENAI_BASE_URL", _base_urls, (), repr=False)
    """Where those keys lead. None: to OpenAI."""
    start_index: int | None = variable("START_INDEX", integer(0, 100_000_000), None)
    """Which key of each channel, counted from 0, a web process tries first. None: any."""
    host: str = variable("HOST", listen_address, "127.0.0.1")
    """0.0.0.0 in the Dockerfile, the Procfile and the compose file."""
    port: int = variable("PORT", integer(0, 65535), 8000)
    web_concurrency: int = variable("WEB_CONCURRENCY", integer(1, 1024), 1)
    """Number of web processes."""
    worker_connections: int = variable("WORKER_CONNECTIONS", integer(1, 1_000_000), 10_000)
    """Client connections that one web process serves at once."""
    graceful_timeout_s: int = variable("GRACEFUL_TIMEOUT", integer(0, 86_400), 30)
    """How long streams in flight may go on after SIGTERM."""
    keepalive_s: int = variable("KEEPALIVE_TIMEOUT", integer(1, 86_400), 75)  # common load balancers let go after 60 s
    """How long a client's connection may idle between two requests."""
    head_timeout_s: float = variable("HEAD_TIMEOUT", seconds, 20.0)
    """How long a client may take from a request's first byte to the end of its header fields."""
    client_timeout_s: float = variable("CLIENT_TIMEOUT", seconds, 300.0)
    """How long a client may send or take nothing while it should."""
    tcp_keepalive: TcpKeepalive
    """`TCP_KEEPALIVE_IDLE`, `_INTERVAL`, `_COUNT`: on connections of clients, upstreams and Redis."""
    trusted_proxy_count: int
    """How many reverse proxies stand in front of us, so how many `X-Forwarded-*` values are believed.

    Where a platform's router does (a Space, a dyno) 1 unless it is said.
    """
    in_space: bool
    """True in a Hugging Face Space (`SPACE_ID`), whose page shows ours in a frame."""
    forwarded_fields: str = variable("FORWARDED_FIELDS", one_of("auto", "drop", "pass"), "auto")
    """What of `X-Forwarded-For` and its like goes on to upstreams: `drop`, `pass`, or `auto` (wire.headers.outbound).

    With reverse proxies in front, `auto` is `drop`.
    """
    enable_stats: bool = variable("ENABLE_STATS", boolean, True)
    stats_queue_size: int = variable("STATS_QUEUE_SIZE", integer(1, 10_000_000), 10_000)
    cors: bool = variable("CORS", boolean, True)
    web_proxy: str = variable("WEB_PROXY", one_of("off", "token", "open"), "token")
    """Who may see web pages through the gateway: nobody (`off`), the admin (`token`) or anybody (`open`).

    An `open` in a file counts on loopback only: who writes it for this machine does not mean the world.
    """
    egress_allow: tuple[Entry, ...] = variable("EGRESS_ALLOW", parse_entries, ())
    """Networks and host names that may be dialled although they are not public."""
    egress_deny: tuple[Entry, ...] = variable("EGRESS_DENY", parse_entries, ())
    """Networks and host names that may not be dialled although they are public or allowed."""
    egress_ports: Ports = variable("EGRESS_PORTS", parse_ports, ())
    """Ports of web pages besides the usual ones."""
    certificate_files: CertificateFiles
    """`SSL_CERT_FILE`, `SSL_CERT_DIR`, `REQUESTS_CA_BUNDLE` and `CA_FILE`: whose certificates are trusted."""
    forward_proxies: ForwardProxies
    """`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in upper or lower case: the way out to upstreams."""
    limits: Limits
    """The deployment's limits: of each in `core/setting_table.py`, the variable of its name in upper case."""
    settings: Settings
    """The deployment's settings of the whole gateway, likewise."""
    pool_max_idle: int = variable("POOL_MAX_IDLE", integer(0, 100_000), 256)
    """Idle connections that one web process keeps to each upstream."""
    pool_max_idle_total: int = variable("POOL_MAX_IDLE_TOTAL", integer(0, 1_000_000), 1024)
    """Idle connections that one web process keeps to all upstreams together."""
    pool_idle_timeout_s: float = variable("POOL_IDLE_TIMEOUT", seconds, 60.0)
    """How long an idle connection is kept."""
    pool_max_age_s: float = variable("POOL_MAX_AGE", seconds, 300.0)
    """How long after it was opened a connection may be used again."""
    held_body_max_bytes: int = variable("HELD_BODY_MAX_BYTES", integer(1, 2**40), 64 * 1024 * 1024)
    """Longest request body that is held in memory, on routes that must read it."""
    redis_server_bin: str | None = variable("REDIS_SERVER_BIN", str, None)
    """The embedded Redis's program. None: the packaged one, else one on PATH."""
    journal_dir: Path | None = variable("JOURNAL_DIR", _path(Path), None)
    """Where events stand that Redis has not taken. None: in shared memory, else below `data_dir`."""
    data_dir: Path = variable("DATA_DIR", _path(Path), ROOT / "data")
    """Where the embedded Redis and SQLite keep their data. A relative path counts from the project's directory."""
    database: DatabaseUrl = field(repr=False)
    """`DATABASE_URL`, else the file `SQLITE_PATH`, else one in `data_dir`; `SQLITE_JOURNAL_MODE`: the log, the
    statistics and the audit, which only the worker writes."""
    log_level: str = variable("LOG_LEVEL", log_level, "INFO")
    log_format: str = variable("LOG_FORMAT", one_of("text", "json"), "text")
    """`text` or `json`."""
    start_trace: bool = variable("START_TRACE", boolean, False)
    """Begins a trace where the caller sent no `traceparent`; then one is added to the request."""
    doubts: tuple[str, ...] = ()
    """What was passed over, such as names that are nearly ours: sentences for the log of a start."""

    @property
    def exposure(self) -> str:
        """Why others than this machine's programs reach the gateway, as a clause; empty: they do not."""
        if not only_here(self.host):
            return f"HOST={self.host} is reached from elsewhere"
        return "a reverse proxy stands in front (TRUSTED_PROXY_COUNT)" if self.trusted_proxy_count else ""


def env_file(environ: Mapping[str, str]) -> Path:
    """The file whose lines stand in for variables: what `GATEWAY_ENV_FILE` names, else the project's `.env`."""
    return ROOT / Path(environ.get("GATEWAY_ENV_FILE", "").strip() or ".env").expanduser()


def load_config(environ: Mapping[str, str] | None = None) -> Config:
    """Reads the process's environment over its `env_file`; or the given environment alone.

    Raises ConfigError.
    """
    file = _renamed(_read_file(env_file(os.environ)) if environ is None else {})
    environment = _renamed(os.environ if environ is None else environ)
    given = environment.values
    filed = {name: value for name, value in file.values.items() if _is_heard(name, given)}
    doubts = file.doubts + environment.doubts
    if _PLATFORM.fullmatch(given.get("HOST", "")):
        doubts.append(f"HOST={given.pop('HOST')} is passed over: conda's compilers set it, and it is no address")
    variables = _Variables(filed | given, {name: said for name, said in file.spelled.items() if name not in given})
    variables.spelled.update(environment.spelled)
    config = _config_of(variables, given.keys())
    if config.settings.anonymous_channels and config.exposure:
        text = f"{config.exposure}, so anybody could use the keys of the channels"
        raise ConfigError(f"ANONYMOUS_CHANNELS: {text}: leave it out and set AUTH_KEY")
    if config.forwarded_fields == "auto" and config.trusted_proxy_count:
        config = replace(config, forwarded_fields="drop")
    if config.web_proxy == "open" and "WEB_PROXY" not in given and config.exposure:
        config = replace(config, web_proxy="token")
        doubts.append(
            f"WEB_PROXY=open of the file is not followed, for {config.exposure}: web pages are for the admin alone. "
            "Say it in the environment if anybody may see web pages through this gateway"
        )
    doubts += [
        f"NO_PROXY: {entry!r} is no name, address or CIDR, and is passed over"
        for entry in config.forward_proxies.ignored
    ]
    if any(0 < len(key) < GUESSED_BELOW for key in config.encryption_keys[:1]):
        doubts.append(f"ENCRYPTION_KEY is shorter than {GUESSED_BELOW} characters, so it may be guessed")
    if needless := sorted(filed.keys() & NEEDLESS):
        doubts.append(f"{', '.join(needless)}: not needed here, and passed over (docs/from_gpt_load.md)")
    known = variables.known | NEEDLESS
    doubts += _nearly_known(known, filed, 0.75) + _nearly_known(known, given.keys() - filed.keys(), 0.9)
    return replace(config, doubts=tuple(doubts))


class _Variables:
    """What is said, and which names were asked for."""

    def __init__(self, values: Mapping[str, str], spelled: dict[str, str]) -> None:
        self._values = values
        self.spelled = spelled
        """Of those that were said by another gateway's name: that name."""
        self.known = _READ_ELSEWHERE | OTHER_NAMES.keys() | PASSED_OVER.keys()

    def read(self, name: str, parse: Callable[[str], T], default: T) -> T:
        self.known.add(name)
        if name not in self._values:
            return default
        try:
            return parse(self._values[name])
        except ValueError as error:
            is_secret = name.endswith(("_KEY", "_TOKEN", "_URL"))  # a URL may hold a password
            said_as = self.spelled.get(name, name)
            shown = said_as if is_secret else f"{said_as}={self._values[name]!r}"
            raise ConfigError(f"{shown}: {error}") from None


def _config_of(variables: _Variables, given: Set[str]) -> Config:
    """What the variables say, each for itself. `given`: the names of those that stand in the environment."""
    read = variables.read
    defaults = {name: setting.default for name, setting in SETTINGS.items()}
    defaults["time_zone"] = read("TZ", zone_or_utc, "UTC")
    operator_values = {
        name: read(name.upper(), partial(check_setting, name), default) for name, default in defaults.items()
    }
    usual: KeysFile | None = usual_keys_file(ROOT)
    singles: dict[str, Any] = {
        single.name: read(single.metadata["name"], single.metadata["parse"], single.default)
        for single in fields(Config)
        if single.metadata
    }
    return Config(
        database=_database(read, singles["data_dir"]),
        redis_url=read("API_PROXY_REDIS_URL", check_redis_url, None) or read("REDIS_URL", check_redis_url, None),
        tcp_keepalive=TcpKeepalive(  # at most what Linux takes
            read("TCP_KEEPALIVE_IDLE", integer(0, 32_767), 30),
            read("TCP_KEEPALIVE_INTERVAL", integer(1, 32_767), 10),
            read("TCP_KEEPALIVE_COUNT", integer(1, 127), 3),
        ),
        trusted_proxy_count=read("TRUSTED_PROXY_COUNT", integer(0, 16), 1 if _BEHIND_A_ROUTER & given else 0),
        in_space="SPACE_ID" in given,
        keys_file=read("KEYS_FILE", named_keys_file(ROOT), usual),
        admin_token_name=variables.spelled.get("ADMIN_TOKEN", "ADMIN_TOKEN"),
        certificate_files=CertificateFiles(
            file=read("SSL_CERT_FILE", _path(certificate_file), None),
            folders=read("SSL_CERT_DIR", _folders, ()),
            bundle=read("REQUESTS_CA_BUNDLE", _path(certificate_bundle), None),
            added=read("CA_FILE", _path(certificate_file), None),
        ),
        forward_proxies=_forward_proxies({name: read(name, str, "") for name in VARIABLES}),
        limits=Limits().with_overrides(operator_values),
        settings=Settings().with_overrides(operator_values),
        **singles,
    )


def _database(read: Callable[..., Any], data_dir: Path) -> DatabaseUrl:
    """SQLite's relative paths count from the project's directory."""
    mode = read("SQLITE_JOURNAL_MODE", one_of("WAL", "TRUNCATE", "DELETE", "PERSIST"), "WAL")
    file: DatabaseUrl = read("SQLITE_PATH", sqlite_file, sqlite_file(str(data_dir / DATABASE_FILE)))
    url: DatabaseUrl = read("DATABASE_URL", parse_database_url, file)
    if url.kind is not DatabaseKind.SQLITE:
        return url
    return replace(url, name=str(ROOT / Path(url.name).expanduser()), journal_mode=mode)


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


def _is_heard(name: str, given: Mapping[str, str]) -> bool:
    """False for a proxy's variable in a file where the environment says it in the other case: that goes first."""
    return name not in VARIABLES or given.keys().isdisjoint((name.lower(), name.upper()))


def _renamed(values: Mapping[str, str | None]) -> Renamed:
    """What is said, by our names."""
    try:
        return by_our_names(_said(values))
    except CannotBe as error:
        raise ConfigError(f"{error.name}: {error}") from None


def _nearly_known(known: set[str], names: Iterable[str], likeness: float) -> list[str]:
    """What to say of names that nothing reads and that are spelled nearly like one of ours."""
    near = {name: get_close_matches(name.upper(), known, 1, likeness) for name in sorted(set(names) - known)}
    return [f"{name} is no setting and is passed over. Is {found[0]} meant?" for name, found in near.items() if found]


def _forward_proxies(variables: Mapping[str, str]) -> ForwardProxies:
    try:
        return parse_forward_proxies(variables)
    except ValueError as error:
        raise ConfigError(str(error)) from None
