"""The values of attributes that would leave the proxy: expressions that tell their kinds, and what becomes of each.

Most need the same insertion in one place or in several, which `bytes.replace` makes at once where an expression has
proved that what it looks for stands nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from app.wire.pages.html.attributes import ADDRESSES, SRCSETS, STYLES
from app.wire.pages.html.grammar import BETWEEN, any_of
from app.wire.pages.html.references import escape
from app.wire.pages.links import ORIGIN, Inserts, dotless_path

Rewrite = Callable[[bytes], bytes | None]
Edit = tuple[bytes, Rewrite | None]
"""What is put before a value, and what the value then becomes; None = it stays."""

KINDS: Final = 9
"""A run; an address of each kind of Inserts; a `srcset` of nothing but such; any other `srcset`; a style."""

ADDRESS_BEGINS: Final = rb"(?:href|src|(?!href=|src=)" + any_of(ADDRESSES) + rb')="'
LEAVES: Final = rb'(?:(?:href|src)="(?:/|https?:)|srcset=)'
"""How those begin that nearly all pages have."""
TAIL: Final = rb'(?:[?#][^"]*+)?+"'
DOTLESS: Final = dotless_path(rb'"&')
_PATH = rb"(?:/" + DOTLESS + rb")?+" + TAIL
_ANY = rb'[^"&\0]++"'

# Within lists and runs: no blank, no quote, nor what needs a second look.
_ODD = rb'\x00-\x20"%&,.\\'
_PLAIN_REST = rb"[^%s]*+(?:(?<!/)[%%.][^%s]*+)*+" % (_ODD, _ODD)
_PLAIN_ROOT = rb"/(?![/" + _ODD + rb"])" + _PLAIN_REST
_PLAIN_ORIGIN = ORIGIN + rb"(?:/" + _PLAIN_REST + rb")?+"
_DESCRIPTORS = rb"(?![0-9.hwx])[ 0-9.hwx]*+"


def frequent_attribute(excluded: bytes = b"") -> bytes:
    """A harmless attribute that many pages have, in the usual spelling, its value without the bytes in `excluded`."""
    names = rb"(?:alt|class|data-[a-z-]++|decoding|height|id|lang|loading|name|rel|sizes|target|title|type|width)"
    return rb" " + names + rb'=(?:"[^"' + excluded + rb']*+"|[A-Za-z0-9]++(?=[ >]))'


def leaving(depth: int, start: bytes, end: bytes) -> bytes:
    """An attribute whose value leaves, with the quote that ends it in a group for its kind, and what is before it.

    `depth` is that of Links; `start` matches the names of start tags, and `end` end tags behind their `<`, that a run
    may go on over; `end` takes what may not be in them.
    """
    absolute = rb"https?://"
    addresses = [absolute + ORIGIN + _PATH]
    lists = [_list(absolute + _PLAIN_ORIGIN)]
    run = []
    if depth >= 0:
        addresses += [rb"//" + ORIGIN + _PATH, rb"/(?![/\\\t\n\r.&]|%2[eE])" + DOTLESS + TAIL]
        lists += [_list(rb"//" + _PLAIN_ORIGIN), _list(_PLAIN_ROOT)]
        run = [_run(start, end)]
    address = ADDRESS_BEGINS + rb"(?:%s|%s)" % (_groups(run, 1), _groups(addresses, 3))
    srcset = rb'(?:srcset|(?!srcset=)%s)="(?:%s|%s)' % (any_of(SRCSETS), _groups(lists, 3), _groups([_ANY], 1))
    style = any_of(STYLES) + rb'="' + _groups([_ANY], 1)
    return BETWEEN + rb"++(?:" + rb"|".join([address, srcset, style]) + rb")"


def _groups(values: list[bytes], count: int) -> bytes:
    """A group for each value, none before a `<` nor at the end; those that are missing never match."""
    return rb"|".join(rb"(%s(?=[^<]))" % value for value in [*values, *[rb"(?!)"] * (count - len(values))])


def _list(candidate: bytes) -> bytes:
    """Candidates of one kind. Only before them stands a space and what they begin with, but before the first none."""
    return rb'%s%s(?:,[\t\n\r]*+ ++%s%s)*+"' % (candidate, _DESCRIPTORS, candidate, _DESCRIPTORS)


def _run(start: bytes, end: bytes) -> bytes:
    """Addresses and lists of the site's root, and between them text and tags without any other slash.

    So `="/` begins an address, and ` /` a candidate, wherever they stand. It ends before the `>` of a start tag. What
    bounds it keeps it short, lest much is passed over again where a value is too long.
    """
    text = rb'[^"/<]{0,1000}+'
    leaving = rb' (?:(?:href|src)="' + _PLAIN_ROOT + rb'"|srcset="' + _list(_PLAIN_ROOT) + rb")"
    attributes = rb"(?:" + frequent_attribute(excluded=rb"/") + rb"|" + leaving + rb")*+(?=>)"
    more = rb">%s(?:<%s%s)*+<%s%s" % (text, end, text, start, attributes)
    return rb'%s"%s(?:%s){0,30}+' % (_PLAIN_ROOT, attributes, more)


def edits_by_kind(inserts: Inserts, srcset: Rewrite, style: Rewrite) -> list[Edit]:
    """What becomes of each kind of value, without the quote that ends it."""
    return [*_insertions(inserts), (b"", srcset), (b"", style)]


@lru_cache(256)
def _insertions(inserts: Inserts) -> list[Edit]:
    absolute, host_relative, root_relative = (escape(insert or b"", b'"') for insert in inserts)
    return [
        (root_relative, _inserting(root_relative, b"/", b'="', b" ")),
        (absolute, None),
        (host_relative, None),
        (root_relative, None),
        (absolute, _inserting(absolute, b"http", b" ")),
        (host_relative, _inserting(host_relative, b"//", b" ")),
        (root_relative, _inserting(root_relative, b"/", b" ")),
    ]


def _inserting(insert: bytes, begins: bytes, *before: bytes) -> Rewrite:
    """Puts the insertion wherever an address begins behind one of `before`."""
    replacements = [(before_it + begins, before_it + insert + begins) for before_it in before]

    def rewrite(value: bytes) -> bytes:
        for old, new in replacements:
            value = value.replace(old, new)
        return value

    return rewrite
