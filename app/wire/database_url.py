"""Where a database is: URLs as deployments and platforms write them, and Go's form of a MySQL address.

    mysql://user:password@host:3306/name?tls=true
    postgres://user:password@host:5432/name?sslmode=verify-full        postgresql:// is the same
    sqlite:///data/gateway.db                                          four slashes: an absolute path
    user:password@tcp(host:3306)/name?tls=true&charset=utf8mb4         Go's (github.com/go-sql-driver/mysql)

Of options those count that say how a connection is secured; all others are words to other drivers and passed over.
No error repeats what may be a password.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit


class DatabaseKind(Enum):
    SQLITE = "SQLite"
    MYSQL = "MySQL"
    """And MariaDB, TiDB and others that speak its protocol."""
    POSTGRESQL = "PostgreSQL"


class Tls(Enum):
    OFF = "off"
    PREFERRED = "preferred"
    """Where the server offers it; whose certificate it has is not looked at."""
    REQUIRED = "required"
    """Or there is no connection; whose certificate it has is not looked at."""
    VERIFIED = "verified"
    """And the certificate is the host's, by an authority that is trusted."""


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """One database. Of SQLite `name` is the path of its file and the rest is empty."""

    kind: DatabaseKind
    name: str
    host: str = ""
    port: int = 0
    socket: str = ""
    """Path of a unix socket, in place of host and port."""
    user: str = ""
    password: str = field(default="", repr=False)
    tls: Tls = Tls.PREFERRED
    authority: str = ""
    """Path of a file of certificates that are trusted in place of all others; empty: as the deployment says."""
    options: tuple[tuple[str, str], ...] = ()
    """What PostgreSQL's library is told besides."""
    journal_mode: str = "WAL"
    """Of SQLite."""

    def __str__(self) -> str:
        """For people: without password."""
        if self.kind is DatabaseKind.SQLITE:
            return f"SQLite {self.name}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.user}@" if self.user else ""
        return f"{self.kind.value} {user}{self.socket or f'{host}:{self.port}'}/{self.name}"


_KINDS: Final = {
    "sqlite": DatabaseKind.SQLITE,
    "mysql": DatabaseKind.MYSQL,
    "mariadb": DatabaseKind.MYSQL,
    "postgres": DatabaseKind.POSTGRESQL,
    "postgresql": DatabaseKind.POSTGRESQL,
}
_PORTS: Final = {DatabaseKind.MYSQL: 3306, DatabaseKind.POSTGRESQL: 5432}
_TLS: Final = {
    **dict.fromkeys(("false", "0", "off", "disable", "disabled"), Tls.OFF),
    **dict.fromkeys(("preferred", "prefer", "allow"), Tls.PREFERRED),
    **dict.fromkeys(("skip-verify", "require", "required"), Tls.REQUIRED),
    **dict.fromkeys(
        ("true", "1", "on", "verify-ca", "verify_ca", "verify-full", "verify_identity", "strict", "tidb"), Tls.VERIFIED
    ),
}
"""Words of Go's driver, of MySQL's and PostgreSQL's own clients, and the name under which TiDB's lines have it."""
_TLS_OPTIONS: Final = ("tls", "sslmode", "ssl-mode", "ssl_mode", "ssl", "sslaccept")
_AUTHORITY_OPTIONS: Final = ("sslrootcert", "ssl-ca", "ssl_ca", "sslca")
_CHARSETS: Final = ("utf8mb4", "utf8")
_TOLD_POSTGRESQL: Final = ("channel_binding", "target_session_attrs", "options", "sslcert", "sslkey")
_FORMS: Final = "must start with mysql://, postgres://, postgresql:// or sqlite:///"
_ESCAPES: Final = "a '/', '#', '?' or '@' in the password is written %2F, %23, %3F, %40"


