"""How many cells an hour may have."""

from __future__ import annotations

import pytest

from app.core.statistics.sums import rooms
from app.core.statistics.sums.cells import MADE, Cell, Dimensions, Names
from app.core.statistics.sums.rooms import OTHER, fitted

SENT, UNSENT = Cell(Names()), Cell(Names())
SENT.numbers[MADE] = 1


def of(place: int, **changes: str) -> Dimensions:
    return Dimensions("1", "7", "", f"k{place}", f"m{place}", "openai")._replace(**changes)


@pytest.fixture(autouse=True)
def _small_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "ROOMS", (3, 5, 6))
    monkeypatch.setattr(rooms, "ROOM_OF_REFUSED", 2)


def test_what_has_no_room_loses_its_key_then_its_model_then_all() -> None:
    wanted = [of(place) for place in range(5)] + [of(5, channel_id="2"), of(6, channel_id="3")]
    places = fitted(dict.fromkeys(wanted, SENT), frozenset(), 0)
    assert {key: places[key] for key in places} == {
        of(3): of(3, key_id=OTHER),
        of(4): of(4, key_id=OTHER),
        of(5, channel_id="2"): of(5, channel_id="2", key_id=OTHER, model=OTHER),
        of(6, channel_id="3"): Dimensions(*[OTHER] * 6),
    }


def test_what_the_hour_has_stays_where_it_is() -> None:
    """However full it is."""
    held = {of(0).id, of(1, key_id=OTHER).id}
    places = fitted(dict.fromkeys([of(0), of(1)], SENT), held, 100)
    assert places == {of(1): of(1, key_id=OTHER)}


def test_calls_of_which_nothing_was_sent_take_little_room() -> None:
    """They may ask for any model: what was sent finds its room all the same."""
    told = {of(place, key_id=""): UNSENT for place in range(4)}
    places = fitted(told, frozenset(), 0)
    assert {key: places[key].model for key in places} == {of(2, key_id=""): OTHER, of(3, key_id=""): OTHER}
    held = {places.get(key, key).id for key in told}
    assert fitted({of(9): SENT}, held, len(held)) == {of(9): of(9, key_id=OTHER)}


def test_the_places_are_bounded_whatever_comes() -> None:
    found = {of(place, key_id=""): UNSENT for place in range(1000)}
    places = fitted(found, frozenset(), 0)
    assert len({places.get(key, key) for key in found}) <= 7
