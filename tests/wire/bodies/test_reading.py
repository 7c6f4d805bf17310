"""A request's body, whatever its type and coding."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable

import brotli
import pytest

from app.wire.bodies.reading import RequestBodyReading, decoded, images_of, reading_of
from app.wire.http.codings import CodingError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BODY = b'{"model":"m","stream":true,"x":"' + b"y" * 5000 + b'"}'
FORM = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--b--\r\n'
JSON = "application/json"
MAX_BYTES = 1024 * 1024


def read(content_type: str, coding: str, *pieces: bytes, max_bytes: int = MAX_BYTES) -> RequestBodyReading:
    reading = reading_of(content_type, coding, frozenset(), max_bytes)
    assert reading is not None
    for piece in pieces:
        for _ in reading.feed(piece):
            pass
    reading.finish()
    return reading


CODERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
    "gzip, br": lambda body: brotli.compress(gzip.compress(body)),
}


@pytest.mark.parametrize("coding", CODERS)
def test_a_coded_body_is_read(coding: str) -> None:
    """Codex sends zstd. What it stands for can be had without the coding, for an edit."""
    body = CODERS[coding](BODY)
    for pieces in ([body], [body[at : at + 1] for at in range(len(body))]):
        reading = read(JSON, coding, *pieces)
        assert (reading.members.model, reading.members.is_stream) == ("m", True)
        assert (reading.is_unreadable, reading.is_too_large) == (False, False)
        assert reading.is_coded is (coding not in ("", "identity"))
        assert b"".join(decoded(pieces, coding, MAX_BYTES)) == BODY


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_ends_at_the_bound(coding: str) -> None:
    """It is not undone beyond it."""
    bomb = CODERS[coding](b'{"model":"m","x":"' + b" " * 50_000_000 + b'"}')
    reading = reading_of(JSON, coding, frozenset(), MAX_BYTES)
    assert reading is not None
    list(reading.feed(bomb))
    reading.finish()
    assert (reading.is_too_large, reading.is_unreadable) == (True, False)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_broken_coding_is_told(coding: str) -> None:
    """Cut off, or no such coding at all."""
    body = CODERS[coding](BODY)
    assert read(JSON, coding, body[:-4]).is_unreadable
    assert read(JSON, coding, body[:9] + b"rubbish" + body[9:]).is_unreadable
    with pytest.raises(CodingError):
        list(decoded([body[:-4]], coding, MAX_BYTES))


def test_an_unknown_coding_cannot_be_read() -> None:
    """Nobody can say what it asks for."""
    assert read(JSON, "compress", BODY).is_unreadable


@pytest.mark.parametrize(
    ("content_type", "body", "model", "unreadable"),
    [
        (JSON, BODY, "m", False),
        ("Application/JSON; charset=utf-8", BODY, "m", False),
        ("application/vnd.api+json", BODY, "m", False),
        ("", BODY, "m", False),
        ("text/plain", BODY, "m", False),
        ("application/x-www-form-urlencoded", BODY, "m", False),
        ("multipart/form-data; boundary=b", FORM, "m", False),
        ("multipart/form-data; boundary=b", FORM[:-8], "", True),
        (JSON, b"", "", False),
        ("", b"", "", False),
        (JSON, b"hello", "", True),
        ("", b"hello", "", False),
        ("text/plain", b'{"model":', "", True),
        ("application/x-www-form-urlencoded", b"model=m", "", False),
        (JSON, b'{"model":"a","model":"b"}', "a", True),
    ],
)
def test_the_type_says_what_it_must_be(content_type: str, body: bytes, model: str, unreadable: bool) -> None:
    """Clients forget the type; what begins as JSON is read as JSON then. No body is no fault of its own."""
    reading = read(content_type, "", body)
    assert (reading.members.model, reading.is_unreadable) == (model, unreadable)


@pytest.mark.parametrize("content_type", ["application/octet-stream", "audio/wav", "multipart/form-data", "text/html"])
def test_other_types_name_no_model(content_type: str) -> None:
    """They are not read."""
    assert reading_of(content_type, "", frozenset(), MAX_BYTES) is None


def test_a_long_piece_is_read_in_steps() -> None:
    """So that others have their turn in between."""
    reading = reading_of(JSON, "", frozenset(), 10 * MAX_BYTES)
    assert reading is not None
    body = b'{"model":"m","x":[' + b"[]," * 10_000 + b"1]}"
    assert 10 <= sum(1 for _ in reading.feed(body)) <= 30
    reading.finish()
    assert reading.members.model == "m"
    assert not reading.is_unreadable


def test_few_bytes_that_stand_for_many_are_read_in_steps() -> None:
    """Undoing a compressed body takes long, too."""
    reading = reading_of(JSON, "gzip", frozenset(), 10 * MAX_BYTES)
    assert reading is not None
    assert 15 <= sum(1 for _ in reading.feed(gzip.compress(b'{"x":"' + b"y" * 5_000_000 + b'"}'))) <= 20


@pytest.mark.parametrize("coding", ["", "gzip"])
@pytest.mark.parametrize("size", [10, 5000, 200_000])
def test_what_is_to_be_weighed_is_weighed_whatever_its_length(size: int, coding: str) -> None:
    """Short bodies are read at once, long ones in pieces, coded ones as they are undone: all of it counts."""
    body = b'{"model":"m","x":"' + b"y" * size + b'"}'
    reading = reading_of(JSON, coding, frozenset(), MAX_BYTES)
    assert reading is not None
    reading.images = images_of(JSON, counts_prompts=False)
    for _ in reading.feed(CODERS[coding](body)):
        pass
    reading.finish()
    assert reading.images.length == len(body)
