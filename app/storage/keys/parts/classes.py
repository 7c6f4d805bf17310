"""Classes of keys: those that are kept for the same models are of one, which is a byte."""

from __future__ import annotations

from typing import Final

FOR_ALL: Final = 1
"""The class of keys that are kept for no model."""
MIXED: Final = 255
"""The class of all keys whose models no class was left for; theirs are looked up."""
_REMEMBERED: Final = 1000
"""Sets of models whose classes are remembered. They come from callers."""


class Classes:
    """Of the keys of one channel."""

    def __init__(self) -> None:
        self._models: list[frozenset[str]] = [frozenset(), frozenset()]
        """By class."""
        self._numbers: dict[frozenset[str], int] = {self._models[FOR_ALL]: FOR_ALL}
        self._serving: dict[tuple[str, ...], bytes] = {}
        self._is_mixed = False

    def of(self, models: tuple[str, ...]) -> int:
        """The class of a key that is kept for these."""
        wanted = frozenset(models)
        one = self._numbers.get(wanted, 0)
        if one:
            return one
        self._serving.clear()
        if len(self._models) >= MIXED:
            self._is_mixed = True
            return MIXED
        self._models.append(wanted)
        one = self._numbers[wanted] = len(self._models) - 1
        return one

    def serving(self, models: tuple[str, ...]) -> bytes:
        """The classes whose keys may be used for a model, by any of its names."""
        found = self._serving.get(models)
        if found is None:
            if len(self._serving) >= _REMEMBERED:
                self._serving.clear()
            named = [one for one in range(FOR_ALL + 1, len(self._models)) if not self._models[one].isdisjoint(models)]
            found = self._serving[models] = bytes([FOR_ALL, *named, *([MIXED] if self._is_mixed else [])])
        return found
