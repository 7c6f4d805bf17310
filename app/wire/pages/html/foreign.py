"""Whether a tag stands in HTML or within `<svg>` or `<math>`, where other rules hold (HTML standard, 13.2.6.5).

Only what decides that is tracked: the roots, and the elements within them that hold HTML again.
"""

from __future__ import annotations

import re
from typing import Final

_ROOTS: Final = frozenset("svg math".split())
_POINTS: Final = {
    "svg": frozenset("foreignobject desc title".split()),
    "math": frozenset("mi mo mn ms mtext annotation-xml".split()),
}
"""Their content is HTML. (`annotation-xml` only with some encodings, which is what it is used with.)"""
_BREAKOUTS: Final = frozenset(
    "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta "
    "nobr ol p pre ruby s small span strong strike sub sup table tt u ul var".split()
)
"""HTML that ends whatever foreign content it stands in."""
_FONT = re.compile(rb"[\t\n\f\r /'\"](?:color|face|size)[\t\n\f\r />=]", re.IGNORECASE)
_MAX_DEPTH: Final = 512
"""No browser nests deeper."""

STARTS: Final = _ROOTS | _POINTS["svg"] | _POINTS["math"] | _BREAKOUTS | {"font"}
"""Start tags that may matter within foreign content."""
ENDS: Final = _ROOTS | _POINTS["svg"] | _POINTS["math"] | {"p", "br"}
"""End tags that may matter within it."""


class ForeignContent:
    """The open elements that decide."""

    def __init__(self) -> None:
        self._open: list[str] = []

    @property
    def depth(self) -> int:
        return len(self._open)

    @property
    def inside(self) -> bool:
        """Whether a tag here is an element of SVG or MathML."""
        return bool(self._open) and self._open[-1] in _ROOTS

    def start(self, name: str, tag: bytes, is_closed: bool) -> bool:
        """Takes a start tag: its name in lower case, its bytes, and whether it ends with a slash.

        Says whether it is an element of HTML.
        """
        if self.inside and (name in _BREAKOUTS or (name == "font" and _FONT.search(tag))):
            while self.inside:
                self._open.pop()
        foreign = self.inside or name in _ROOTS
        opens = name in _ROOTS or (self.inside and name in _POINTS[self._open[-1]])
        if opens and len(self._open) < _MAX_DEPTH and not is_closed:
            self._open.append(name)
        return not foreign

    def end(self, name: str) -> None:
        """Takes an end tag."""
        if self.inside and name in ("p", "br"):
            while self.inside:
                self._open.pop()
        elif name in self._open:
            while self._open.pop() != name:
                pass
