"""What a path that no mapping serves may have meant: a prefix is missing in front of it, or is spelt amiss.

Whatever is asked, and however many mappings there are, at most MAX_COMPARED of them are compared with it, once for each
of MAX_SEGMENTS.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import chain, islice
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from app.core.model import Mapping, Snapshot
from app.wire.dialects.asked import DIALECTS, understand
from app.wire.dialects.dialect import Dialect

OWN_PAGES: Final = ("/admin", "/dashboard", "/health", "/proxy", "/stats")
"""Paths of the gateway itself that a caller may have meant."""
_HAVE_MORE: Final = frozenset({"/proxy", "/stats"})
"""Those with other paths below them."""
MAX_COMPARED: Final = 200
MAX_SEGMENTS: Final = 3
"""A prefix of more segments is not looked for."""
MAX_NAME: Final = 64
"""What is longer, in characters, is near to nothing."""
_NEAR: Final = 0.8
"""How alike two names must be (`difflib`): one letter of five may differ, or two that changed places."""
_VERSION = re.compile(r"\A(?:/upload)?/v1(?:beta)?(?=/|\Z)", re.IGNORECASE)
_PATH_SAFE = "/%:@!$&'()*+,;=~"


class Suggestion(NamedTuple):
    """What the caller may have meant."""

    misses_prefix: bool
    """True when the path is a provider's own: whose it is must stand in front of it."""
    path: str
    """What to ask for instead, as it stands in a URL; empty where no mapping would serve it."""


class Suggester:
    """Finds what paths may have meant, by one Snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._speakers = {name: _speaker(dialect, snapshot) for name, dialect in DIALECTS.items()}
        self._mappings = snapshot.mappings
        self._names: dict[tuple[int, str], list[str]] = {}
        """Prefixes to compare with, by their number of segments and first letter; without that letter, all such."""
        for prefix in (*OWN_PAGES, *snapshot.mappings):
            segments = prefix.rstrip("/").count("/")
            if segments <= MAX_SEGMENTS and len(prefix) <= MAX_NAME:
                for first in (prefix[1:2].lower(), ""):
                    self._names.setdefault((segments, first), []).append(prefix)

    def suggest(self, path: str, *, has_anthropic_version: bool = False) -> Suggestion | None:
        """`path` as it came, without its query."""
        path = _VERSION.sub(lambda version: version[0].lower(), "/" + path.lstrip("/"))
        understood = understand(path, has_anthropic_version=has_anthropic_version)
        if understood is not None:
            speaker = self._speakers[understood.dialect]
            return Suggestion(True, _below(speaker, understood.path) if speaker else "")
        for segments in range(min(path.count("/"), MAX_SEGMENTS), 0, -1):
            typed = "/".join(path.split("/", segments + 1)[: segments + 1])
            prefix = self._nearest(typed, segments)
            if prefix:
                rest = "" if self._is_all(prefix, typed) else path[len(typed) :]
                return Suggestion(False, quote(prefix.rstrip("/"), safe=_PATH_SAFE) + rest)
        return self._by_word(path)

    def _is_all(self, prefix: str, typed: str) -> bool:
        """True for a page of ours below which there is nothing, or not what was asked for below its own name."""
        return prefix in OWN_PAGES and prefix not in self._mappings and (prefix not in _HAVE_MORE or typed == prefix)

    def _nearest(self, typed: str, segments: int) -> str:
        if len(typed) > 3 * MAX_NAME:  # each byte may be written in three
            return ""
        name = unquote(typed).lower()[1:]
        matcher = SequenceMatcher(autojunk=False)
        matcher.set_seq2(name)
        best, nearest = _NEAR, ""
        for prefix in islice(self._candidates(segments, name[:1]), MAX_COMPARED):
            matcher.set_seq1(prefix.strip("/").lower())
            if matcher.real_quick_ratio() >= best and matcher.quick_ratio() >= best:
                ratio = matcher.ratio()
                if ratio > best or (ratio == best and not nearest):
                    best, nearest = ratio, prefix
        return nearest

    def _candidates(self, segments: int, first: str) -> Iterator[str]:
        """Few err in the first letter."""
        alike = self._names.get((segments, first), ()) if first else ()
        return chain(alike, self._names.get((segments, ""), ()))

    def _by_word(self, path: str) -> Suggestion | None:
        """`/anthropic/v1/messages` where the mapping is called `/claude`."""
        _, word, *rest = path.split("/", 2)
        for name, dialect in DIALECTS.items():
            speaker = self._speakers[name]
            if speaker and word.lower() in dialect.words:
                return Suggestion(False, _below(speaker, "/" + rest[0] if rest else ""))
        return None


def _speaker(dialect: Dialect, snapshot: Snapshot) -> Mapping | None:
    """The mapping that serves a dialect: to the provider itself, else to one whose target or prefix is called after it.

    The only mapping there is serves all.
    """
    ranked = [(_rank(mapping, dialect), mapping) for mapping in snapshot.mappings.values()]
    rank, mapping = max(ranked, key=lambda one: one[0], default=(0, None))
    return mapping if rank or len(ranked) == 1 else None


def _rank(mapping: Mapping, dialect: Dialect) -> int:
    is_home = mapping.upstream.host == dialect.host
    target, prefix = mapping.target.lower(), mapping.prefix.lower()
    return 4 * is_home + 2 * any(word in target for word in dialect.words) + any(w in prefix for w in dialect.words)


def _below(mapping: Mapping, path: str) -> str:
    """Where the mapping serves its upstream's `path`: what the target's own path says already is left out."""
    version = "/" + mapping.upstream.base_path.rpartition("/")[2]
    if version != "/" and (path == version or path.startswith(version + "/")):
        path = path[len(version) :]
    return quote(mapping.prefix.rstrip("/"), safe=_PATH_SAFE) + path
