"""Which entries of the audit are asked for."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from app.core.audit.entry import Entry
from app.core.said.reading import Said
from app.core.said.shapes import Anything, Field, Shape, Text, Whole

LATEST_MS: Final = 9_999_999_999_999
FILTERS: Final[dict[str, Field]] = {
    "from_ms": Whole(0, 0, LATEST_MS, is_null=True),
    "to_ms": Whole(0, 0, LATEST_MS, is_null=True, meaning="Exclusive"),
    "action": Text(100, meaning="An operation, as this document names it, such as update_channel; or login_refused"),
    "object": Text(300, meaning="A part of it, such as channel 3; capitals count for nothing"),
    "who": Text(300, meaning="A part of it, such as an address"),
}
ENTRY: Final = Shape(
    {
        "id": Text(),
        "at_ms": Whole(),
        "who": Text(meaning="An address, and how whoever was there showed that he may"),
        "action": Text(meaning="The operation, as this document names it"),
        "object": Text(),
        "before": Anything(meaning="Without secrets; of an object that was changed, what is another; null: nothing"),
        "after": Anything(meaning="The same"),
    },
    title="AuditEntry",
)
_PLACE: Final = re.compile(r"(\d{1,15})-([0-9a-f]{1,64})")


class AuditFilter(NamedTuple):
    """All that is said must hold."""

    from_ms: int | None = None
    to_ms: int | None = None
    """Exclusive."""
    action: str = ""
    object: str = ""
    who: str = ""
    after: tuple[int, str] | None = None
    """Only those that come after this one, by time and id, newest first."""

    def fits(self, entry: Entry) -> bool:
        return (
            (self.from_ms is None or entry.at_ms >= self.from_ms)
            and (self.to_ms is None or entry.at_ms < self.to_ms)
            and (not self.action or entry.action == self.action)
            and self.object.lower() in entry.object.lower()
            and self.who.lower() in entry.who.lower()
            and (self.after is None or (entry.at_ms, entry.id) < self.after)
        )


def parse_filter(asked: Said) -> AuditFilter:
    """Raises Invalid."""
    after = asked.text("after")
    place = _PLACE.fullmatch(after)
    if after and place is None:
        raise asked.wrong("after", "must be what the answer before said as its next")
    return AuditFilter(
        asked.number("from_ms") if asked.has("from_ms") else None,
        asked.number("to_ms") if asked.has("to_ms") else None,
        asked.text("action"),
        asked.text("object"),
        asked.text("who"),
        (int(place[1]), place[2]) if place is not None else None,
    )


def place_of(entry: Entry) -> str:
    """What a page says as its next, when this is its last entry."""
    return f"{entry.at_ms}-{entry.id}"
