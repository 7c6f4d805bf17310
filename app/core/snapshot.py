"""From what is stored to the Snapshot, part by part; the only reader of stored text.

Each noun of the operator's (mappings, settings) is described here once: its hashes in Redis, and how their text becomes
a frozen part. The catalogue, its scripts, its watch and what is written back know a noun by its description alone, so
another one is another entry in NOUNS.
Keys of upstreams are no noun: at 100,000 of them a part would take seconds to build anew at each change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as MappingOf
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, NamedTuple, Protocol, TypeVar, cast

import orjson

from app.core.callers.definition import read as read_access_token
from app.core.channels.definition import comparable
from app.core.channels.stored_form import read as read_channel
from app.core.choosing.matching import Serving
from app.core.errors import Invalid, InvalidSetting
from app.core.judging.rules import OutcomeRule, check_rules
from app.core.kinds import Value
from app.core.model import AccessToken, Channel, Mapping, Snapshot
from app.core.money.overrides import Overrides, check_overrides
from app.core.money.prices import Prices
from app.core.money.table import FORMAT, PriceTable
from app.core.money.table import NAME as TABLE_NAME
from app.core.routing import check_spelling, parse_mapping, spellings
from app.core.settings import Limits, Settings, check_options, check_setting

Table = MappingOf[str, str]
"""A hash as it is stored. Nothing in it is trusted, as anybody may have written it by hand."""


class Stored(NamedTuple):
    """What the catalogue keeps, as text."""

    version: int
    """That of the whole; every change makes it grow."""
    tables: MappingOf[str, Table]
    """By name; see `Noun.tables`."""
    origin: str = ""
    """Who stored it, where that was no operator; see `core.readings.origin`."""
    stamps: str = ""
    """When each part last changed; see `core.readings.unread`."""
    filled: str = ""
    """A version, and the tables that held something then; see `core.readings.missing`."""


class Part(Protocol):
    """All that the operator said of one noun, frozen."""

    @property
    def rejected(self) -> MappingOf[str, Invalid]:
        """Stored entries that make no sense, and why."""


def _no_pause() -> None:
    """Of those who are in no hurry."""


class Basis(NamedTuple):
    """What a part is built on."""

    limits: Limits
    settings: Settings
    """The deployment's, both."""
    parts: MappingOf[str, Part]
    """Those of the nouns that stand before this one, by name."""
    former: MappingOf[str, Part] = MappingProxyType({})
    """All parts as they were before the change."""
    pause: Callable[[], object] = _no_pause
    """Called between steps of what is long, so that others may run."""


PartT_co = TypeVar("PartT_co", bound=Part, covariant=True)


@dataclass(frozen=True, slots=True)
class Noun(Generic[PartT_co]):
    """What the operator speaks of, and how it is stored and read."""

    name: str
    word: str
    """How the words to all processes begin that tell of a change: `mapping` in `mapping_added`."""
    tables: tuple[str, ...]
    """Its hashes, by the end of their keys in Redis. The first has a field for each of its kind."""
    parse: Callable[[Sequence[Table], Basis], PartT_co]
    """The part that its tables mean. Raises nothing: what makes no sense stands in the part's `rejected`."""
    needs: Callable[[MappingOf[str, Part]], object] = lambda parts: None
    """What it takes of the parts before it: when that is another, it is built anew."""
    by_hand: bool = False
    """Whether it may be edited with redis-cli, without a new version: then it is compared every few seconds."""

    def of(self, snapshot: Snapshot) -> PartT_co:
        return cast("PartT_co", snapshot.parts[self.name])


@dataclass(frozen=True, slots=True)
class SettingsPart:
    limits: Limits
    settings: Settings
    changed: dict[str, Value]
    rejected: dict[str, Invalid]


@dataclass(frozen=True, slots=True)
class MappingsPart:
    mappings: dict[str, Mapping]
    routes: dict[str, Mapping]
    options: dict[str, dict[str, Value]]
    rejected: dict[str, Invalid]


@dataclass(frozen=True, slots=True)
class ChannelsPart:
    channels: tuple[Channel, ...]
    """By priority, the higher first, then by name."""
    by_id: dict[str, Channel]
    by_name: dict[str, Channel]
    """By `core.channels.comparable`."""
    serving: Serving
    rejected: dict[str, Invalid]
    texts: Table
    """As they are stored."""
    limits: Limits
    """Over which they are read."""


