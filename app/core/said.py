"""Reads a JSON object that an operator sent: each value has its check, and each error names the value's path."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from app.core.errors import InvalidChannel, UnknownField

T = TypeVar("T")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Said:
    """One object of what was said, and where it stands in the whole: `urls[0]`, or empty for the whole itself."""

    def __init__(
        self, value: Any, path: str, known: Iterable[str], read_only: Iterable[str] = (), *, whole: str = "a channel"
    ) -> None:
        """Raises InvalidChannel for what is no object, UnknownField for a field that is neither known nor read-only.

        `whole` says what the whole is.
        """
        self._path = path
        if not isinstance(value, dict):
            raise InvalidChannel(f"{path or whole} must be a JSON object, not {_shown(value)}", path)
        self._values: dict[Any, Any] = value
        known = list(known)
        for name in value:
            if name not in known and name not in read_only:
                raise UnknownField(
                    f"there is no field {self.at(str(name))!r}; there are {', '.join(known)}", self.at(str(name))
                )

    def at(self, name: str) -> str:
        """The path of a field of this object."""
        return f"{self._path}.{name}" if self._path else name

    def wrong(self, name: str, reason: str) -> InvalidChannel:
        """What to raise for a field; the reason follows its name."""
        return InvalidChannel(f"{self.at(name)} {reason}", self.at(name))

    def has(self, name: str) -> bool:
        return name in self._values

    def any(self, name: str) -> Any:
        return self._values.get(name)

    def text(self, name: str, default: str | None, longest: int, *, lines: bool = False) -> str:
        """A text without blanks around it. `default` None: it must be there, and not be empty."""
        value = self._values.get(name)
        if value is None:
            value = default
        if value is None:
            raise self.wrong(name, "is missing")
        if not isinstance(value, str):
            raise self.wrong(name, f"must be a text, not {_shown(value)}")
        value = value.strip()
        if default is None and not value:
            raise self.wrong(name, "is empty")
        if len(value) > longest:
            raise self.wrong(name, f"has {len(value):,} characters; at most {longest:,} are possible")
        if _CONTROL.search(re.sub(r"[\t\r\n]", " ", value) if lines else value):
            raise self.wrong(name, "must not hold control characters")
        return value

    def number(self, name: str, default: int, minimum: int, maximum: int) -> int:
        value = self._values.get(name)
        if value is None:
            return default
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            raise self.wrong(name, f"must be a whole number from {minimum:,} to {maximum:,}, not {_shown(value)}")
        return value

    def flag(self, name: str, default: bool) -> bool:
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(name, f"must be true or false, not {_shown(value)}")
        return value

    def choice(self, name: str, default: str | None, choices: Iterable[str]) -> str:
        value = self._values.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or value not in choices:
            raise self.wrong(name, f"must be one of {', '.join(choices)}, not {_shown(value)}")
        return value

    def items(self, name: str, most: int) -> list[Any]:
        value = self._values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(name, f"must be a list, not {_shown(value)}")
        if len(value) > most:
            raise self.wrong(name, f"has {len(value):,} entries; at most {most:,} are possible")
        return value

    def each(self, name: str, most: int, parse: Callable[[Any, str], T]) -> tuple[T, ...]:
        """A list whose entries `parse` reads; it is told where they stand."""
        return tuple(parse(entry, f"{self.at(name)}[{place}]") for place, entry in enumerate(self.items(name, most)))

    def words(self, name: str, choices: Iterable[str]) -> tuple[str, ...]:
        """A list of some of the choices, each once, in their order there."""
        entries = self.items(name, 100)
        for place, entry in enumerate(entries):
            if entry not in choices:
                reason = f"must be one of {', '.join(choices)}, not {_shown(entry)}"
                raise self.wrong(f"{name}[{place}]", reason)
        return tuple(dict.fromkeys(entries))


def _shown(value: Any) -> str:
    """A value in an error: a short one as Python writes it, an object or a list by its kind."""
    if value is None:
        return "null"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
