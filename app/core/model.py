"""What the operator said, frozen: the mappings, where they lead, and the Snapshot that holds them."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.core.errors import Invalid
from app.core.forward_proxies import ForwardProxy
from app.core.settings import Limits, Settings, Value


@dataclass(frozen=True, slots=True)
class Upstream:
    """A server that we call: its address taken apart, so that a request need not parse it, and what holds for calls."""

    scheme: str
    host: str
    """Canonical (`core.addresses.canonical_host`); what is resolved and named in TLS."""
    port: int
    authority: str
    """The value of the `Host` header: without the port where it is the scheme's own."""
    base_path: str
    """What stands before the path of every request, without a trailing slash; empty for a bare host."""
    limits: Limits = Limits()
    """Those in force: the mapping's own over the operator's general ones over the deployment's."""
    proxy: ForwardProxy | None = None
    """The proxy through which it is reached; None: as the deployment says."""
    from_caller: bool = False
    """True when not the operator but the caller names it, as with web pages: its port is then judged too."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """A route from `prefix` to `target`."""

    prefix: str
    target: str
    upstream: Upstream
    """What the target says."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that the operator said at one instant. Replaced whole, so nobody sees a half-applied change."""

    version: int = 0
    mappings: dict[str, Mapping] = field(default_factory=dict)
    """By the mapping's prefix, as the operator wrote it."""
    routes: dict[str, Mapping] = field(default_factory=dict)
    """By the prefix as it stands on the wire; see `core.routing.build_snapshot`."""
    depth: int = 0
    """The most segments of any prefix: how far into a path the router must look."""
    limits: Limits = Limits()
    """The operator's general limits over the deployment's."""
    settings: Settings = Settings()
    """The gateway's settings in force: the operator's over the deployment's."""
    changed: dict[str, Value] = field(default_factory=dict)
    """What the operator set of both, by name."""
    options: dict[str, dict[str, Value]] = field(default_factory=dict)
    """What the operator set for one mapping, by prefix."""
    rejected: dict[str, Invalid] = field(default_factory=dict)
    """Stored entries that make no sense: prefix or setting, and why."""
