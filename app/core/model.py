"""What the operator said, frozen: the mappings, where they lead, and the Snapshot that holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from app.core.errors import Invalid
from app.core.kinds import Value
from app.core.money.amounts import NANO
from app.core.money.prices import NO_PRICES, Prices
from app.core.network.forward_proxies import ForwardProxy
from app.core.settings import Limits, Settings


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
    """What the target says; NOWHERE where that is a channel."""
    channel: str = ""
    """The name of the channel to which it leads; empty for a target of its own."""
    needs_token: bool = False
    """Whether its calls must show an access token. Those that lead to a channel must anyway."""


NOWHERE: Final = Upstream("", "", 0, "", "")
"""No server: the upstream of a mapping to a channel, whose calls take the channel's."""


class ModelEntry(NamedTuple):
    """A model that a channel serves."""

    name: str
    """As clients ask for it; `*` for all."""
    upstream_name: str
    """As the upstream is asked for it; empty for the same."""


class HeaderRule(NamedTuple):
    """An edit of a request's fields."""

    action: str
    """`set`, `remove` or `append`."""
    name: str
    value: str
    """Of `remove`: the entry of the field's list to take out; empty: all of the field goes."""


class BodyRule(NamedTuple):
    """An edit of a request's JSON body."""

    action: str
    """`set` or `remove`."""
    path: str
    """Dotted; numbers are places in arrays."""
    value: Any


class Hours(NamedTuple):
    """When in a day a channel may serve: from the one minute to before the other; the same: all day."""

    begin_minute: int
    end_minute: int
    """Before `begin_minute`: over midnight."""
    time_zone: str
    """An IANA name; empty for the gateway's."""


@dataclass(frozen=True, slots=True)
class ChannelUrl:
    """One of a channel's base URLs."""

    url: str
    """As the operator wrote it."""
    weight: int
    dialects: frozenset[str]
    """Those of the channel that it speaks."""
    exact: bool
    """True: the version segment is dropped from a request's path and not from the URL's."""
    upstream: Upstream


@dataclass(frozen=True, slots=True)
class Channel:
    """An upstream account. Its keys are not here: see `storage.key_pools`."""

    id: str
    name: str
    dialects: frozenset[str]
    urls: tuple[ChannelUrl, ...]
    models: tuple[ModelEntry, ...]
    auth: str = "auto"
    """How its key is shown; `auto`: as the dialect does."""
    priority: int = 0
    """Higher goes first."""
    weight: int = 0
    """0: as many as it has usable keys."""
    enabled: bool = True
    key_strategy: str = "round_robin"
    max_concurrency: int = 0
    """Attempts at once over all processes; 0: no limit."""
    requests_per_minute: int = 0
    key_max_concurrency: int = 0
    key_requests_per_minute: int = 0
    cost_per_day_nano: int = 0
    """What attempts may cost in a day of the setting `time_zone`, in nano-dollars; 0: no limit."""
    cost_multiplier_nano: int = NANO
    """What this account charges by the list price; NANO: just that."""
    hours: Hours | None = None
    header_rules: tuple[HeaderRule, ...] = ()
    body_rules: tuple[BodyRule, ...] = ()
    check_model: str = ""
    limits: Limits = Limits()
    first_useful_timeout: float | None = None
    """Its own, in seconds; None: the gateway's."""
    created_at_ms: int = 0
    updated_at_ms: int = 0
    said: dict[str, Any] = field(default_factory=dict)
    """All that the operator said of it, as the API answers it."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A credential that we issue to clients, and what its holder may do with it. Its text is nowhere: see `digest`."""

    id: str
    """Empty for one of AUTH_KEY, which may do all."""
    name: str
    digest: bytes = b""
    """SHA-256 of the whole text, by which alone it is found."""
    hint: str = ""
    """What may be shown of its text."""
    enabled: bool = True
    expires_at_ms: int = 0
    """From then on it opens nothing; 0: never."""
    model_names: frozenset[str] = frozenset()
    """As asked for; these and those of `model_patterns` may be used, or all where both are empty."""
    model_patterns: tuple[str, ...] = ()
    """With `*` for anything."""
    routes_mode: str = "all"
    """`allow`: what the following two name, and nothing else; `deny`: all but those."""
    channels: frozenset[str] = frozenset()
    """Ids."""
    mappings: frozenset[str] = frozenset()
    """Prefixes."""
    requests_per_minute: int = 0
    """Within any 60 s, over all processes; 0: no limit."""
    max_concurrency: int = 0
    """Calls at once over all processes; 0: no limit."""
    web_pages: bool = False
    """It opens `/proxy/` where WEB_PROXY is `token`."""
    total_nano: int | None = None
    """What may be spent with it at all, in nano-dollars; None: no limit."""
    day_nano: int | None = None
    month_nano: int | None = None
    time_zone: str = "UTC"
    """At whose midnight its days and months turn."""
    created_at_ms: int = 0
    updated_at_ms: int = 0
    said: dict[str, Any] = field(default_factory=dict)
    """All that the operator said of it, as the API answers it."""

    @property
    def holder(self) -> str:
        """Whose it is, for what we remember of calls."""
        return self.id or self.name

    @property
    def is_limited(self) -> bool:
        """Whether more must be asked than whether it is good."""
        return bool(
            self.max_concurrency
            or self.requests_per_minute
            or self.model_names
            or self.model_patterns
            or self.routes_mode != "all"
            or self.has_budget
        )

    @property
    def is_limited_in_models(self) -> bool:
        return bool(self.model_names or self.model_patterns)

    @property
    def has_budget(self) -> bool:
        return self.total_nano is not None or self.day_nano is not None or self.month_nano is not None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that the operator said at one instant. Replaced whole, so nobody sees a half-applied change.

    What each call asks for stands here flat, taken from the parts of mappings and settings (`core/snapshot.py`).
    """

    version: int = 0
    mappings: dict[str, Mapping] = field(default_factory=dict)
    """By the mapping's prefix, as the operator wrote it."""
    routes: dict[str, Mapping] = field(default_factory=dict)
    """By the prefix as it stands on the wire; see `core.routing.spellings`."""
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
    parts: dict[str, Any] = field(default_factory=dict)
    """What was said of each noun, by the noun's name; `core.snapshot.Noun.of` knows of which kind it is."""
    channels: tuple[Channel, ...] = ()
    """By priority, the higher first, then by name; disabled ones too."""
    serving: Any = None
    """Which of them serve a model (`core.matching.Serving`)."""
    outcome_rules: tuple[Any, ...] = ()
    """What the operator says of failures (`core.rules.OutcomeRule`); the first that fits counts."""
    tokens: dict[bytes, AccessToken] = field(default_factory=dict)
    """Access tokens by their `digest`; disabled and expired ones too."""
    prices: Prices = NO_PRICES
