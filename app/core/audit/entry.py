"""An entry of the audit: who did what, to which object, and what that was before and after. It holds no secret."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson

MOST_BYTES: Final = 8192
"""Of what is told of an object before, and after."""
MOST_TEXT: Final = 300
"""Characters of any other text."""


class Entry(NamedTuple):
    id: str
    """No other has it."""
    at_ms: int
    who: str
    """An address, and how whoever was there showed that he may."""
    action: str
    """The operation, as the document of the API names it."""
    object: str
    """Such as `channel 3 main`."""
    before: Any
    """As JSON; None: there was none, or nobody can say."""
    after: Any


def packed(entry: Entry) -> bytes:
    shortened = entry._replace(
        who=entry.who[:MOST_TEXT],
        object=entry.object[:MOST_TEXT],
        before=_bounded(entry.before),
        after=_bounded(entry.after),
    )
    return orjson.dumps(list(shortened))


def unpacked(stored: bytes) -> Entry | None:
    """None where it makes no sense."""
    try:
        id, at_ms, who, action, object, before, after = orjson.loads(stored)
        return Entry(str(id), int(at_ms), str(who), str(action), str(object), before, after)
    except (ValueError, TypeError):
        return None


def _bounded(value: Any) -> Any:
    """What is long is told by the names of its fields."""
    if value is None or len(orjson.dumps(value)) <= MOST_BYTES:
        return value
    if not isinstance(value, dict):
        return {"too_long_to_keep": True}
    kept: dict[str, Any] = {}
    left = MOST_BYTES - 100
    for name, one in value.items():
        size = len(orjson.dumps(one)) + len(str(name)) + 4
        short: Any = one if size <= 1024 else "… too long to keep"
        left -= min(size, 1024)
        if left < 0:
            break
        kept[name] = short
    return kept
