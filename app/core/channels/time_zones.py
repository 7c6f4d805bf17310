"""Time zones by their IANA names."""

from __future__ import annotations

import re
from datetime import UTC, tzinfo

_NAME = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")

_zones: dict[str, tzinfo] = {"": UTC, "UTC": UTC}
"""Those that were asked for: reading one is reading a file, which no call should wait for."""


def zone_of(name: str) -> tzinfo:
    """A time zone by its IANA name; an empty one means UTC. Raises ValueError for one that does not exist."""
    zone = _zones.get(name)
    if zone is None:
        from zoneinfo import ZoneInfo  # 0.2 MB that most processes never need

        try:
            if not _NAME.fullmatch(name):
                raise ValueError
            zone = _zones[name] = ZoneInfo(name)
        except (LookupError, OSError, ValueError):
            raise ValueError(f"names no time zone: {name!r}; there are UTC, Europe/Berlin, Asia/Shanghai ...") from None
    return zone


def zone_or_utc(name: str) -> str:
    """Of TZ, which other programs read, too, and which may say what only the C library understands."""
    name = name.removeprefix(":")
    try:
        zone_of(name)
    except ValueError:
        return "UTC"
    return name or "UTC"
