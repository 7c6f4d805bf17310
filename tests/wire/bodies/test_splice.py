"""Edits of a body as splices."""

from __future__ import annotations

import json

import orjson
from hypothesis import given
from hypothesis import strategies as st

from app.wire.bodies.forms import Form
from app.wire.bodies.splice import Edit, length_with, model_edit, spliced
from app.wire.bodies.top_level import TopLevel


@given(st.binary(max_size=30), st.lists(st.integers(0, 30), max_size=8), st.lists(st.integers(0, 30), max_size=4))
def test_edits_are_made_in_any_pieces(body: bytes, places: list[int], cuts: list[int]) -> None:
    """In order, whatever lies between two pieces; all else is as it was."""
    places = sorted(min(place, len(body)) for place in places)
    edits = [
        Edit(start, end, b"<%d>" % number if number % 2 else b"")
        for number, (start, end) in enumerate(zip(places[::2], places[1::2], strict=False))
    ]
    expected = body
    for edit in reversed(edits):
        expected = expected[: edit.start] + edit.data + expected[edit.end :]
    cuts = sorted(min(cut, len(body)) for cut in cuts)
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    out = list(spliced(pieces, edits))
    assert b"".join(out) == expected
    assert b"" not in out
    assert length_with(len(body), edits) == len(expected)


def test_an_edit_may_lie_over_several_pieces() -> None:
    """What it takes away is left out of each."""
    pieces = [b"ab", b"cd", b"ef", b"gh"]
    assert list(spliced(pieces, [Edit(1, 5, b"-")])) == [b"a", b"-", b"f", b"gh"]
    assert list(spliced(pieces, [Edit(0, 8, b""), Edit(8, 8, b"+")])) == [b"+"]


def test_another_model_changes_no_other_byte() -> None:
    """Numbers, blanks and order stay as the client wrote them."""
    body = b'{ "temperature":1.0,  "model" : "a" ,"seed":12345678901234567890,"u":"\\u00e9" }'
    top = TopLevel()
    top.feed(body)
    edited = b"".join(spliced([body], [model_edit(top, 'b"é')]))
    assert edited == body.replace(b'"a"', '"b\\"é"'.encode())
    assert orjson.loads(edited)["model"] == 'b"é'


def test_googles_models_keep_their_beginning() -> None:
    """A client that writes `models/` is understood by a server that wants it."""
    body = json.dumps({"model": "models/a"}).encode()
    top = TopLevel()
    top.feed(body)
    assert b"".join(spliced([body], [model_edit(top, "b")])) == b'{"model": "models/b"}'
    assert b"".join(spliced([body], [model_edit(top, "models/b")])) == b'{"model": "models/b"}'


def test_a_forms_model_is_plain_text() -> None:
    """It has no quotes."""
    body = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--x--\r\n'
    form = Form(b"x")
    form.feed(body)
    assert b"".join(spliced([body], [model_edit(form, "b")])) == body.replace(b"whisper-1", b"b")
