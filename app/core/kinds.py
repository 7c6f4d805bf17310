"""Of which kind a setting's value is: how it is read, stored, shown and asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

from app.core.channels.time_zones import zone_of
from app.core.money.amounts import parse_usd
from app.core.network.addresses import MASK, mask_url
from app.core.network.forward_proxies import parse_proxy_url

Value = int | float | str
"""A value in its right kind. Not only `float`: compiled code would make floats of whole numbers then."""

_FLAGS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


class Kind(Protocol):
    """What values of a setting are like."""

    def parse(self, value: Any) -> Value:
        """The value of what JSON or the environment says. Raises ValueError, which says what would do."""

    def written(self, value: Value) -> str:
        """The value as it is stored; `parse` reads it."""

    def shown(self, value: Value) -> Value:
        """The value as the operator may see it."""

    def describe(self) -> dict[str, Any]:
        """What a page must know to ask for a value."""

    def schema(self) -> dict[str, Any]:
        """The same as JSON Schema: how values are best sent."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a span; `of` is int or float."""

    of: type[int] | type[float]
    minimum: int | float
    maximum: int | float
    unit: str

    def parse(self, value: Any) -> Value:
        number = _number(value)
        if number is None or not self.minimum <= number <= self.maximum or (self.of is int and number != int(number)):
            kind = "a whole number" if self.of is int else "a number"
            span = f"from {self.minimum:g} to {self.maximum:,.0f} ({self.unit})"
            raise ValueError(f"must be {kind} {span}, not {value!r}")
        return self.of(number)

    def written(self, value: Value) -> str:
        return repr(value)

    def shown(self, value: Value) -> Value:
        return value

    def describe(self) -> dict[str, Any]:
        return {
            "kind": self.of.__name__,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "unit": self.unit,
            "whole": self.of is int,
        }

    def schema(self) -> dict[str, Any]:
        kind = "integer" if self.of is int else "number"
        return {"type": kind, "minimum": self.minimum, "maximum": self.maximum}


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    def parse(self, value: Any) -> Value:
        if isinstance(value, bool):
            return value
        said = _FLAGS.get(value.strip().lower()) if isinstance(value, str) else None
        if said is None:
            raise ValueError(f"must be true or false, not {value!r}")
        return said

    def written(self, value: Value) -> str:
        return "true" if value else "false"

    def shown(self, value: Value) -> Value:
        return value

    def describe(self) -> dict[str, Any]:
        return {"kind": "bool", "unit": ""}

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]

    def parse(self, value: Any) -> Value:
        word = value.strip().lower() if isinstance(value, str) else ""
        if word not in self.words:
            raise ValueError(f"must be one of {', '.join(self.words)}, not {value!r}")
        return word

    def written(self, value: Value) -> str:
        return str(value)

    def shown(self, value: Value) -> Value:
        return value

    def describe(self) -> dict[str, Any]:
        return {"kind": "choice", "unit": "", "choices": list(self.words)}

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class ProxyUrl:
    """The URL of a proxy on the way out; its password is shown to nobody."""

    def parse(self, value: Any) -> Value:
        text = value.strip() if isinstance(value, str) else ""
        text = text if "://" in text else f"http://{text}"
        try:
            proxy = parse_proxy_url(text)
        except ValueError as error:
            raise ValueError(f"is no proxy's URL: {error}") from None
        if proxy.password == MASK:  # what was shown, with another part of it changed
            raise ValueError(f"has {MASK} for a password, as it is shown; write the password itself")
        return text

    def written(self, value: Value) -> str:
        return str(value)

    def shown(self, value: Value) -> Value:
        return mask_url(str(value))

    def describe(self) -> dict[str, Any]:
        return {"kind": "text", "unit": "", "example": "http://user:password@proxy.example:3128"}

    def schema(self) -> dict[str, Any]:
        return _text_schema(self)


@dataclass(frozen=True, slots=True)
class TimeZone:
    """An IANA name."""

    def parse(self, value: Any) -> Value:
        name = value.strip() if isinstance(value, str) else ""
        if not name:
            raise ValueError(f"must be the name of a time zone, such as UTC or Asia/Shanghai, not {value!r}")
        zone_of(name)
        return name

    def written(self, value: Value) -> str:
        return str(value)

    def shown(self, value: Value) -> Value:
        return value

    def describe(self) -> dict[str, Any]:
        return {"kind": "text", "unit": "", "example": "Asia/Shanghai"}

    def schema(self) -> dict[str, Any]:
        return _text_schema(self)


@dataclass(frozen=True, slots=True)
class Usd:
    """Dollars, as a decimal text."""

    def parse(self, value: Any) -> Value:
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        text = text.strip() if isinstance(text, str) else text
        parse_usd(text)
        return str(text)

    def written(self, value: Value) -> str:
        return str(value)

    def shown(self, value: Value) -> Value:
        return value

    def describe(self) -> dict[str, Any]:
        return {"kind": "text", "unit": "USD", "example": "2.50"}

    def schema(self) -> dict[str, Any]:
        return _text_schema(self)


def _text_schema(kind: Kind) -> dict[str, Any]:
    return {"type": "string", "examples": [kind.describe()["example"]]}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
