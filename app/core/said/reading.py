"""Reads a JSON object that an operator sent, by its Shape: each error names the value's path."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from app.core.errors import InvalidChannel, UnknownField
from app.core.money.amounts import parse_usd
from app.core.said.shapes import Field, Listed, OneOf, Real, Shape, SomeOf, Text, Usd, Whole, YesOrNo

T = TypeVar("T")
F = TypeVar("F", bound=Field)

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_FLAGS = {"true": True, "false": False}


class Said:
    """One object of what was said, and where it stands in the whole: `urls[0]`, or empty for the whole itself."""

    def __init__(self, value: Any, path: str, shape: Shape) -> None:
        """Raises InvalidChannel for what is no object, UnknownField for a field that is neither known nor read-only."""
        self._path = path
        self._shape = shape
        if not isinstance(value, dict):
            raise InvalidChannel(f"{path or shape.whole} must be a JSON object, not {_shown(value)}", path)
        self.values: dict[Any, Any] = value
        """As they were said."""
        for name in value:
            if name not in shape.fields and name not in shape.read_only:
                known = ", ".join(shape.fields)
                raise UnknownField(f"there is no field {self.at(str(name))!r}; there are {known}", self.at(str(name)))
        self._count(shape)

    def _count(self, shape: Shape) -> None:
        """Raises InvalidChannel where too few or too many of some fields were said."""
        if shape.has_any and not self.values:
            raise InvalidChannel(f"say one or more of {', '.join(shape.fields)}", self._path)
        for names, most in ((shape.one_of, 1), (shape.any_of, len(shape.any_of))):
            if names and not 1 <= sum(self._value(name) is not None for name in names) <= most:
                words = "just one" if most == 1 else "one or more"
                raise InvalidChannel(f"say {words} of {', '.join(self.at(name) for name in names)}", self.at(names[0]))

    def at(self, name: str) -> str:
        """The path of a field of this object."""
        return f"{self._path}.{name}" if self._path else name

    def wrong(self, name: str, reason: str) -> InvalidChannel:
        """What to raise for a field; the reason follows its name."""
        return InvalidChannel(f"{self.at(name)} {reason}", self.at(name))

    def has(self, name: str) -> bool:
        return name in self.values

    def any(self, name: str) -> Any:
        """Whatever was said; None where nothing was. Raises InvalidChannel where that must not be."""
        value = self._value(name)
        if value is None and self._shape.fields[name].is_needed:
            raise self.wrong(name, "is missing")
        return value

    def text(self, name: str, *, as_written: bool = False) -> str:
        """Without blanks around it and control characters in it; or `as_written`."""
        field = self._field(name, Text)
        value = self._value(name)
        if value is None:
            if field.is_needed:
                raise self.wrong(name, "is missing")
            return field.default
        if not isinstance(value, str):
            raise self.wrong(name, f"must be a text, not {_shown(value)}")
        value = value if as_written else value.strip()
        if field.is_needed and not value:
            raise self.wrong(name, "is empty")
        if field.longest is not None and len(value) > field.longest:
            raise self.wrong(name, f"has {len(value):,} characters; at most {field.longest:,} are possible")
        if not as_written and _CONTROL.search(re.sub(r"[\t\r\n]", " ", value) if field.lines else value):
            raise self.wrong(name, "must not hold control characters")
        return value

    def number(self, name: str) -> int:
        field = self._field(name, Whole)
        value = self.any(name)
        if value is None:
            return field.default
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        low, high = field.minimum, field.maximum
        if isinstance(value, bool) or not isinstance(value, int) or not _within(value, low, high):
            raise self.wrong(name, f"must be a whole number{_span(low, high)}, not {_shown(value)}")
        return value

    def real(self, name: str) -> float:
        field = self._field(name, Real)
        value = self.any(name)
        if value is None:
            return field.default
        low, high = field.minimum, field.maximum
        if isinstance(value, bool) or not isinstance(value, int | float) or not _within(value, low, high):
            raise self.wrong(name, f"must be a number{_span(low, high)}, not {_shown(value)}")
        return value

    def flag(self, name: str) -> bool:
        field = self._field(name, YesOrNo)
        value = self.any(name)
        if value is None:
            return bool(field.default)
        if not isinstance(value, bool):
            raise self.wrong(name, f"must be true or false, not {_shown(value)}")
        return value

    def choice(self, name: str, among: Iterable[str] = ()) -> str:
        """One of the words; of those `among` them, where any are given."""
        field = self._field(name, OneOf)
        words = tuple(among) or field.words
        value = self._value(name)
        if field.default is not None and value in (None, field.default):
            return field.default
        if not isinstance(value, str) or value not in words:
            shown = ", ".join(word for word in words if word)
            raise self.wrong(name, f"must be one of {shown}, not {_shown(value)}")
        return value

    def money(self, name: str) -> str | None:
        """Dollars or a factor, as written: decimal text, for a float would change it."""
        field = self._field(name, Usd)
        value = self.any(name)
        if value is None:
            return field.default
        try:
            parse_usd(value)
        except ValueError as error:
            raise self.wrong(name, str(error)) from None
        return str(value)

    def object(self, name: str) -> Said:
        """An object in this one; one without fields where it was left out."""
        value = self._value(name)
        return Said({} if value is None else value, self.at(name), self._field(name, Shape))

    def items(self, name: str) -> list[Any]:
        """A list, as it was said."""
        field = self._field(name, Listed)
        if field.is_needed and self._value(name) is None:
            raise self.wrong(name, "is missing: it is a list")
        items = self._items(name, field.most)
        if len(items) < field.least and self._value(name) is not None:
            example = "" if field.example is None else f", such as {field.example}"
            raise self.wrong(name, f"must have one or more{example}")
        return items

    def each(self, name: str, parse: Callable[[Any, str], T]) -> tuple[T, ...]:
        """A list whose entries `parse` reads; it is told where they stand."""
        return tuple(parse(entry, f"{self.at(name)}[{place}]") for place, entry in enumerate(self.items(name)))

    def words(self, name: str, among: Iterable[str] = ()) -> tuple[str, ...]:
        """A list of some of the words, each once; of those `among` them, where any are given."""
        words = tuple(among) or self._field(name, SomeOf).words
        entries = self._items(name, 100)
        for place, entry in enumerate(entries):
            if entry not in words:
                raise self.wrong(f"{name}[{place}]", f"must be one of {', '.join(words)}, not {_shown(entry)}")
        if not entries and self._field(name, SomeOf).is_needed:
            raise self.wrong(name, f"must name one or more of {', '.join(words)}")
        return tuple(dict.fromkeys(entries))

    def _items(self, name: str, most: int | None) -> list[Any]:
        value = self._value(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(name, f"must be a list, not {_shown(value)}")
        if most is not None and len(value) > most:
            raise self.wrong(name, f"has {len(value):,} entries; at most {most:,} are possible")
        return value

    def _value(self, name: str) -> Any:
        return self.values.get(name)

    def _field(self, name: str, kind: type[F]) -> F:
        field = self._shape.fields[name]
        if not isinstance(field, kind):
            raise TypeError(f"{self.at(name)} is described as {type(field).__name__} and read as {kind.__name__}")
        return field


def asked_in(query: Mapping[str, str], shape: Shape) -> Said:
    """What a query says, to be read as a body is; parameters that are none of the shape's are passed over.

    Raises InvalidChannel, which names the parameter.
    """
    values: dict[str, Any] = {}
    for name, field in shape.fields.items():
        text = query.get(name, "").strip()
        if not text:
            continue
        match field:
            case Whole():
                values[name] = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else text
            case YesOrNo():
                values[name] = _FLAGS.get(text, text)
            case SomeOf():
                values[name] = _words(name, text, field)
            case _:
                values[name] = text
    return Said(values, "", shape)


def _words(name: str, text: str, field: SomeOf) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in field.words:
            raise InvalidChannel(f"{name} must be of {', '.join(field.words)}, not {_shown(word)}", name)
    return words


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or low <= value) and (high is None or value <= high)


def _span(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "" if low is None else f" from {low:,}"
    return f" from {low:,} to {high:,}"


def _shown(value: Any) -> str:
    """A value in an error: a short one as Python writes it, an object or a list by its kind."""
    if value is None:
        return "null"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
