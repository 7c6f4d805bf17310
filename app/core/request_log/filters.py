"""Which rows of the request log are asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from app.core.judging.outcome import Outcome
from app.core.said.reading import Said
from app.core.said.shapes import Field, SomeOf, Text, Whole, YesOrNo

EXACT: Final = ("token_id", "channel_id", "mapping", "key_id", "model", "dialect")
"""What must be as it is asked for."""
MAX_TEXT: Final = 300
LATEST_MS: Final = 9_999_999_999_999

FILTERS: Final[dict[str, Field]] = {
    "from_ms": Whole(0, 0, LATEST_MS, is_null=True),
    "to_ms": Whole(0, 0, LATEST_MS, is_null=True, meaning="Exclusive"),
    **{name: Text(MAX_TEXT) for name in EXACT},
    "status": Text(MAX_TEXT, example="200,4xx"),
    "outcome": SomeOf(tuple(outcome.value for outcome in Outcome)),
    "stream": YesOrNo(default=None),
    "final": YesOrNo(default=None, meaning="true: only what callers got"),
    "q": Text(MAX_TEXT, meaning="Looked for in request id, model, token, client, reason and path"),
}
"""What a query may say."""

_STATUS = re.compile(r"[1-9][0-9]{2}|[1-9]xx")


@dataclass(frozen=True, slots=True)
class LogFilter:
    """All that is said must hold. A field's own words are alternatives."""

    from_ms: int | None = None
    to_ms: int | None = None
    """Exclusive."""
    exact: tuple[tuple[str, str], ...] = ()
    """Fields and their values."""
    statuses: frozenset[int] = frozenset()
    classes: frozenset[int] = frozenset()
    """Hundreds of statuses; 4 for 4xx."""
    outcomes: frozenset[str] = frozenset()
    stream: bool | None = None
    final: bool | None = None
    q: str = ""
    """Folded."""


def parse_filter(asked: Said) -> LogFilter:
    """What a query asks for. Raises Invalid."""
    words = [word.strip().lower() for word in asked.text("status").split(",") if word.strip()]
    for word in words:
        if not _STATUS.fullmatch(word):
            raise asked.wrong("status", f"must be such as 200,4xx,5xx, not {word!r}")
    texts = {name: asked.text(name) for name in EXACT}
    return LogFilter(
        from_ms=asked.number("from_ms") if asked.has("from_ms") else None,
        to_ms=asked.number("to_ms") if asked.has("to_ms") else None,
        exact=tuple((name, text) for name, text in texts.items() if text),
        statuses=frozenset(int(word) for word in words if not word.endswith("xx")),
        classes=frozenset(int(word[0]) for word in words if word.endswith("xx")),
        outcomes=frozenset(asked.words("outcome")),
        stream=asked.flag("stream") if asked.has("stream") else None,
        final=asked.flag("final") if asked.has("final") else None,
        q=asked.text("q").casefold(),
    )
