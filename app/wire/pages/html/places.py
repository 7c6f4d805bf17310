"""What matters where: in HTML, within `<svg>` or `<math>`, and in XML."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from app.wire.pages.html import foreign, raw_text
from app.wire.pages.html.attributes import ELEMENTS
from app.wire.pages.html.passing import Passing, passing


class Place(NamedTuple):
    """The tags that mean more there than their attributes say."""

    starts: frozenset[str]
    ends: frozenset[str]


PLACES: Final = {
    "html": Place(
        starts=ELEMENTS | raw_text.NAMES | {"math", "plaintext", "script", "svg", "template"},
        ends=foreign.ENDS - {"p", "br"} | {"template"},
    ),
    "foreign": Place(starts=ELEMENTS | foreign.STARTS | {"style"}, ends=foreign.ENDS | {"style"}),
    "xml": Place(starts=ELEMENTS | {"script", "style", "template"}, ends=frozenset({"style", "template"})),
}
LEAD_ELSEWHERE: Final = foreign.STARTS | {"base", "script"}
"""Start tags after which other things may matter."""

_ANIMATIONS = frozenset({"animate", "set"})


def passing_in(place: str, depth: int, stop_at_scripts: bool) -> Passing:
    """What passes over that which does not matter there; `depth` is that of Links."""
    if place != "html":
        return _passing_over(place, depth)
    return _passing_over(place, depth, "title") if stop_at_scripts else _passing_over(place, depth, "script", "title")


@lru_cache
def _passing_over(place: str, depth: int, *short_elements: str) -> Passing:
    """Each takes 0.1 MB, and 25 ms to be made."""
    return passing(depth, PLACES[place].starts, PLACES[place].ends, short_elements)


def rules_of(name: str, is_html: bool) -> str:
    """The name by which an element's own rules are found, if it is one that has any."""
    return name if is_html or name in _ANIMATIONS else ""
