"""What the HTML standard's tokenizer (13.2.5) takes for tags and attributes, as regular expressions over bytes.

Their quantifiers are possessive throughout: a byte once passed is not looked at again, so the time is linear whatever
comes. Everything below 0x80 means ASCII here, which holds within all encodings of the Web but UTF-16 and ISO-2022-JP.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

BLANK: Final = rb"[\t\n\f\r ]"
BETWEEN: Final = rb"[\t\n\f\r /]"
START_NAME: Final = rb"[A-Za-z][^\t\n\f\r />]*+"
_NAME = rb"[^\t\n\f\r />][^\t\n\f\r />=]*+"  # a name may begin with the equals sign
_EQUALS = BLANK + rb"*+=" + BLANK + rb"*+"
_VALUE = rb"(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+)"
# What follows a name decides what it is, so an attribute at the end of what came is none yet.
_REST = (
    rb'(?:="[^"]*+"(?s:(?=.))|'
    rb"(?=" + BLANK + rb"*+[^\t\n\f\r =])|" + _EQUALS + rb"(?:" + _VALUE + rb"(?s:(?=.))|(?=>)))"
)


def any_of(names: Iterable[str]) -> bytes:
    """Any of the names, whatever its case, the first letter looked at once."""
    by_letter: dict[str, list[str]] = {}
    for name in sorted(names):
        by_letter.setdefault(name[0], []).append(name[1:])
    return b"(?:%s)" % b"|".join(
        _caseless(letter) + b"(?:%s)" % b"|".join(_caseless(rest) for rest in rests)
        for letter, rests in by_letter.items()
    )


def _caseless(name: str) -> bytes:
    return b"(?i:%s)" % re.escape(name).encode()


def attribute_but(names: Iterable[str]) -> bytes:
    return rb"(?!" + any_of(names) + rb"[\t\n\f\r />=])" + _NAME + _REST


TAG_NAME: Final = re.compile(rb"</?(" + START_NAME + rb")(?=[\t\n\f\r />])")
WHOLE_TAG: Final = re.compile(
    rb"</?(" + START_NAME + rb")(?:" + BETWEEN + rb"*+" + _NAME + _REST + rb")*+" + BETWEEN + rb"*+>"
)
_ONLY_ATTRIBUTES = re.compile(rb"(?:" + BETWEEN + rb"*+" + _NAME + _REST + rb")*+")
ATTRIBUTES: Final = re.compile(rb"(?:" + BETWEEN + rb"*+" + _NAME + _REST + rb")*+" + BETWEEN + rb"*+")
"""All attributes that are complete, and what separates them."""
ATTRIBUTE: Final = re.compile(BETWEEN + rb"*+(" + _NAME + rb")(?:" + _EQUALS + rb"(" + _VALUE + rb")?)?")
"""One attribute of a text that holds only complete ones."""


def after_name(tag: bytes) -> int:
    """Where a tag's attributes begin."""
    name = TAG_NAME.match(tag)
    return name.end() if name else 0


def is_self_closing(text: bytes, attributes_start: int) -> bool:
    """Whether the tag that `text` is the end of ends with a slash that belongs to no value."""
    if not text.endswith(b"/>"):
        return False
    attributes = _ONLY_ATTRIBUTES.match(text, attributes_start)
    return attributes is not None and attributes.end() < len(text) - 1


def next_attribute(names: Iterable[str]) -> re.Pattern[bytes]:
    """Passes over attributes to the next that bears one of the names: group 1 the name, 2 the value with its quotes.

    For texts that hold only complete attributes. Group 1 is None where there is no further one.
    """
    others = rb"(?:" + BETWEEN + rb"*+" + attribute_but(names) + rb")*+"
    named = rb"(?=" + any_of(names) + rb"[\t\n\f\r />=])(" + _NAME + rb")(?:" + _EQUALS + rb"(" + _VALUE + rb")?)?"
    return re.compile(others + BETWEEN + rb"*+(?:" + named + rb"|)")
