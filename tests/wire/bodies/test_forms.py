"""Fields of multipart forms."""

from __future__ import annotations

from itertools import pairwise

import pytest

from app.wire.bodies.forms import MAX_HEAD_BYTES, Form, boundary_of

FILE = b"RIFF" + bytes(range(256)) + b'\r\n\r\nContent-Disposition: form-data; name="model"\r\n\r\nno\r\n--xy'


def part(name: str, value: bytes, *, extra: str = "", quoted: bool = True) -> bytes:
    shown = f'"{name}"' if quoted else name
    return f"--x\r\nContent-Disposition: form-data; name={shown}{extra}\r\n\r\n".encode() + value + b"\r\n"


def read(body: bytes, *cuts: int) -> Form:
    form = Form(b"x", frozenset({"n"}))
    edges = [0, *cuts, len(body)]
    for start, end in pairwise(edges):
        form.feed(body[start:end])
    form.finish()
    return form


def facts(form: Form) -> tuple[object, ...]:
    return (form.model, form.model_start, form.model_end, form.is_stream, form.is_unreadable, form.values)


@pytest.mark.parametrize(
    ("parts", "model", "stream"),
    [
        ([part("model", b"whisper-1"), part("file", FILE, extra='; filename="a.wav"')], "whisper-1", False),
        ([part("file", FILE, extra="; filename=a.wav"), part("model", b"whisper-1")], "whisper-1", False),
        ([part("file", FILE, extra="; filename*=UTF-8''a"), part("model", b"m", quoted=False)], "m", False),
        ([part("stream", b"true"), part("n", b"2"), part("model", "模".encode())], "模", True),
        ([part("stream", b"false"), part("model", b"")], "", False),
        ([part("models", b"no")], "", False),
        ([part("model", b"no", extra='; filename="x"')], "", False),
        ([part("image[]", b"--x\r--x\n"), part("model", b"m")], "m", False),
    ],
)
def test_the_model_is_found_and_files_are_passed_over(parts: list[bytes], model: str, stream: bool) -> None:
    """Whatever a file holds, wherever the field stands, at any cut."""
    for preamble in (b"", b"preamble\r\n"):
        body = preamble + b"".join(parts) + b"--x--\r\n"
        form = read(body)
        assert (form.model, form.is_stream, form.is_unreadable) == (model, stream, False)
        assert body[form.model_start : form.model_end].decode() == model
        assert form.values == ({"n": b"2"} if b'"n"' in body else {})
        for cut in range(1, len(body)):
            assert facts(read(body, cut)) == facts(form)
        assert facts(read(body, *range(1, len(body)))) == facts(form)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"--x",
        part("model", b"m"),
        part("model", b"m")[:-2],
        b"--x\r\nContent-Disposition: form-data\r\n",
        part("model", b"a") + part("model", b"b") + b"--x--\r\n",
        b"--x\r\n" + b"a" * (MAX_HEAD_BYTES + 9),
    ],
)
def test_what_is_no_whole_form_is_told(body: bytes) -> None:
    """Or has two models, of which two readers could take different ones."""
    assert read(body).is_unreadable
    assert read(body, *range(1, len(body))).is_unreadable


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=x", b"x"),
        ('Multipart/Form-Data; charset=utf-8; Boundary="a b"', b"a b"),
        ("multipart/form-data;boundary=----WebKitFormBoundary7MA4YWxk; x=y", b"----WebKitFormBoundary7MA4YWxk"),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=", b""),
        ("multipart/mixed; boundary=x", b""),
        ("application/json", b""),
    ],
)
def test_the_boundary_is_told_by_the_type(content_type: str, boundary: bytes) -> None:
    """RFC 2046, 5.1.1."""
    assert boundary_of(content_type) == boundary


def test_a_long_field_is_not_kept() -> None:
    """Nor is a file."""
    form = Form(b"x", frozenset({"n"}))
    form.feed(part("model", b"m") + part("n", b"")[:-2])
    for _ in range(100):
        form.feed(b"y" * 1000)
    form.feed(b"\r\n--x--")
    form.finish()
    assert (form.model, form.values, form.is_unreadable) == ("m", {}, False)
