"""The expressions that pass over all of a page that stays as it is, and find the links that need only a prefix.

They go from one value that leaves to the next in one step, over tags and text between. What makes them fast: spellings
that pages are full of come first, and what cannot match is told by its first letters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from app.wire.pages.html.attributes import INTERESTING, STYLES
from app.wire.pages.html.grammar import BETWEEN, START_NAME, any_of, attribute_but
from app.wire.pages.html.leaving import ADDRESS_BEGINS, DOTLESS, KINDS, LEAVES, TAIL, frequent_attribute, leaving

TAG: Final = 1
"""The group that is empty and stands behind the `<` of the last tag."""
FIRST: Final = TAG + 1
"""The group of the first kind, when the value is the first in its tag."""
FURTHER: Final = FIRST + KINDS
"""The group of the first kind, when it is not."""
ODD: Final = FURTHER + KINDS
"""The group that says that the tag must be looked at as a whole."""

_OTHER = attribute_but(INTERESTING)
"""An attribute that holds no address, whatever its value."""
_PLAIN_STYLE = any_of(STYLES) + rb'="[^"(&\\]*+"'
_TEXT = rb"[^<]*+"
_CLOSE = BETWEEN + rb"*+>"
_COMMENT = rb"!--(?!-?>)[^-]*+(?:-(?!-!?>)[^-]*+)*+--!?>"
_DECLARATION = rb"![A-Za-z][^>]*+>"
_NO_MARKUP = rb"(?=[^A-Za-z/!?])"

Match = Callable[[bytes, int], re.Match[bytes] | None]


class Passing(NamedTuple):
    """See `passing`."""

    text: Match
    tag: Match


def passing(depth: int, starts: Collection[str], ends: Collection[str], short_elements: Collection[str]) -> Passing:
    """What passes over a page to the end of the next value that leaves: from within text, or from behind such a value.

    What stays is text, comments, declarations, end tags but of `ends`, and start tags but of `starts` whose attributes
    hold no address, or one that is right as it stands, given that `depth` times `../` are. And whole elements of
    `short_elements`, whose start tags would stay, if there is no `<` in them.
    Both always match. The value is in the last group; when that is TAG or none, the match has come to the end, or to
    markup that must be looked at.
    """
    staying = _staying(depth)
    others = rb"|".join([_OTHER, ADDRESS_BEGINS + staying, _PLAIN_STYLE])
    # Classes and names come before all: real pages are full of them.
    usual = rb"|".join([rb' (?:class|id)="[^"]*+"', rb' (?:href|src)="' + staying, frequent_attribute()])
    harmless = rb"(?:%s|%s%s*+(?!%s)(?:%s))*+" % (usual, BETWEEN, BETWEEN, LEAVES, others)
    start = rb"(?!%s[\t\n\f\r />])%s" % (any_of(starts), START_NAME)
    end = rb"/(?!" + any_of(ends) + rb"[\t\n\f\r />])[A-Za-z][^>=%s]*+>"
    found = leaving(depth, start, end % b"/")
    markup = [
        end % b"" + _TEXT,
        start + rb"(?:>%s|%s(?:%s%s|%s))" % (_TEXT, harmless, _CLOSE, _TEXT, found),
        *(
            rb"%s(?:>|(?=%s)%s%s)[^<]*+</%s>%s" % (element, BETWEEN, harmless, _CLOSE, element, _TEXT)
            for element in (short.encode() for short in short_elements)
        ),
        rb"(?:%s|%s|%s)%s" % (_COMMENT, _DECLARATION, _NO_MARKUP, _TEXT),
    ]
    # No value that is found is followed by a `<`, so it is where the repetition ends.
    text = _TEXT + rb"(?:<()(?:" + rb"|".join(markup) + rb"))*+"
    tag = rb"%s(?:%s%s|%s|())" % (harmless, _CLOSE, text, found)
    return Passing(re.compile(text).match, re.compile(tag).match)


def _staying(depth: int) -> bytes:
    """The rest of a value, with the quote that ends it, that is right as it stands."""
    climbing = rb"(?!/|https?:)(?:\./)?+(?:\.\./){0,%d}+" % max(depth, 0)
    relative = climbing + rb"(?![\x00-\x20./%])[^\t\n\r\\/?#:\"&.]*+(?![:\t\n\r\\&])" + DOTLESS + TAIL
    return rb'(?:#[^"]*+"|' + relative + rb'|(?:mailto|data|javascript):[^"]*+")'
