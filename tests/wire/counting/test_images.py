"""Sizes of images by their first bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.counting.images import image_size
from tests.support.image_heads import exif, gif, jpeg, png, segment, webp_extended, webp_lossless, webp_lossy

SIDES = st.integers(1, 16383)


@pytest.mark.parametrize("make", [png, gif, webp_lossy, webp_lossless, webp_extended, jpeg])
@given(width=SIDES, height=SIDES)
def test_each_format_tells_its_size(make, width: int, height: int) -> None:  # type: ignore[no-untyped-def]
    """By its first bytes, and of one side as of the other."""
    assert image_size(make(width, height)) == (width, height)


@pytest.mark.parametrize("frame", [0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC9, 0xCA])
def test_a_jpeg_of_any_kind_tells_its_size(frame: int) -> None:
    """Baseline, extended, progressive, lossless, arithmetic; behind profiles, comments and filling bytes."""
    profile = segment(0xE2, b"ICC_PROFILE\x00" + b"\xff\xc0\x00\x11" * 900)
    data = jpeg(640, 480, frame, profile, segment(0xFE, b"taken by hand"), b"\xff\xff\xff")
    assert image_size(data) == (640, 480)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("orientation", "size"), [(1, (640, 480)), (3, (640, 480)), (6, (480, 640)), (8, (480, 640))])
def test_a_jpeg_taken_upright_is_as_high_as_it_is_seen(order: str, orientation: int, size: tuple[int, int]) -> None:
    """EXIF says how the camera was held."""
    assert image_size(jpeg(640, 480, 0xC2, exif(orientation, order))) == size


def test_apples_png_tells_its_size() -> None:
    """Its tools put a chunk of their own first."""
    assert image_size(png(300, 200, b"\x00\x00\x00\x04CgBI\x50\x00\x20\x02\x2b\xd5\xb3\x7f")) == (300, 200)


def test_what_is_no_image_has_no_size() -> None:
    """Nor an image that is cut before its size, or says that it has none."""
    assert image_size(b"") is None
    assert image_size(b"%PDF-1.7") is None
    assert image_size(b"<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'/>") is None
    assert image_size(png(0, 10)) is None
    assert image_size(gif(10, 0)) is None
    assert image_size(b"\xff\xd8\xff\xd9") is None
    for whole in (png(9, 9), gif(9, 9), webp_lossy(9, 9), webp_lossless(9, 9), webp_extended(9, 9)):
        assert image_size(whole[:9]) is None
    whole = jpeg(9, 9, 0xC0, segment(0xE2, b"\x00" * 5000))
    assert image_size(whole[:4096]) is None


@given(st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\0\0\0WEBP"]), st.binary())
def test_no_bytes_are_too_odd(begin: bytes, rest: bytes) -> None:
    """Hostile bytes have a size or none, and never an error."""
    size = image_size(begin + rest)
    assert size is None or min(size) > 0
