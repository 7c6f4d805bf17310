"""What the operator said, frozen: the mappings and the Snapshot that holds them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Mapping:
    """A route from `prefix` to `target`, the target taken apart so that a request need not parse it."""

    prefix: str
    target: str
    scheme: str
    host: str
    """Without brackets and in lower case; what is resolved and named in TLS."""
    port: int
    authority: str
    """The value of the `Host` header: without the port where it is the scheme's own."""
    base_path: str
    """The target's path without a trailing slash; empty for a bare host."""


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
    rejected: dict[str, str] = field(default_factory=dict)
    """Stored entries that are no valid mapping: prefix and why."""
