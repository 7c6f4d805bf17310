"""Through which proxy an upstream is reached: what HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say.

There is no standard for these variables. Which of them counts is read as curl does; NO_PROXY is read as Go's
golang.org/x/net/http/httpproxy does, which of the common readers is the only one that says all it means.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from app.core.network.addresses import Address, Network, canonical_host, is_localhost

_NAMES = ("https_proxy", "http_proxy", "all_proxy", "no_proxy")
VARIABLES = (*_NAMES, *(name.upper() for name in _NAMES))
DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
"""By the scheme of the proxy's URL."""
_MAX_CREDENTIAL_BYTES = 255  # RFC 1929, 2


@dataclass(frozen=True, slots=True)
class ForwardProxy:
    """A proxy that the operator named."""

    scheme: str
    """`http`, `https` (TLS to the proxy itself), `socks5` (we resolve names) or `socks5h` (the proxy does)."""
    host: str
    port: int
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def resolves_names(self) -> bool:
        """True when the proxy is given names; then nobody here knows the addresses."""
        return self.scheme != "socks5"

    def __str__(self) -> str:
        """The proxy's URL without credentials, fit for a log."""
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


class WayOut(NamedTuple):
    """How an upstream is reached that is not dialled directly. Part of the pool's key."""

    proxy: ForwardProxy
    tunnels: bool
    """True: the proxy hands bytes on. False: it is an HTTP proxy that is asked for http:// URLs (RFC 9112, 3.2.2)."""


class Exempt(NamedTuple):
    """One entry of NO_PROXY: a network or a name, at one port or at all (None)."""

    network: Network | None
    name: str
    """Canonical. `.example` holds all names below `example`, not itself; `example` holds both."""
    port: int | None

    def holds(self, host: str, address: Address | None, port: int) -> bool:
        if self.port not in (None, port):
            return False
        if self.network is not None:
            return address is not None and address in self.network
        return host.endswith(self.name if self.name.startswith(".") else f".{self.name}") or host == self.name


@dataclass(frozen=True, slots=True)
class ForwardProxies:
    """The deployment's proxies: read once, asked for each call."""

    http: ForwardProxy | None = None
    """For http:// upstreams."""
    https: ForwardProxy | None = None
    exempt: tuple[Exempt, ...] = ()
    ignored: tuple[str, ...] = ()
    """Entries of NO_PROXY that mean nothing here. The variable is shared with other programs, so it stops no start."""

    def way_to(self, scheme: str, host: str, port: int, *, switches: bool = False) -> WayOut | None:
        """How a canonical host is reached; None when directly, as loopback always is.

        `switches`: the request asks to leave HTTP, which an HTTP proxy passes on through a tunnel only (RFC 6455, 4.1).
        """
        proxy = self.https if scheme == "https" else self.http
        if proxy is None or self._exempts(host.removesuffix("."), port):
            return None
        return way_through(proxy, scheme, switches=switches)

    def _exempts(self, host: str, port: int) -> bool:
        address = _address(host)
        if is_localhost(host) or (address is not None and address.is_loopback):
            return True
        return any(entry.holds(host, address, port) for entry in self.exempt)

    def __str__(self) -> str:
        """Fit for a log; empty when there is none."""
        if self.http == self.https:
            return str(self.http or "")
        proxies = (("https", self.https), ("http", self.http))
        return ", ".join(f"{proxy} for {scheme}://" for scheme, proxy in proxies if proxy is not None)


def way_through(proxy: ForwardProxy, scheme: str, *, switches: bool = False) -> WayOut:
    """The way through a proxy to an upstream of `scheme`; see ForwardProxies.way_to for `switches`."""
    return WayOut(proxy, scheme == "https" or switches or proxy.scheme not in ("http", "https"))


def parse_forward_proxies(variables: MappingOf[str, str]) -> ForwardProxies:
    """Reads the variables among `variables`; of a name in both spellings the lower case counts, as in curl.

    Raises ValueError, which names the variable and not its value: that may hold a password.
    """
    every = _proxy_of(variables, "all_proxy")
    http = _proxy_of(variables, "http_proxy") or every
    https = _proxy_of(variables, "https_proxy") or every
    exempt: list[Exempt] = []
    ignored: list[str] = []
    for text in (variables.get("no_proxy") or variables.get("NO_PROXY") or "").replace(",", " ").split():
        if text == "*":
            return ForwardProxies()
        try:
            exempt.append(_parse_exempt(text))
        except ValueError:
            ignored.append(text)
    if http is None and https is None:
        exempt = []
    return ForwardProxies(http, https, tuple(exempt), tuple(ignored))


def _proxy_of(variables: MappingOf[str, str], name: str) -> ForwardProxy | None:
    for spelling in (name, name.upper()):
        if variables.get(spelling):
            try:
                return parse_proxy_url(variables[spelling].strip())
            except ValueError as error:
                raise ValueError(f"{spelling}: {error}") from None
    return None


def parse_proxy_url(text: str) -> ForwardProxy:
    """A proxy's URL, such as `http://user:password@proxy.corp.example:3128`; without a scheme it is http.

    Raises ValueError, whose text repeats no part that may be a password.
    """
    escaped = "; in a user name or password '/', '#', '?', '@' and ':' are written %2F, %23, %3F, %40 and %3A"
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = canonical_host(parts.hostname or ""), parts.port
    except ValueError:
        raise ValueError(f"its host or port is none{escaped}") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError("must start with http://, https://, socks5:// (names are resolved here) or socks5h://")
    if parts.path.strip("/") or parts.query or parts.fragment or port == 0:
        raise ValueError(f"must end after host and port, such as http://proxy.example:3128{escaped}")
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    if max(len(username.encode()), len(password.encode())) > _MAX_CREDENTIAL_BYTES:
        raise ValueError(f"its user name and password have at most {_MAX_CREDENTIAL_BYTES} bytes each")
    return ForwardProxy(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], username, password)


def _parse_exempt(text: str) -> Exempt:
    if "/" in text:
        return Exempt(ip_network(text, strict=False), "", None)
    whole = _address(text)
    where, port = (text, None) if whole else _split_port(text)
    address = whole or _address(where.removeprefix("[").removesuffix("]"))
    if address is not None:
        return Exempt(ip_network(address), "", port)
    where = where.removeprefix("*")
    dot = "." if where.startswith(".") else ""
    name = canonical_host(where.removeprefix("."))
    if "*" in name:
        raise ValueError(text)
    return Exempt(None, dot + name.removesuffix("."), port)


def _split_port(text: str) -> tuple[str, int | None]:
    where, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        return text, None
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(text)
    return where, int(port)


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
