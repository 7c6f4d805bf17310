"""How many cells an hour may have: who can choose texts, as clients can that of a model, cannot fill a disk with them.

Cells for which there is no room are counted together: first those that differ in their key, then those that differ in
the model, too, and in the end all. So what is left out of an hour with very many keys is which key it was, and no more.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Final

from app.core.statistics.sums.cells import Cells, Dimensions

OTHER: Final = "(other)"
"""What stands for all those that have no room."""
ROOMS: Final = (2_000, 3_000, 4_000)
"""Cells of an hour: with all that is known; where the key goes without saying; the model, too."""
ROOM_OF_REFUSED: Final = 500
"""Of an hour, for those of which nothing was sent to anybody: who is refused may say anything."""


def fitted(cells: Cells, held: Container[int], count: int) -> dict[Dimensions, Dimensions]:
    """In which cell of their hour those are counted that have no room of their own.

    `held`: the ids of those that the hour has; `count`: how many.
    """
    made: set[Dimensions] = set()
    found: dict[Dimensions, Dimensions] = {}
    for dimensions, cell in cells.items():
        for place, room in _places(dimensions, was_sent=cell.was_sent):
            if place in made or place.id in held:
                break
            if count + len(made) < room:
                made.add(place)
                break
        if place is not dimensions:
            found[dimensions] = place
    return found


def _places(dimensions: Dimensions, *, was_sent: bool) -> Iterator[tuple[Dimensions, float]]:
    """Where it may be counted, and how many cells there may be then."""
    yield dimensions, ROOMS[0] if was_sent else ROOM_OF_REFUSED
    if dimensions.key_id:
        dimensions = dimensions._replace(key_id=OTHER)
    if was_sent:
        yield dimensions, ROOMS[1]
    if dimensions.model:
        dimensions = dimensions._replace(model=OTHER)
    yield dimensions, ROOMS[2]
    yield Dimensions(*[OTHER] * len(Dimensions._fields)), float("inf")
