"""Which rows of the request log are asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from app.core.errors import Invalid
from app.core.judging.outcome import Outcome
from app.core.request_log.rows import LogRow

T = TypeVar("T")

EXACT: Final = ("token_id", "channel_id", "mapping", "key_id", "model", "dialect")
"""What must be as it is asked for."""
NAMES: Final = ("from_ms", "to_ms", *EXACT, "status", "outcome", "stream", "final", "q")
MAX_TEXT: Final = 300

_TIME = re.compile(r"[0-9]{1,13}")
_STATUS = re.compile(r"[1-9][0-9]{2}|[1-9]xx")
_OUTCOMES: Final = frozenset(outcome.value for outcome in Outcome)
_FLAGS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class LogFilter:
    """All that is said must hold. A field's own words are alternatives."""

    from_ms: int | None = None
    to_ms: int | None = None
    """Exclusive."""
    exact: tuple[tuple[int, str], ...] = ()
    """Place of a field in a row, and its value."""
    statuses: frozenset[int] = frozenset()
    classes: frozenset[int] = frozenset()
    """Hundreds of statuses; 4 for 4xx."""
    outcomes: frozenset[str] = frozenset()
    stream: bool | None = None
    final: bool | None = None
    q: str = ""
    """Folded."""

    def fits(self, row: LogRow) -> bool:
        """For a row of the asked time."""
        for place, value in self.exact:
            if row[place] != value:
                return False
        if self.outcomes and row.outcome not in self.outcomes:
            return False
        if (self.statuses or self.classes) and not (row.status in self.statuses or row.status // 100 in self.classes):
            return False
        if (self.stream is not None and row.stream is not self.stream) or (
            self.final is not None and row.final is not self.final
        ):
            return False
        return not self.q or self._says(row)

    def _says(self, row: LogRow) -> bool:
        texts = (row.request_id, row.model, row.token, row.client, row.reason, row.path)
        return any(self.q in text.casefold() for text in texts)


def filter_of_token(token_id: str, from_ms: int, to_ms: int) -> LogFilter:
    """The rows of one access token's calls, of a span."""
    return LogFilter(from_ms=from_ms, to_ms=to_ms, exact=((LogRow._fields.index("token_id"), token_id),))


def parse_filter(said: Mapping[str, str]) -> LogFilter:
    """What a query asks for; names that are none of NAMES are passed over. Raises Invalid."""
    texts = {name: said[name].strip() for name in NAMES if said.get(name, "").strip()}
    for name, text in texts.items():
        if len(text) > MAX_TEXT:
            raise Invalid(f"{name} has {len(text):,} characters; at most {MAX_TEXT} are possible", name)
    words = [word.strip().lower() for word in texts.get("status", "").split(",") if word.strip()]
    for word in words:
        if not _STATUS.fullmatch(word):
            raise Invalid(f"status must be such as 200,4xx,5xx, not {word!r}", "status")
    outcomes = [word.strip() for word in texts.get("outcome", "").split(",") if word.strip()]
    for word in outcomes:
        if word not in _OUTCOMES:
            raise Invalid(f"outcome must be of {', '.join(sorted(_OUTCOMES))}, not {word!r}", "outcome")
    return LogFilter(
        from_ms=_read(texts, "from_ms", _time),
        to_ms=_read(texts, "to_ms", _time),
        exact=tuple((LogRow._fields.index(name), texts[name]) for name in EXACT if name in texts),
        statuses=frozenset(int(word) for word in words if not word.endswith("xx")),
        classes=frozenset(int(word[0]) for word in words if word.endswith("xx")),
        outcomes=frozenset(outcomes),
        stream=_read(texts, "stream", _flag),
        final=_read(texts, "final", _flag),
        q=texts.get("q", "").casefold(),
    )


def _read(texts: Mapping[str, str], name: str, read: Callable[[str, str], T]) -> T | None:
    return read(name, texts[name]) if name in texts else None


def _time(name: str, text: str) -> int:
    if not _TIME.fullmatch(text):
        raise Invalid(f"{name} must be a time in milliseconds since the epoch, not {text[:40]!r}", name)
    return int(text)


def _flag(name: str, text: str) -> bool:
    if text not in _FLAGS:
        raise Invalid(f"{name} must be true or false, not {text[:40]!r}", name)
    return _FLAGS[text]
