"""Elements whose content holds no tags: it flows on until their own end tag."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

NAMES: Final = frozenset("iframe noembed noframes noscript style textarea title xmp".split())
"""Besides `script`. `noscript` is one of them for browsers that run scripts."""

_NAME_ENDS: Final = rb"(?=[\t\n\f\r />])"
_IN_SCRIPT: Final = {
    "plain": (b"</script", b"<!--"),
    "escaped": (b"</script", b"<script", b"-->"),
    "double escaped": (b"</script", b"-->"),
}
"""What changes the state of a script's text, or ends it (HTML standard, 13.2.5.15 to 13.2.5.31)."""
_AFTER: Final = {b"<!--": "escaped", b"-->": "plain", b"<script": "double escaped", b"</script": "escaped"}


class Inner(Protocol):
    """A rewriter of what an element holds."""

    def feed(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


class Taken(NamedTuple):
    """What can go on, how far the data has been read, and whether the element's end tag follows there."""

    out: bytes
    at: int
    ended: bool


class RawText:
    """The content of the element `name`; `inner` rewrites it."""

    def __init__(self, name: str, inner: Inner | None) -> None:
        self.inner = inner
        self._end_tag = b"</" + name.encode()
        self._end = _any_mark((self._end_tag,))

    def take(self, data: bytes, at: int) -> Taken:
        end = self._end.search(data, at)
        stop = end.start() if end else before_partial(data, at, (self._end_tag,))
        out = data[at:stop]
        if self.inner:
            out = self.inner.feed(out)
            if end:
                out += self.inner.finish()
        return Taken(out, stop, end is not None)

    def finish(self, rest: bytes) -> bytes:
        """What is left when the page ends here."""
        return self.inner.feed(rest) + self.inner.finish() if self.inner else rest


class ScriptText(RawText):
    """The content of a script, in which `<!--` and `<script>` together hide an end tag."""

    def __init__(self) -> None:
        super().__init__("script", None)
        self._state = "plain"

    def take(self, data: bytes, at: int) -> Taken:
        start = at
        while found := _any_mark(_IN_SCRIPT[self._state]).search(data, at):
            mark = found[0].lower()
            if mark == b"</script" and self._state != "double escaped":
                return Taken(data[start : found.start()], found.start(), True)
            self._state = _AFTER[mark]
            at = found.end() - (2 if mark == b"<!--" else 0)  # its dashes may be those of the comment's end
        at = before_partial(data, at, _IN_SCRIPT[self._state])
        return Taken(data[start:at], at, False)


def before_partial(data: bytes, at: int, marks: tuple[bytes, ...]) -> int:
    """The end of `data`, or the place near it from which it may go on to be one of the marks, given in lower case."""
    longest = max(map(len, marks))
    for place in range(max(at, len(data) - longest), len(data)):
        if data[place] in b"<-]":
            tail = data[place:].lower()
            if any(mark.startswith(tail) for mark in marks):
                return place
    return len(data)


@lru_cache
def _any_mark(marks: tuple[bytes, ...]) -> re.Pattern[bytes]:
    """The marks, those that are tags with their names at an end."""
    ends = {True: _NAME_ENDS, False: b""}
    return re.compile(b"|".join(mark + ends[mark[-1:].isalpha()] for mark in marks), re.IGNORECASE)
