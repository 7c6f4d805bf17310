"""The size of an image, told by its first bytes: PNG, JPEG, GIF and WebP.

Nothing of the picture is undone. What says it is an image of one of these kinds and does not hold to its format has no
size here; who asks then takes a default.
"""

from __future__ import annotations

from typing import Final

HEAD_BYTES: Final = 64 * 1024
"""So much of an image holds its size, almost always: a JPEG may begin with a preview and profiles of any length."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"
_GIF: Final = (b"GIF87a", b"GIF89a")
_NO_FRAMES: Final = frozenset((0xC4, 0xC8, 0xCC))
"""Markers among those of frames that begin none: tables of Huffman, a reserved one, of arithmetic coding."""
_STANDALONE: Final = frozenset((0x01, *range(0xD0, 0xD9)))
"""Markers of JPEG that no length follows."""
_END_MARKERS: Final = frozenset((0xD9, 0xDA))
"""The end, and the scan itself, before which the frame must have come."""
_EXIF: Final = b"Exif\x00\x00"
_ORIENTATION: Final = 0x0112
_TURNED: Final = frozenset((5, 6, 7, 8))
"""Orientations of which the width is the height as it is seen."""


def image_size(head: bytes) -> tuple[int, int] | None:
    """Width and height in pixels as it is seen; None where `head` does not tell them.

    Of a JPEG that EXIF says was taken upright the two are exchanged.
    """
    if head.startswith(_JPEG):
        size = _jpeg_size(head)
    elif head.startswith(_PNG):
        size = _png_size(head)
    elif head.startswith(_GIF):
        size = (int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")) if len(head) >= 10 else None
    elif head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        size = _webp_size(head)
    else:
        size = None
    return size if size is not None and size[0] > 0 and size[1] > 0 else None


def _png_size(head: bytes) -> tuple[int, int] | None:
    """https://www.w3.org/TR/png-3/#11IHDR; Apple's tools put a chunk of their own before it."""
    at = head.find(b"IHDR", 12, 64)
    if at < 0 or len(head) < at + 12:
        return None
    width, height = int.from_bytes(head[at + 4 : at + 8], "big"), int.from_bytes(head[at + 8 : at + 12], "big")
    return (width, height) if width < 1 << 31 and height < 1 << 31 else None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    """https://developers.google.com/speed/webp/docs/riff_container: lossy, lossless, or extended."""
    kind = head[12:16]
    if kind == b"VP8X" and len(head) >= 30:
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L" and len(head) >= 25 and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and len(head) >= 30 and head[23:26] == b"\x9d\x01\x2a":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return None


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    """From the first frame, of whatever kind: baseline, progressive, lossless (ITU-T T.81, B.2.2)."""
    at, is_turned = 2, False
    while at + 4 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:  # filling
            at += 1
            continue
        if marker in _END_MARKERS:
            return None
        if marker in _STANDALONE:
            at += 2
            continue
        length = int.from_bytes(head[at + 2 : at + 4], "big")
        if length < 2:
            return None
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES:
            if len(head) < at + 9:
                return None
            height = int.from_bytes(head[at + 5 : at + 7], "big")
            width = int.from_bytes(head[at + 7 : at + 9], "big")
            return (height, width) if is_turned else (width, height)
        if marker == 0xE1 and head.startswith(_EXIF, at + 4):
            is_turned = _orientation(head[at + 10 : at + 2 + length]) in _TURNED
        at += 2 + length
    return None


def _orientation(tiff: bytes) -> int:
    """As EXIF's first directory says; 1, upright, where it says nothing."""
    order: str = {b"II*\x00": "little", b"MM\x00*": "big"}.get(tiff[:4], "")
    if not order:
        return 1
    begin = _number(tiff, 4, 4, order)
    for entry in range(begin + 2, begin + 2 + 12 * min(_number(tiff, begin, 2, order), 256), 12):
        if _number(tiff, entry, 2, order) == _ORIENTATION:
            return _number(tiff, entry + 8, 2, order)
    return 1


def _number(data: bytes, at: int, size: int, order: str) -> int:
    return int.from_bytes(data[at : at + size], "little" if order == "little" else "big")
