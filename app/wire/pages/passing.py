"""The expression that passes over all of a page that stays as it is, and finds the links that need only a prefix."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import NamedTuple

from app.wire.pages.attributes import ADDRESSES, INTERESTING, SRCSETS, STYLES
from app.wire.pages.grammar import BETWEEN, START_NAME, any_of, attribute_but
from app.wire.pages.links import ORIGIN, dotless_path

_DOTLESS = dotless_path(rb'"&')
_TAIL = rb'(?:[?#][^"]*+)?+"'
_PATH = rb"(?:/" + _DOTLESS + rb")?+" + _TAIL
# What most pages are full of comes first, spelt as they spell it, where no table need be asked.
_FREQUENT = rb' (?:class|id)="[^"]*+"'
_OTHER = attribute_but(INTERESTING)
"""An attribute that holds no address, whatever its value."""
_ADDRESS_BEGINS = rb"(?:href|src|(?!href=|src=)" + any_of(ADDRESSES) + rb')="'
_PLAIN_STYLE = any_of(STYLES) + rb'="[^"(&\\]*+"'
_COMMENT = rb"!--(?!-?>)[^-]*+(?:-(?!-!?>)[^-]*+)*+--!?>"
_DECLARATION = rb"![A-Za-z][^>]*+>"
_NO_MARKUP = rb"(?=[^A-Za-z/!?])"


INSERTIONS, SRCSET = 3, 4
"""Groups up to INSERTIONS are an index of Inserts, from 1; then a `srcset`, and a style."""

Match = Callable[[bytes, int], re.Match[bytes] | None]


class Passing(NamedTuple):
    """See `passing`."""

    match: Match
    rest: Match
    stays: re.Pattern[bytes]


def passing(depth: int, starts: Collection[str], ends: Collection[str], short_elements: Collection[str]) -> Passing:
    """What passes over a page, by what stays in it.

    `stays` matches what stays, up to a tag that does not: text, comments, declarations, end tags but of `ends`, and
    start tags but of `starts` whose attributes hold no address, or one that is right as it stands, given that `depth`
    times `../` are. And whole elements of `short_elements`, whose start tags would stay, if there is no `<` in them.
    `match` goes on to the first address in that tag, and to the tag's end if it is the only one. The group that matched
    says what to do: 1 to 3 insert something where it begins, SRCSET and further rewrite it. Where none did stands
    markup that must be looked at. `rest` goes on from there to the next address, or to the tag's end.
    """
    staying = _ADDRESS_BEGINS + _staying(depth)
    harmless = rb"(?:%s|%s++(?:%s))*+" % (_FREQUENT, BETWEEN, rb"|".join([staying, _OTHER, _PLAIN_STYLE]))
    close = BETWEEN + rb"*+>"
    name = rb"(?!" + any_of(starts) + rb"[\t\n\f\r />])" + START_NAME
    markup = [
        rb"/(?!" + any_of(ends) + rb"[\t\n\f\r />])[A-Za-z][^>=]*+>",
        name + rb"(?:>|" + harmless + close + rb")",
        *(
            b"%s(?:>|(?=%s)%s%s)[^<]*+</%s>" % (element, BETWEEN, harmless, close, element)
            for element in (short.encode() for short in short_elements)
        ),
        _COMMENT,
        _DECLARATION,
        _NO_MARKUP,
    ]
    kept = rb"[^<]*+(?:<(?:" + rb"|".join(markup) + rb")[^<]*+)*+"
    found = BETWEEN + rb"++(?:" + _leaving(depth) + rb")(?:" + harmless + close + rb"|)"
    return Passing(
        re.compile(kept + rb"(?:<" + name + harmless + found + rb"|)").match,
        re.compile(harmless + rb"(?:" + close + rb"|" + found + rb")").match,
        re.compile(kept),
    )


def _staying(depth: int) -> bytes:
    """The rest of a value, with the quote that ends it, that is right as it stands."""
    climbing = rb"(?!https?:)(?:\./)?+(?:\.\./){0,%d}+" % max(depth, 0)
    relative = climbing + rb"(?![\x00-\x20./%])[^\t\n\r\\/?#:\"&.]*+(?![:\t\n\r\\&])" + _DOTLESS + _TAIL
    return rb'(?:#[^"]*+"|' + relative + rb'|(?:mailto|data|javascript):[^"]*+")'


def _leaving(depth: int) -> bytes:
    """An attribute whose value, in groups, needs an insertion or is to be rewritten."""
    kinds = [rb"(https?://" + ORIGIN + _PATH + rb")", rb"(?!)()", rb"(?!)()"]
    if depth >= 0:
        kinds[1:] = [rb"(//" + ORIGIN + _PATH + rb")", rb"(/(?![/\\\t\n\r.&]|%2[eE])" + _DOTLESS + _TAIL + rb")"]
    srcset = any_of(SRCSETS) + rb'="([^"&\0]++)"'
    style = any_of(STYLES) + rb'="([^"&\0]++)"'
    return _ADDRESS_BEGINS + rb"(?:" + rb"|".join(kinds) + rb")|" + srcset + rb"|" + style