def _parse_settings(tables: Sequence[Table], basis: Basis) -> SettingsPart:
    rejected: dict[str, Invalid] = {}
    changed: dict[str, Value] = {}
    for name, value in sorted(tables[0].items()):
        with telling(rejected, name):
            changed[name] = check_setting(name, value)
    return SettingsPart(basis.limits.with_overrides(changed), basis.settings.with_overrides(changed), changed, rejected)


def general_limits(parts: MappingOf[str, Part]) -> Limits:
    """The operator's for all upstreams, over the deployment's."""
    return cast("SettingsPart", parts[SETTINGS.name]).limits


def _parse_mappings(tables: Sequence[Table], basis: Basis) -> MappingsPart:
    targets, options_of = tables
    limits = general_limits(basis.parts)
    part = MappingsPart({}, {}, {}, {})
    for prefix, target in sorted(targets.items()):
        with telling(part.rejected, prefix):
            if prefix in options_of:
                part.options[prefix] = _parse_options(options_of[prefix])
            mapping = parse_mapping(prefix, target, limits, part.options.get(prefix, {}))
            check_spelling(prefix, part.routes)
            part.mappings[prefix] = mapping
            part.routes.update(dict.fromkeys(spellings(prefix), mapping))
    return part


def _parse_channels(tables: Sequence[Table], basis: Basis) -> ChannelsPart:
    """There may be hundreds: those that did not change are taken as they were read before."""
    limits = cast("SettingsPart", basis.parts[SETTINGS.name]).limits
    former = cast("ChannelsPart | None", basis.former.get("channels"))
    known = former if former is not None and former.limits == limits else None
    channels: list[Channel] = []
    rejected: dict[str, Invalid] = {}
    for channel_id, text in tables[0].items():
        channel = known.by_id.get(channel_id) if known is not None and known.texts.get(channel_id) == text else None
        with telling(rejected, f"channel {channel_id}"):
            channels.append(channel or read_channel(channel_id, text, limits))
        if channel is None:
            basis.pause()
    channels.sort(key=lambda channel: (-channel.priority, channel.name))
    return ChannelsPart(
        tuple(channels),
        {channel.id: channel for channel in channels},
        {comparable(channel.name): channel for channel in channels},
        Serving(channels),
        rejected,
        tables[0],
        limits,
    )


@dataclass(frozen=True, slots=True)
class OutcomeRulesPart:
    rules: tuple[OutcomeRule, ...]
    rejected: dict[str, Invalid]


def _parse_outcome_rules(tables: Sequence[Table], basis: Basis) -> OutcomeRulesPart:
    rules: tuple[OutcomeRule, ...] = ()
    rejected: dict[str, Invalid] = {}
    with telling(rejected, "outcome rules"):
        try:
            rules = check_rules(orjson.loads(tables[0].get("rules", "[]")))
        except orjson.JSONDecodeError as error:
            raise Invalid(f"they are no JSON: {error}") from None
    return OutcomeRulesPart(rules, rejected)


@dataclass(frozen=True, slots=True)
class PriceTablePart:
    table: PriceTable
    rejected: dict[str, Invalid]


def _parse_price_table(tables: Sequence[Table], basis: Basis) -> PriceTablePart:
    """A table of another format is none: its worker is of another version, and ours writes its own."""
    stored = tables[0]
    known = stored.get("format") == FORMAT
    return PriceTablePart(PriceTable(stored.get("version", ""), stored.get("text", "")) if known else PriceTable(), {})


def _parse_prices(tables: Sequence[Table], basis: Basis) -> Prices:
    """Where what is stored makes no sense the built-in prices count."""
    rejected: dict[str, Invalid] = {}
    overrides, text = Overrides(), tables[0].get("overrides", "[]")
    with telling(rejected, "overrides of prices"):
        try:
            overrides = Overrides(check_overrides(orjson.loads(text)))
        except orjson.JSONDecodeError as error:
            raise Invalid(f"they are no JSON: {error}") from None
    return Prices(price_table(basis.parts), overrides, text, rejected)


def price_table(parts: MappingOf[str, Part]) -> PriceTable:
    """The built-in one."""
    return cast("PriceTablePart", parts[PRICE_TABLE.name]).table


@dataclass(frozen=True, slots=True)
class AccessTokensPart:
    by_id: dict[str, AccessToken]
    """The oldest first."""
    by_digest: dict[bytes, AccessToken]
    texts: Table
    """As they are stored."""
    rejected: dict[str, Invalid]


