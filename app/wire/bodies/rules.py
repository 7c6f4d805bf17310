"""What an operator wants set in the bodies of a channel's requests, or removed from them, by dotted path.

`generationConfig.temperature` is a member of a member; a number is an element where there is an array. Parents that are
missing are made; where the path leads through what is no object or array, the rule is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson

from app.wire.bodies.splice import Edit

PAUSE_BYTES: Final = 256 * 1024
"""After so much the one who asked may let others have their turn."""
_STEP_BYTES: Final = 64 * 1024
_BLANK = re.compile(rb"[ \t\r\n]*+")
_MEMBER = re.compile(rb'[ \t\r\n]*+("[^"\\]*+(?:\\.[^"\\]*+)*+")[ \t\r\n]*+:[ \t\r\n]*+', re.DOTALL)
_PASSED = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\]{0,100}+"[^"{}\[\]]*+)*+')
_SCALAR = re.compile(rb'[^ \t\r\n,"{}\[\]:]++')


class NotJson(ValueError):
    """The body is no JSON on the way to what is to be edited."""


def with_rules(body: bytes, rules: Iterable[tuple[str, str, Any]], pause: Callable[[], object] | None = None) -> bytes:
    """The body, a JSON object, after the rules: (`set` or `remove`, path, value), one after the other.

    `pause` is called between steps of a few hundred microseconds. Raises NotJson.
    """
    for action, path, value in rules:
        finder = _Finder(body, pause)
        names = path.split(".")
        edit = finder.removal(names) if action == "remove" else finder.setting(names, orjson.dumps(value))
        if edit is not None:
            body = b"%b%b%b" % (body[: edit.start], edit.data, body[edit.end :])
            if pause is not None:
                pause()
    return body


class _Place:
    """A member or element: where it stands with what comes before and behind it."""

    __slots__ = ("before", "end", "next", "start", "value_start")

    def __init__(self, before: int, start: int, value_start: int, end: int, following: int) -> None:
        self.before = before
        """Behind the bracket or the value before it."""
        self.start = start
        """Of its name, or of its value where it has none."""
        self.value_start = value_start
        self.end = end
        self.next = following
        """Of what follows the comma behind it; -1 where there is none."""


class _Finder:
    """Finds values in one body."""

    def __init__(self, body: bytes, pause: Callable[[], object] | None) -> None:
        self._body = body
        self._pause = pause
        self._pause_at = PAUSE_BYTES

    def setting(self, names: list[str], data: bytes) -> Edit | None:
        """The edit that puts a value there; None where it cannot be."""
        at = self._skip_blank(0)
        for depth, name in enumerate(names):
            place, last_end, count = self._find(at, name)
            if place is None:
                return self._insertion(at, last_end, count, names[depth:], data)
            if depth == len(names) - 1:
                return Edit(place.value_start, place.end, data)
            at = place.value_start
            if self._body[at] not in b"{[":
                return None
        return None

    def removal(self, names: list[str]) -> Edit | None:
        """The edit that takes a value away; None where there is none."""
        at = self._skip_blank(0)
        place: _Place | None = None
        for name in names:
            if self._body[at : at + 1] not in (b"{", b"["):
                return None
            place, _, _ = self._find(at, name)
            if place is None:
                return None
            at = place.value_start
        if place is None:
            return None
        return Edit(place.start, place.next, b"") if place.next >= 0 else Edit(place.before, place.end, b"")

    def _insertion(self, at: int, last_end: int, count: int, names: list[str], data: bytes) -> Edit | None:
        """Of a new last member or element, with the parents that it needs."""
        for name in reversed(names[1:]):
            data = b"{%b:%b}" % (orjson.dumps(name), data)
        if self._body[at] == 123:
            data = b"%b:%b" % (orjson.dumps(names[0]), data)
        elif names[0] != str(count):
            return None
        return Edit(last_end, last_end, b"," + data if count else data)

    def _find(self, at: int, name: str) -> tuple[_Place | None, int, int]:
        """The last member of that name, or the element of that number, in the object or array at `at`.

        Also where the last value of all ends, or the bracket where there is none, and how many there are.
        """
        body = self._body
        is_object = body[at : at + 1] == b"{"
        if not is_object and body[at : at + 1] != b"[":
            raise NotJson(f"neither an object nor an array at byte {at}")
        closing = b"}" if is_object else b"]"
        last_end = at + 1
        count = 0
        found: _Place | None = None
        at = self._skip_blank(last_end)
        if body[at : at + 1] == closing:
            return None, last_end, 0
        while True:
            start = at
            if is_object:
                member = _MEMBER.match(body, at)
                if member is None:
                    raise NotJson(f"no member of an object at byte {at}")
                is_it = _name(member.group(1)) == name
                at = member.end()
            else:
                is_it = str(count) == name
            end = self._value_end(at)
            count += 1
            behind = self._skip_blank(end)
            more = body[behind : behind + 1] == b","
            following = self._skip_blank(behind + 1) if more else -1
            if is_it:
                found = _Place(last_end, start, at, end, following)
            last_end = end
            if not more:
                if body[behind : behind + 1] != closing:
                    raise NotJson(f"neither a comma nor the end at byte {behind}")
                return found, last_end, count
            at = following

    def _skip_blank(self, at: int) -> int:
        blank = _BLANK.match(self._body, at)
        return blank.end() if blank is not None else at

    def _value_end(self, at: int) -> int:
        body = self._body
        first = body[at : at + 1]
        if first == b'"':
            return self._string_end(at)
        if first not in (b"{", b"["):
            scalar = _SCALAR.match(body, at)
            if scalar is None:
                raise NotJson(f"no value at byte {at}")
            return scalar.end()
        depth = 0
        length = len(body)
        while at < length:
            self._rest(at)
            passed = _PASSED.match(body, at, at + _STEP_BYTES)
            at = passed.end() if passed is not None and passed.end() > at else at
            if at >= length:
                break
            byte = body[at]
            if byte == 34:
                at = self._string_end(at)
                continue
            if byte == 123 or byte == 91:
                depth += 1
            elif byte == 125 or byte == 93:
                depth -= 1
            else:
                continue  # a step ended here
            at += 1
            if depth == 0:
                return at
        raise NotJson("the body ends inside a value")

    def _string_end(self, at: int) -> int:
        body = self._body
        start = at + 1
        quote = body.find(b'"', start)
        while quote >= 0:
            backslash = quote
            while backslash > start and body[backslash - 1] == 92:
                backslash -= 1
            if (quote - backslash) % 2 == 0:
                return quote + 1
            start = quote + 1
            quote = body.find(b'"', start)
        raise NotJson("the body ends inside a text")

    def _rest(self, at: int) -> None:
        if at >= self._pause_at:
            self._pause_at = at + PAUSE_BYTES
            if self._pause is not None:
                self._pause()


def _name(written: bytes) -> str:
    try:
        name = orjson.loads(written)
    except orjson.JSONDecodeError as error:
        raise NotJson("a member's name is no text") from error
    return str(name)
