"""Which rows are asked for."""

from __future__ import annotations

import pytest

from app.core.errors import Invalid
from app.core.request_log.filters import FILTERS, parse_filter
from app.core.request_log.making import rows_of
from app.core.said.reading import asked_in
from app.core.said.shapes import Shape
from tests.support.log_rows import called, failed_attempt, fits, mapped, refused

ROWS = [
    *rows_of(mapped("a" * 32, status=404), 1),
    *rows_of(called("b" * 32, failed_attempt(10.0), use={"is_stream": True}), 2),
    *rows_of(refused("c" * 32), 3),
]


def fitting(**said: str) -> list[str]:
    """First letters of the ids of the calls whose rows fit."""
    wanted = parse_filter(asked_in(said, Shape(FILTERS)))
    return [row.request_id[0] for row in ROWS if fits(wanted, row)]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, "abbc"),
        ({"token_id": "7"}, "bb"),
        ({"channel_id": "1"}, "b"),
        ({"key_id": "22"}, "b"),
        ({"mapping": "/up"}, "a"),
        ({"model": "m"}, "bbc"),
        ({"model": "M"}, ""),
        ({"dialect": "openai"}, "bbc"),
        ({"dialect": "gemini"}, ""),
        ({"status": "404"}, "a"),
        ({"status": "4xx"}, "abc"),
        ({"status": "200, 404"}, "ab"),
        ({"status": "5XX"}, ""),
        ({"outcome": "refused"}, "c"),
        ({"outcome": "rate_limited,ok"}, "bb"),
        ({"stream": "true"}, "bb"),
        ({"stream": "false"}, "ac"),
        ({"final": "true"}, "abc"),
        ({"final": "false"}, "b"),
        ({"q": "AAAA"}, "a"),
        ({"q": "Team"}, "bb"),
        ({"q": "slow"}, "b"),
        ({"q": "chat/comp"}, "bbc"),
        ({"q": "192.0.2"}, "abbc"),
        ({"q": "sk-2"}, ""),
        ({"model": "m", "status": "429", "final": "true"}, "c"),
        ({"unheard_of": "1", "limit": "5"}, "abbc"),
    ],
)
def test_a_row_fits_when_all_that_is_asked_holds(said: dict[str, str], found: str) -> None:
    """Words of one field are alternatives; `q` is looked for without regard to case, and never in keys."""
    assert "".join(fitting(**said)) == found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("from_ms", "yesterday"),
        ("from_ms", "-1"),
        ("to_ms", "1.5"),
        ("to_ms", "9" * 14),
        ("status", "abc"),
        ("status", "20"),
        ("status", "xx4"),
        ("outcome", "fine"),
        ("stream", "1"),
        ("final", "yes"),
        ("q", "q" * 301),
    ],
)
def test_what_cannot_be_asked_is_named(name: str, text: str) -> None:
    """The error says which field is to blame."""
    with pytest.raises(Invalid) as caught:
        parse_filter(asked_in({name: text}, Shape(FILTERS)))
    assert caught.value.field == name
