"""The limits that an operator sets: one table, from which environment, API, pages and documentation come.

A limit's value is the mapping's own, else the operator's general one, else the deployment's (environment), else the
table's default. It is worked out when the Snapshot is built, so a request finds it ready.
"""

from __future__ import annotations

import math
from collections.abc import Mapping as MappingOf
from dataclasses import asdict, dataclass, replace
from typing import Any

from app.core.errors import InvalidSetting, UnknownSetting

Number = int | float
"""A value in its right kind. Not only `float`: compiled code would make floats of whole numbers then."""


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    kind: type[int] | type[float]
    default: Number
    minimum: Number
    maximum: Number
    unit: str
    meaning: str
    per_mapping: bool = True
    """False for what only makes sense for the whole gateway."""


_DAY_S = 86_400

SETTINGS = {
    setting.name: setting
    for setting in (
        Setting("connect_timeout", float, 10.0, 0.001, _DAY_S, "s", "Longest wait for a connection: name, TCP and TLS"),
        Setting(
            "first_byte_timeout", float, 600.0, 0.001, _DAY_S, "s", "Longest wait for an answer once the request is out"
        ),
        Setting("idle_timeout", float, 300.0, 0.001, _DAY_S, "s", "Longest silence between two pieces of a body"),
        Setting("total_timeout", float, 0.0, 0, 7 * _DAY_S, "s", "Longest time of a whole call; 0: no limit"),
        Setting("max_concurrency", int, 0, 0, 1_000_000, "calls", "Most calls at once, in all processes; 0: no limit"),
        Setting("queue_timeout", float, 0.0, 0, 3600, "s", "Longest wait for a place when all are taken; 0: none"),
        Setting("requests_per_second", float, 0.0, 0, 1_000_000, "1/s", "Most calls begun each second; 0: no limit"),
        Setting("burst", int, 0, 0, 1_000_000, "calls", "Calls that may come at once; 0: as many as in one second"),
        Setting("max_body_bytes", int, 0, 0, 2**50, "bytes", "Longest request body; 0: no limit"),
        Setting(
            "global_requests_per_second", float, 0.0, 0, 1_000_000, "1/s", "The same for all mappings together", False
        ),
        Setting("global_burst", int, 0, 0, 1_000_000, "calls", "The same for all mappings together", False),
        Setting(
            "web_first_byte_timeout",
            float,
            120.0,
            0.001,
            _DAY_S,
            "s",
            "first_byte_timeout of web pages (/proxy/)",
            False,
        ),
        Setting("web_idle_timeout", float, 60.0, 0.001, _DAY_S, "s", "idle_timeout of web pages (/proxy/)", False),
    )
}


@dataclass(frozen=True, slots=True)
class Limits:
    """The values in force, by the names and units of SETTINGS."""

    connect_timeout: float = 10.0
    first_byte_timeout: float = 600.0
    idle_timeout: float = 300.0
    total_timeout: float = 0.0
    max_concurrency: int = 0
    queue_timeout: float = 0.0
    requests_per_second: float = 0.0
    burst: int = 0
    max_body_bytes: int = 0
    global_requests_per_second: float = 0.0
    global_burst: int = 0
    web_first_byte_timeout: float = 120.0
    web_idle_timeout: float = 60.0

    def with_overrides(self, overrides: MappingOf[str, Number]) -> Limits:
        return replace(self, **overrides) if overrides else self  # type: ignore[arg-type]  # check_setting knows the kinds

    def as_dict(self) -> dict[str, Number]:
        return asdict(self)


def burst_of(rate: float, burst: int) -> int:
    """The burst in force: what was set, else what one second lets through."""
    return burst or max(1, math.ceil(rate))


def check_setting(name: str, value: Any, *, for_mapping: bool = False) -> Number:
    """The value in its right kind. Numbers may come as text. Raises InvalidSetting, which says what would do."""
    setting = SETTINGS.get(name)
    if setting is None or (for_mapping and not setting.per_mapping):
        known = ", ".join(one.name for one in SETTINGS.values() if one.per_mapping or not for_mapping)
        raise UnknownSetting(f"there is no setting {name!r} here; there are {known}", name)
    number = _number(value)
    if (
        number is None
        or not setting.minimum <= number <= setting.maximum
        or (setting.kind is int and number != int(number))
    ):
        kind = "a whole number" if setting.kind is int else "a number"
        span = f"from {setting.minimum:g} to {setting.maximum:,.0f} ({setting.unit})"
        raise InvalidSetting(f"{name} must be {kind} {span}, not {value!r}", name)
    return setting.kind(number)


def check_settings(values: Any, *, for_mapping: bool = False) -> dict[str, Number]:
    """All of a JSON object's values, checked; those that are null are left out. Raises InvalidSetting."""
    if not isinstance(values, dict):
        raise InvalidSetting("settings must be a JSON object of names and numbers")
    return {
        str(name): check_setting(str(name), value, for_mapping=for_mapping)
        for name, value in values.items()
        if value is not None
    }


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
