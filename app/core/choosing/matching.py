"""Which channels serve a model: those that name it, else those that name it with or without its date, else part of it.

The index is made once for each Snapshot, so a look-up does not depend on how many channels there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from app.core.model import Channel, ModelEntry

ALL = "*"
"""Names every model; alone it also serves calls without one."""

_DATE = re.compile(
    r"-20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$|-20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$",
    re.ASCII,
)
_NUMBERS = re.compile(r"\d+")


class Candidate(NamedTuple):
    """A channel that serves a model."""

    channel: Channel
    upstream_model: str
    """As its upstream is asked for it; empty where no model is named."""
    models: tuple[str, ...] = ()
    """All names that it has: as asked for, as the channel lists it, as its upstream knows it."""


class _Of(NamedTuple):
    """A channel's entry."""

    channel: Channel
    entry: ModelEntry


class Serving:
    """The index of one Snapshot's channels. Disabled ones stand in it, so that an explanation can name them."""

    def __init__(self, channels: Iterable[Channel]) -> None:
        self._named: dict[tuple[str, str], list[_Of]] = {}
        self._undated: dict[tuple[str, str], list[_Of]] = {}
        self._all: dict[str, list[_Of]] = {}
        self._listed: dict[str, list[str]] = {}
        """What `models` tells, once it was asked for."""
        for channel in channels:
            for dialect in channel.dialects:
                for entry in channel.models:
                    self._add(dialect, _Of(channel, entry))

    def _add(self, dialect: str, one: _Of) -> None:
        if one.entry.name == ALL:
            self._all.setdefault(dialect, []).append(one)
            return
        self._named.setdefault((dialect, one.entry.name), []).append(one)
        self._undated.setdefault((dialect, undated(one.entry.name)), []).append(one)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Serving) and (self._named, self._all) == (other._named, other._all)

    __hash__ = None  # type: ignore[assignment]

    def candidates(
        self,
        dialect: str,
        model: str,
        *,
        strip_date: bool,
        contains: bool,
        only: frozenset[str] | None = None,
        without: frozenset[str] | None = None,
    ) -> list[Candidate]:
        """Who serves `model` (empty: none is named) in this dialect, each channel once, in the channels' order.

        A looser way to match counts only where no enabled channel matches more closely. A channel that serves `*`
        stands beside all of them. `only` (None: all) and `without`: the ids of channels that may, and may not, be
        looked at.
        """
        found = self._closest(dialect, model, strip_date, contains, only, without) if model else []
        named = {of.channel.id for of in found}
        found += [of for of in _among(self._all.get(dialect, []), only, without) if of.channel.id not in named]
        found.sort(key=lambda of: (-of.channel.priority, of.channel.name))
        return [_candidate(of, model) for of in _once_each(found)]

    def _closest(
        self,
        dialect: str,
        model: str,
        strip_date: bool,
        contains: bool,
        only: frozenset[str] | None,
        without: frozenset[str] | None,
    ) -> list[_Of]:
        exact = _among(self._named.get((dialect, model), []), only, without)
        if _any_enabled(exact):
            return exact
        if strip_date:
            dated = [of for of in self._undated.get((dialect, undated(model)), ()) if _differ_by_a_date(of, model)]
            dated = _among(dated, only, without)
            if _any_enabled(dated):
                return dated
        if contains:
            part = model.lower()
            hits = [
                of
                for (of_dialect, name), of_all in self._named.items()
                if of_dialect == dialect and part in name.lower()
                for of in of_all
            ]
            hits = _among(hits, only, without)
            if _any_enabled(hits):
                return hits
        return exact

    def models(self, dialect: str) -> list[str]:
        """The names that enabled channels of a dialect serve, sorted; never `*`."""
        listed = self._listed.get(dialect)
        if listed is None:
            listed = sorted(
                name
                for (of_dialect, name), found in self._named.items()
                if of_dialect == dialect and _any_enabled(found)
            )
            self._listed[dialect] = listed
        return listed


def undated(model: str) -> str:
    """A model's name without the date at its end, as in `-20250929` or `-2025-09-29`."""
    return _DATE.sub("", model)


def _differ_by_a_date(of: _Of, model: str) -> bool:
    """True when just one of the two names bears a date: two dates are two models."""
    return (undated(model) == model) != (undated(of.entry.name) == of.entry.name)


def _among(found: list[_Of], only: frozenset[str] | None, without: frozenset[str] | None) -> list[_Of]:
    """A list of those that may be looked at."""
    return [
        of
        for of in found
        if (only is None or of.channel.id in only) and (without is None or of.channel.id not in without)
    ]


def _any_enabled(found: Iterable[_Of]) -> bool:
    return any(of.channel.enabled for of in found)


def _once_each(found: list[_Of]) -> list[_Of]:
    """Of a channel that matches several times the newest model."""
    best: dict[str, _Of] = {}
    for of in found:
        other = best.get(of.channel.id)
        if other is None or _age(of.entry.name) > _age(other.entry.name):
            best[of.channel.id] = of
    return list(best.values())


def _age(name: str) -> tuple[str, list[int], str]:
    """Sorts newer models behind older ones: by date, then by the numbers in the name, then by the name."""
    bare = undated(name)
    date = "".join(_NUMBERS.findall(name[len(bare) :]))
    return date, [int(number) for number in _NUMBERS.findall(bare)], name


def _candidate(of: _Of, model: str) -> Candidate:
    name = model if of.entry.name == ALL else of.entry.name
    upstream_model = of.entry.upstream_name or name
    return Candidate(
        of.channel, upstream_model, tuple({model: None, name: None, upstream_model: None}) if model else ()
    )