def parse_database_url(text: str) -> DatabaseUrl:
    """Raises ValueError that says what is wrong."""
    scheme, separator, rest = text.partition("://")
    kind = _KINDS.get(scheme.partition("+")[0].lower())  # mysql+pymysql:// names a driver, too
    if not separator or kind is None:
        raise ValueError(_FORMS)
    if kind is DatabaseKind.SQLITE:
        return sqlite_file(unquote(rest.partition("?")[0].removeprefix("/")) if rest.startswith("/") else "")
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(f"its host or port cannot be read; {_ESCAPES}") from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "@" in host or "@" in parts.path or parts.fragment:
        raise ValueError(f"it cannot be read; {_ESCAPES}")
    socket = options.get("unix_socket", "")
    if kind is DatabaseKind.POSTGRESQL and options.get("host", "").startswith("/"):
        socket = options["host"]
    return _server(
        kind,
        name=unquote(parts.path.removeprefix("/")),
        host="" if socket else unquote(host) or "127.0.0.1",
        port=port or _PORTS[kind],
        socket=socket,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        options=options,
    )


def sqlite_file(path: str, journal_mode: str = "WAL") -> DatabaseUrl:
    """Raises ValueError for what is no file."""
    if not path or path.endswith("/") or path.startswith(":memory:"):
        raise ValueError("must name a file, as in sqlite:///data/gateway.db: worker and web processes share it")
    return DatabaseUrl(DatabaseKind.SQLITE, path, journal_mode=journal_mode)


def url_of_go_address(text: str) -> str:
    """A URL that says what an address of Go's MySQL driver says. Raises ValueError."""
    if "://" in text:
        parse_database_url(text)
        return text
    before, slash, after = text.rpartition("/")
    if not slash:
        raise ValueError("must be user:password@tcp(host:3306)/name, or a URL mysql://user:password@host:3306/name")
    who, _, where = before.rpartition("@")
    user, _, password = who.partition(":")
    protocol, bracket, address = where.partition("(")
    if where and (protocol not in ("tcp", "unix") or (bracket and not address.endswith(")"))):
        raise ValueError("must say tcp(host:port) or unix(/path) behind the '@'")
    address = address[:-1] if bracket else ""
    name, _, query = after.partition("?")
    if protocol == "unix":
        query, address = f"{query}&unix_socket={quote(address, safe='')}", ""
    elif not address:
        address = "127.0.0.1:3306"
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if who else ""
    url = f"mysql://{login}{address}/{quote(unquote(name), safe='')}?{query}".removesuffix("?")
    parse_database_url(url)
    return url


def _server(
    kind: DatabaseKind,
    *,
    name: str,
    host: str,
    port: int,
    socket: str,
    user: str,
    password: str,
    options: dict[str, str],
) -> DatabaseUrl:
    if not name:
        raise ValueError("must name a database behind its host, as in mysql://user:password@host:3306/gateway")
    charsets = [one for one in options.get("charset", "").lower().split(",") if one]
    if charsets and charsets[0] not in _CHARSETS:
        raise ValueError("its charset must be utf8mb4: all others lack characters")
    return DatabaseUrl(
        kind,
        name,
        host=host,
        port=port,
        socket=socket,
        user=user,
        password=password,
        tls=_tls(options),
        authority=next((options[one] for one in _AUTHORITY_OPTIONS if options.get(one, "system") != "system"), ""),
        options=tuple((one, options[one]) for one in _TOLD_POSTGRESQL if one in options)
        if kind is DatabaseKind.POSTGRESQL
        else (),
    )


def _tls(options: dict[str, str]) -> Tls:
    for name in _TLS_OPTIONS:
        if word := options.get(name, ""):
            if word.startswith("{"):  # {"rejectUnauthorized":true}, as JavaScript's drivers have it
                return Tls.REQUIRED if "false" in word else Tls.VERIFIED
            if word.lower() not in _TLS:
                raise ValueError(f"its option {name} must be true, skip-verify, preferred or false")
            return _TLS[word.lower()]
    return Tls.PREFERRED
