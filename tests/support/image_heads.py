"""The first bytes of images, as far as they tell a size."""

from __future__ import annotations

import struct
import zlib


def png(width: int, height: int, before: bytes = b"") -> bytes:
    data = b"IHDR" + struct.pack(">II", width, height) + b"\x08\x02\x00\x00\x00"
    return b"\x89PNG\r\n\x1a\n" + before + b"\x00\x00\x00\r" + data + struct.pack(">I", zlib.crc32(data))


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\xf7\x00\x00"


def webp(kind: bytes, data: bytes) -> bytes:
    chunk = kind + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def webp_lossy(width: int, height: int) -> bytes:
    return webp(b"VP8 ", b"\x30\x01\x00\x9d\x01\x2a" + struct.pack("<HH", width | 0x4000, height) + b"\x00" * 9)


def webp_lossless(width: int, height: int) -> bytes:
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14 | 1 << 28) + b"\x00" * 9)


def webp_extended(width: int, height: int) -> bytes:
    return webp(b"VP8X", b"\x10\x00\x00\x00" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"))


def segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def exif(orientation: int, order: str) -> bytes:
    entries = [(0x010F, 2, 1, b"X\x00\x00\x00"), (0x0112, 3, 1, struct.pack(f"{order}HH", orientation, 0))]
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, count, value in entries:
        directory += struct.pack(f"{order}HHI", tag, kind, count) + value
    head = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(f"{order}I", 8)
    return segment(0xE1, b"Exif\x00\x00" + head + directory + b"\x00" * 4)


def jpeg(width: int, height: int, frame: int = 0xC0, *segments: bytes) -> bytes:
    sof = segment(frame, b"\x08" + struct.pack(">HH", height, width) + b"\x03" + b"\x01\x22\x00" * 3)
    tables = segment(0xDB, b"\x00" * 65) + segment(0xC4, b"\x00" * 28)
    return b"\xff\xd8" + segment(0xE0, b"JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x00\x00") + b"".join(
        (*segments, tables, sof, segment(0xDA, b"\x00" * 10), b"\x12\x34")
    )  # fmt: skip
