"""The values of what an operator sets (`core.setting_table`), as calls find them.

A limit's value is the mapping's own, else the operator's general one, else the deployment's (environment), else the
table's default. It is worked out when the Snapshot is built, so a request finds it ready.
"""

from __future__ import annotations

import math
from collections.abc import Mapping as MappingOf
from dataclasses import asdict, dataclass, replace
from typing import Any

from app.core.errors import InvalidSetting, UnknownSetting
from app.core.kinds import Value
from app.core.setting_table import GATEWAY_SETTINGS, LIMITS, OPTIONS, SETTINGS


@dataclass(frozen=True, slots=True)
class Limits:
    """The values in force for an upstream, by the names and units of LIMITS."""

    connect_timeout: float = 10.0
    first_byte_timeout: float = 600.0
    idle_timeout: float = 300.0
    total_timeout: float = 0.0
    max_concurrency: int = 0
    queue_timeout: float = 0.0
    requests_per_second: float = 0.0
    burst: int = 0
    max_body_bytes: int = 0

    def with_overrides(self, overrides: MappingOf[str, Value]) -> Limits:
        """These with the limits among `overrides` in their place."""
        own = {name: value for name, value in overrides.items() if name in LIMITS}
        return replace(self, **own) if own else self  # type: ignore[arg-type]  # check_setting knows the kinds


@dataclass(frozen=True, slots=True)
class Settings:
    """The values in force for the gateway, by the names and units of GATEWAY_SETTINGS."""

    first_useful_timeout: float = 300.0
    web_first_byte_timeout: float = 120.0
    web_idle_timeout: float = 60.0
    keepalive_comment_s: float = 15.0
    keepalive_before_commit: bool = False
    global_max_concurrency: int = 0
    global_requests_per_second: float = 0.0
    global_burst: int = 0
    max_attempts: int = 6
    max_keys_per_channel: int = 3
    hold_max_bytes: int = 1024 * 1024
    replay_max_bytes: int = 32 * 1024 * 1024
    empty_is_error: bool = False
    resting_fallback: bool = True
    model_strip_date: bool = True
    model_contains: bool = False
    affinity: str = "ids"
    affinity_ttl_s: float = 3600.0
    affinity_ids_ttl_s: float = 86_400.0
    health_penalty: bool = False
    health_penalty_weight: float = 100.0
    health_window_s: float = 1800.0
    health_min_samples: int = 20
    slow_penalty_weight: float = 0.0
    time_zone: str = "UTC"
    cooldown_auth_s: float = 300.0
    cooldown_server_s: float = 120.0
    cooldown_timeout_s: float = 60.0
    cooldown_rate_limit_s: float = 60.0
    cooldown_min_s: float = 10.0
    cooldown_max_s: float = 1800.0
    blacklist_threshold: int = 3
    revalidate_interval_s: float = 3600.0
    check_interval_s: float = 0.0
    validate_concurrency: int = 10
    validate_timeout_s: float = 20.0
    meter_mappings: str = "tokens"
    openai_include_usage: bool = False
    budget_default_output_tokens: int = 8192
    budget_unpriced: str = "refuse"
    budget_cut_streams: bool = False
    budget_when_redis_away: str = "stop"
    budget_local_usd: str = "1"
    anonymous_channels: bool = False
    public_cost: bool = False
    route_headers: bool = True
    log_requests: bool = True
    log_retention_days: int = 7
    log_max_bytes: int = 4 * 1024**3
    log_success_share: float = 1.0
    log_bodies_minutes: int = 0

    def with_overrides(self, overrides: MappingOf[str, Value]) -> Settings:
        """These with the gateway's settings among `overrides` in their place."""
        own = {name: value for name, value in overrides.items() if name in GATEWAY_SETTINGS}
        return replace(self, **own) if own else self  # type: ignore[arg-type]


def values_of(limits: Limits, settings: Settings) -> dict[str, Value]:
    """Both by name, in the table's order."""
    return asdict(limits) | asdict(settings)


def burst_of(rate: float, burst: int) -> int:
    """The burst in force: what was set, else what one second lets through."""
    return burst or max(1, math.ceil(rate))


def check_setting(name: str, value: Any, *, for_mapping: bool = False) -> Value:
    """The value in its right kind. Numbers may come as text. Raises InvalidSetting, which says what would do."""
    known = OPTIONS if for_mapping else SETTINGS
    setting = known.get(name)
    if setting is None:
        raise UnknownSetting(f"there is no setting {name!r} here; there are {', '.join(known)}", name)
    try:
        return setting.kind.parse(value)
    except ValueError as error:
        raise InvalidSetting(f"{name} {error}", name) from None


def check_options(values: Any) -> dict[str, Value]:
    """What one mapping has of its own, as its `options` say; nulls are left out. Raises InvalidSetting."""
    if not isinstance(values, dict):
        raise InvalidSetting("options must be a JSON object of names and values", "options")
    try:
        return {
            str(name): check_setting(str(name), value, for_mapping=True)
            for name, value in values.items()
            if value is not None
        }
    except InvalidSetting as error:
        error.field = f"options.{error.field}"
        raise


def shown_options(options: MappingOf[str, Value]) -> dict[str, Value]:
    """A mapping's options as the operator may see them."""
    return {name: OPTIONS[name].kind.shown(value) for name, value in options.items()}


def unmasked_options(options: MappingOf[str, Any], stored: MappingOf[str, Value]) -> dict[str, Any]:
    """Options that an operator sends, with what was shown to him masked, and stayed so, as it is stored."""
    return {
        name: stored[name] if name in stored and value == OPTIONS[name].kind.shown(stored[name]) else value
        for name, value in options.items()
    }
