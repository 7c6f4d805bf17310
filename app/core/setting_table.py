"""What an operator sets: one table, from which environment, API, pages and documentation come.

Some settings hold for calls to an upstream (LIMITS), others for the gateway as a whole (GATEWAY_SETTINGS).
`docs/settings.md` is made of it by scripts/settings_page.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from app.core.kinds import Choice, Flag, Kind, Number, ProxyUrl, TimeZone, Usd, Value

_DAY_S: Final = 86_400

Owner = Literal["mapping", "channel"]
"""What may have a value of its own, which goes before the general one."""

_MAPPINGS: Final[tuple[Owner, ...]] = ("mapping",)
_CHANNELS: Final[tuple[Owner, ...]] = ("channel",)
_BOTH: Final = _MAPPINGS + _CHANNELS


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    kind: Kind
    default: Value
    meaning: str
    owners: tuple[Owner, ...] = ()
    group: str = ""
    """One of GROUPS; empty for what has no general value."""


def _seconds(
    name: str,
    default: float,
    meaning: str,
    *,
    minimum: float = 0.001,
    maximum: float = _DAY_S,
    owners: tuple[Owner, ...] = (),
) -> Setting:
    return Setting(name, Number(float, minimum, maximum, "s"), default, meaning, owners)


def _calls(name: str, meaning: str, owners: tuple[Owner, ...] = ()) -> Setting:
    return Setting(name, Number(int, 0, 1_000_000, "calls"), 0, meaning, owners)


def _bytes(name: str, default: int, meaning: str) -> Setting:
    return Setting(name, Number(int, 1024, 2**40, "bytes"), default, meaning)


def _rate(name: str, meaning: str, owners: tuple[Owner, ...] = ()) -> Setting:
    return Setting(name, Number(float, 0, 1_000_000, "1/s"), 0.0, meaning, owners)


def _rest(name: str, default: float, meaning: str) -> Setting:
    return Setting(name, Number(float, 1, _DAY_S, "s"), default, meaning)


def _points(name: str, default: float, meaning: str) -> Setting:
    return Setting(name, Number(float, 0, 100_000, "points"), default, meaning)


def _flag(name: str, default: bool, meaning: str, owners: tuple[Owner, ...] = ()) -> Setting:
    return Setting(name, Flag(), default, meaning, owners)


_TIMEOUTS: Final = (
    _seconds("connect_timeout", 10.0, "Longest wait for a connection: name, TCP and TLS", owners=_BOTH),
    _seconds("first_byte_timeout", 600.0, "Longest wait for an answer once the request is out", owners=_BOTH),
    _seconds(
        "first_useful_timeout",
        300.0,
        "Longest wait of a stream from a channel for its first useful content; 0: first_byte_timeout counts",
        minimum=0,
        owners=_CHANNELS,
    ),
    _seconds("idle_timeout", 300.0, "Longest silence between two pieces of a body", owners=_BOTH),
    _seconds(
        "total_timeout",
        0.0,
        "Longest time of a whole call; 0: no limit",
        minimum=0,
        maximum=7 * _DAY_S,
        owners=_BOTH,
    ),
    _seconds("web_first_byte_timeout", 120.0, "first_byte_timeout of web pages (/proxy/)"),
    _seconds("web_idle_timeout", 60.0, "idle_timeout of web pages (/proxy/)"),
    _seconds(
        "keepalive_comment_s",
        15.0,
        "Silence of a channel's stream after which its client is sent a comment; 0: none",
        minimum=0,
    ),
    _flag(
        "keepalive_before_commit",
        False,
        "Whether that comment is sent while no channel has answered yet: what fails then is told within the stream",
    ),
)

_LIMITS: Final = (
    _calls("max_concurrency", "Most calls at once of a mapping, in all processes; 0: no limit", _MAPPINGS),
    _seconds(
        "queue_timeout",
        0.0,
        "Longest wait for a place when all are taken; 0: none",
        minimum=0,
        maximum=3600,
        owners=_BOTH,
    ),
    _rate("requests_per_second", "Most calls of a mapping begun each second; 0: no limit", _MAPPINGS),
    _calls("burst", "Calls of a mapping that may come at once; 0: as many as in one second", _MAPPINGS),
    Setting("max_body_bytes", Number(int, 0, 2**50, "bytes"), 0, "Longest request body; 0: no limit", _BOTH),
    _calls("global_max_concurrency", "Most calls at once of all mappings and channels; 0: no limit"),
    _rate("global_requests_per_second", "Most calls of all mappings begun each second; 0: no limit"),
    _calls("global_burst", "Calls of all mappings that may come at once; 0: as many as in one second"),
)

_ATTEMPTS: Final = (
    Setting("max_attempts", Number(int, 1, 100, "attempts"), 6, "Most attempts of one call to channels"),
    Setting("max_keys_per_channel", Number(int, 1, 100, "keys"), 3, "Most keys of one channel that a call tries"),
    _bytes("hold_max_bytes", 1024 * 1024, "Most of a channel's answer that is held until it is known to be good"),
    _bytes(
        "replay_max_bytes",
        32 * 1024 * 1024,
        "Longest request body that can be sent again; what is longer streams, once",
    ),
    _flag("empty_is_error", False, "Whether an answer that says nothing (no text, tool call, reasoning) failed"),
    _flag(
        "resting_fallback",
        True,
        "Whether the channel that is back first is tried when all rest, if nobody told for how long",
    ),
)

_CHOOSING: Final = (
    _flag(
        "model_strip_date", True, "Whether a model may be served under its name without, or with, the date at its end"
    ),
    _flag("model_contains", False, "Whether a part of a model's name is enough"),
    Setting(
        "affinity",
        Choice(("off", "ids", "ids_and_prefix")),
        "ids",
        "Whether a conversation keeps its key: by the ids that clients send, also by how it begins, or not",
    ),
    _seconds("affinity_ttl_s", 3600.0, "How long a conversation keeps its key after its last call", minimum=1),
    _seconds(
        "affinity_ids_ttl_s",
        86_400.0,
        "How long ids that answers gave (of responses, files, batches) lead back to their key",
        minimum=1,
        maximum=90 * _DAY_S,
    ),
    _flag("health_penalty", False, "Whether failures take off a channel's priority"),
    _points("health_penalty_weight", 100.0, "What failures alone take off a priority"),
    _seconds("health_window_s", 1800.0, "How far back failures are looked at", minimum=60),
    Setting("health_min_samples", Number(int, 1, 100_000, "attempts"), 20, "Attempts that make a share count in full"),
    _points(
        "slow_penalty_weight", 0.0, "What a first byte twice as late as the median takes off a priority; 0: nothing"
    ),
    Setting("time_zone", TimeZone(), "UTC", "Time zone of a channel's day, and of its hours where they name none"),
)

_RESTS: Final = (
    _rest("cooldown_auth_s", 300.0, "First rest after a refused key, a spent one or a suspended account"),
    _rest("cooldown_server_s", 120.0, "First rest after an error of the server, or none reached"),
    _rest("cooldown_timeout_s", 60.0, "First rest after no answer in time, or one that is none or not whole"),
    _rest("cooldown_rate_limit_s", 60.0, "First rest after a rate limit; of a model that is overloaded or missing"),
    _rest("cooldown_min_s", 10.0, "Shortest rest that no upstream told; each further failure doubles it"),
    _rest("cooldown_max_s", 1800.0, "Longest rest that no upstream told"),
    Setting(
        "blacklist_threshold",
        Number(int, 0, 1000, "refusals"),
        3,
        "Refusals (401, 403) without a success between them that take a key out of its pool; 0: never",
    ),
)

_CHECKS: Final = (
    _seconds(
        "revalidate_interval_s",
        3600.0,
        "How often a blacklisted key is tried again, about; 0: never",
        minimum=0,
        maximum=30 * _DAY_S,
    ),
    _seconds(
        "check_interval_s",
        0.0,
        "How often each channel that has a check_model is asked for it; 0: never",
        minimum=0,
        maximum=30 * _DAY_S,
    ),
    Setting("validate_concurrency", Number(int, 1, 200, "keys"), 10, "Keys that a validation tries at once"),
    _seconds("validate_timeout_s", 20.0, "Longest try of one key by a validation", minimum=1, maximum=120),
)

_USAGE: Final = (
    Setting(
        "meter_mappings",
        Choice(("off", "tokens", "all")),
        "tokens",
        "Of which calls through mappings the usage is read: none, those with an access token, all",
    ),
    _flag(
        "openai_include_usage",
        False,
        "Whether streams of chat/completions from channels are asked for their usage, which clients do not see",
    ),
    Setting(
        "budget_default_output_tokens",
        Number(int, 1, 100_000_000, "tokens"),
        8192,
        "Output for which money is held where a request sets no limit, for access tokens that have a budget",
    ),
    Setting(
        "budget_unpriced",
        Choice(("refuse", "allow")),
        "refuse",
        "Whether access tokens that have a budget may use models without a price, which then cost nothing",
    ),
    _flag(
        "budget_cut_streams",
        False,
        "Whether a stream is ended that has cost more than was held for it, by a budget that has no more",
    ),
    Setting(
        "budget_when_redis_away",
        Choice(("stop", "local")),
        "stop",
        "While Redis is away: refuse access tokens that have limits, or let each process hold its share of them",
    ),
    Setting(
        "budget_local_usd",
        Usd(),
        "1",
        "Where budget_when_redis_away is local: what each process may spend of a budget meanwhile",
    ),
)

_TOLD: Final = (
    _flag(
        "anonymous_channels",
        False,
        "Whether this machine may call channels without an access token; only where HOST is loopback and no reverse "
        "proxy stands in front",
    ),
    _flag("public_cost", False, "Whether /public/summary, which anybody may ask, tells what calls cost"),
    _flag("route_headers", True, "Whether answers of channels tell which one served them"),
    _flag("log_requests", True, "Whether each finished request has its line in the log"),
)

_LOG: Final = (
    Setting(
        "log_retention_days",
        Number(int, -1, 36_500, "days"),
        7,
        "How long rows of the request log are kept; -1: until log_max_bytes is reached",
    ),
    Setting(
        "log_max_bytes",
        Number(int, 64 * 1024 * 1024, 2**50, "bytes"),
        4 * 1024**3,
        "How much room the request log takes, with its journal; then its oldest rows go",
    ),
    Setting(
        "log_success_share",
        Number(float, 0, 1, "share"),
        1.0,
        "Share of the calls that succeeded at once which the request log keeps; statistics count all",
    ),
    Setting(
        "log_bodies_minutes",
        Number(int, 0, 1440, "min"),
        0,
        "How long the bodies of calls and of their answers are kept, secrets masked; 0: not at all",
    ),
)

_GROUPS: Final = (
    ("timeouts", "Timeouts", _TIMEOUTS),
    ("limits", "Limits", _LIMITS),
    ("attempts", "Attempts", _ATTEMPTS),
    ("choosing", "Which channel is chosen", _CHOOSING),
    ("rests", "Rests", _RESTS),
    ("checks", "Checks", _CHECKS),
    ("usage", "Usage and budgets", _USAGE),
    ("told", "Who may call, and what is told", _TOLD),
    ("log", "The request log", _LOG),
)

GROUPS: Final = {name: title for name, title, _ in _GROUPS}
"""What groups of settings are called, in the order in which they are shown."""


def _by_name(settings: Iterable[Setting]) -> dict[str, Setting]:
    return {setting.name: setting for setting in settings}


SETTINGS: Final = _by_name(replace(setting, group=group) for group, _, settings in _GROUPS for setting in settings)
"""What has a value for the whole gateway, in the order in which it is shown."""

LIMITS: Final = _by_name(setting for setting in SETTINGS.values() if "mapping" in setting.owners)
"""What holds for calls to one upstream. May be set for all mappings and for one."""

GATEWAY_SETTINGS: Final = _by_name(setting for setting in SETTINGS.values() if setting.name not in LIMITS)
"""What holds for the whole gateway, or for channels."""

CHANNEL_OPTIONS: Final = _by_name(setting for setting in SETTINGS.values() if "channel" in setting.owners)
"""What a channel may have of its own beside its fields."""

MAPPING_OPTIONS: Final = _by_name(
    (
        Setting(
            "proxy_url", ProxyUrl(), "", "Proxy to the upstream; empty: as HTTPS_PROXY and its like say", _MAPPINGS
        ),
        _flag("require_token", False, "Whether its calls must show an access token", _MAPPINGS),
    )
)
"""What only makes sense for one mapping."""

OPTIONS: Final = LIMITS | MAPPING_OPTIONS
"""What one mapping may have of its own."""
