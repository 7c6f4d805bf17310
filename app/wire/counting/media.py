"""What is no text in a request: images and documents in base64, and what lies elsewhere."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64
from collections.abc import Generator, Iterator
from typing import Any, Final

from app.wire.counting.images import HEAD_BYTES, image_size
from app.wire.counting.long_json import Long, pieces_of

_HEADS_CHARS: Final = (4 * 1024, HEAD_BYTES * 4 // 3, 8 * HEAD_BYTES * 4 // 3)
"""Of base64: most images tell their size within the first of these, almost all others within the next."""
_PIECE_CHARS: Final = 64 * 1024
PDF_PAGE_BYTES: Final = 60 * 1024
"""What a page has where a document does not tell its pages."""
_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_PAGE_COUNT = re.compile(rb"/Count\s+(\d{1,5})(?!\d)")
_LINEARIZED = re.compile(rb"/Linearized.{0,200}?/N\s+(\d{1,5})(?!\d)", re.DOTALL)
_OVERLAP_BYTES: Final = 32
MAX_PAGES: Final = 3000
"""No provider takes more."""
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_NO_BASE64: Final = b"\r\n\t \\"
"""Between its characters; some write `/` as `\\/`."""
_DATA_URL: Final = re.compile(r"data:([^;,]*)[^,]*,", re.IGNORECASE)
_MAX_DATA_URL_HEAD: Final = 256


def head_of(value: Any, size: int) -> bytes:
    """The first so many characters of a text, as bytes."""
    if isinstance(value, Long):
        return value.head(size)
    return value[:size].encode("utf-8", "replace") if isinstance(value, str) else b""


def data_url(value: Any) -> tuple[str, int]:
    """The type that a `data:` URL names, and where its data begin; an empty one and 0 for what is none."""
    found = _DATA_URL.match(head_of(value, _MAX_DATA_URL_HEAD).replace(b"\\/", b"/").decode("latin-1"))
    return (found[1].lower(), head_of(value, _MAX_DATA_URL_HEAD).index(b",") + 1) if found is not None else ("", 0)


def size_of_image(value: Any, start: int = 0) -> tuple[int, int] | None:
    """Of an image in base64, which begins at `start` of a text; None where it does not tell."""
    for chars in _HEADS_CHARS:
        size = image_size(decoded(head_of(value, start + chars)[start:]))
        if size is not None:
            return size
    return None


def decoded(base64: bytes) -> bytes:
    """What base64 stands for, of either alphabet, as far as it is any; its last characters may be missing."""
    plain = base64.translate(_URL_SAFE, _NO_BASE64)
    try:
        return a2b_base64(plain[: len(plain) // 4 * 4])
    except Error:
        return b""


def decoded_pieces(value: Any, start: int = 0) -> Iterator[bytes]:
    """What a text in base64 stands for from `start` on, piece by piece."""
    left = b""
    for number, piece in enumerate(pieces_of(value, _PIECE_CHARS)):
        text = piece.encode("utf-8", "replace") if isinstance(piece, str) else piece
        plain = left + (text[start:] if number == 0 else text).translate(_URL_SAFE, _NO_BASE64)
        whole = len(plain) // 4 * 4
        left = plain[whole:]
        yield decoded(plain[:whole])


def pages_of_pdf(value: Any, start: int = 0) -> Generator[None, None, int]:
    """Of a PDF in base64: as it says, as its pages are counted, or by its length. In steps."""
    pages = most = length = 0
    rest = b""
    for data in decoded_pieces(value, start):
        seen = rest + data
        if not length and (linearized := _LINEARIZED.search(seen)) is not None:
            return max(1, min(MAX_PAGES, int(linearized[1])))
        pages += len(_PAGE.findall(seen)) - len(_PAGE.findall(rest))
        most = max(most, *map(int, _PAGE_COUNT.findall(seen)), 0)
        length += len(data)
        rest = seen[-_OVERLAP_BYTES:]
        yield
    return max(1, min(MAX_PAGES, pages or most or length // PDF_PAGE_BYTES))