def _parse_access_tokens(tables: Sequence[Table], basis: Basis) -> AccessTokensPart:
    """There may be thousands: those that did not change are taken as they were read before."""
    former = cast("AccessTokensPart | None", basis.former.get("access_tokens"))
    tokens: list[AccessToken] = []
    rejected: dict[str, Invalid] = {}
    for token_id, text in tables[0].items():
        token = former.by_id.get(token_id) if former is not None and former.texts.get(token_id) == text else None
        with telling(rejected, f"access token {token_id}"):
            tokens.append(token or read_access_token(token_id, text))
        if token is None:
            basis.pause()
    tokens.sort(key=lambda token: (len(token.id), token.id))
    by_id = {token.id: token for token in tokens}
    return AccessTokensPart(by_id, {token.digest: token for token in tokens}, tables[0], rejected)


SETTINGS = Noun("settings", "settings", ("settings",), _parse_settings, by_hand=True)
MAPPINGS = Noun(
    "mappings", "mapping", ("mappings", "mappings:options"), _parse_mappings, needs=general_limits, by_hand=True
)
CHANNELS = Noun(
    "channels", "channel", ("channels", "channels:names", "channels:last_id"), _parse_channels, needs=general_limits
)
OUTCOME_RULES = Noun("outcome_rules", "outcome_rules", ("outcome_rules",), _parse_outcome_rules)
ACCESS_TOKENS = Noun("access_tokens", "access_token", ("access_tokens", "access_tokens:last_id"), _parse_access_tokens)
PRICE_TABLE = Noun(TABLE_NAME, TABLE_NAME, (TABLE_NAME,), _parse_price_table, by_hand=True)
"""No word of the operator's: the worker stores it, without a new version, as somebody does who writes by hand."""
PRICES = Noun("prices", "prices", ("prices",), _parse_prices, needs=price_table)
NOUNS: tuple[Noun[Part], ...] = (SETTINGS, MAPPINGS, CHANNELS, OUTCOME_RULES, ACCESS_TOKENS, PRICE_TABLE, PRICES)
"""Each after those that it needs."""


def build_snapshot(
    stored: Stored,
    limits: Limits,
    settings: Settings,
    nouns: Sequence[Noun[Part]] = NOUNS,
    before: tuple[Stored, Snapshot] | None = None,
    pause: Callable[[], object] = _no_pause,
) -> Snapshot:
    """The Snapshot of what is stored, over the deployment's values.

    Parts whose text is that of `before`, and what they need of others too, are taken from there.
    """
    parts: dict[str, Part] = {}
    former = before[1].parts if before is not None else {}
    for noun in nouns:
        if before is not None and _is_same(noun, stored, parts, *before):
            parts[noun.name] = noun.of(before[1])
        else:
            tables = [stored.tables.get(name, {}) for name in noun.tables]
            parts[noun.name] = noun.parse(tables, Basis(limits, settings, parts, former, pause))
    return _put_together(stored.version, parts)


def _is_same(noun: Noun[Part], stored: Stored, parts: MappingOf[str, Part], old_stored: Stored, old: Snapshot) -> bool:
    is_text_same = all(stored.tables.get(table) == old_stored.tables.get(table) for table in noun.tables)
    return is_text_same and noun.needs(parts) == noun.needs(old.parts)


def _put_together(version: int, parts: dict[str, Part]) -> Snapshot:
    said, routed = cast("SettingsPart", parts[SETTINGS.name]), cast("MappingsPart", parts[MAPPINGS.name])
    served, judged = cast("ChannelsPart", parts[CHANNELS.name]), cast("OutcomeRulesPart", parts[OUTCOME_RULES.name])
    issued = cast("AccessTokensPart", parts[ACCESS_TOKENS.name])
    prices = cast("Prices", parts[PRICES.name])
    return Snapshot(
        version,
        routed.mappings,
        routed.routes,
        max((prefix.count("/") for prefix in routed.routes), default=0),
        said.limits,
        said.settings,
        said.changed,
        routed.options,
        said.rejected | routed.rejected | served.rejected | judged.rejected | issued.rejected | dict(prices.rejected),
        parts,
        served.channels,
        served.serving,
        judged.rules,
        issued.by_digest,
        prices,
    )


def _parse_options(text: str) -> dict[str, Value]:
    try:
        values = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidSetting(f"its options are no JSON: {error}", "options") from None
    return check_options(values)


@contextmanager
def telling(rejected: dict[str, Invalid], name: str) -> Iterator[None]:
    """Lays what is Invalid down in `rejected`, by `name`."""
    try:
        yield
    except Invalid as error:
        rejected[name] = error.with_traceback(None)  # which would keep all that was at hand
