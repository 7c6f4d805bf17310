"""Images in a request's body, found while its bytes come: what they take up there, and how many pixels they have.

In JSON they stand as base64 (`data:image/png;base64,...`, Anthropic's and Gemini's `data`), in a form as they are. They
are known by how they begin, not by where they stand, so that all dialects are read alike. What is no image that is
known here counts by its bytes, as text does.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

from app.wire.counting.images import image_size

MAX_HEAD_BYTES: Final = 256 * 1024
"""So much of an image is kept to find its size; notes before a JPEG's first frame may be long."""
PIXELS_A_TOKEN: Final = 750
"""https://docs.anthropic.com/en/docs/build-with-claude/vision"""
_SHORT_HEAD: Final = 128
"""So much base64 holds the size of all but JPEG."""
_TAIL_BYTES: Final = 96
"""More than any beginning or delimiter that is looked for."""

_CODED: Final = (b"iVBORw0KGgo", b"/9j/", b"\\/9j\\/", b"R0lGOD", b"UklGR")
"""PNG, JPEG (also as clients write it that escape slashes), GIF, WebP."""
_PLAIN: Final = (b"\r\n\r\n\x89PNG\r\n", b"\r\n\r\n\xff\xd8\xff", b"\r\n\r\nGIF8", b"\r\n\r\nRIFF")
_BEFORE_CODED: Final = b'",'
"""What stands before an image in JSON: the quote, or the comma of a `data:` URL."""
_SEPARATOR = re.compile(rb'["\]][ \t\r\n]*+,[ \t\r\n]*+["\[]')
_LIST = re.compile(rb'"prompt"[ \t\r\n]*+:[ \t\r\n]*+\[')
_TEXT = re.compile(rb'"prompt"[ \t\r\n]*+:[ \t\r\n]*+"')


class Images:
    """Those of one body. Feed it the plain bytes; what has been found can be asked for at any time."""

    def __init__(self, delimiter: bytes = b"", *, counts_prompts: bool = False) -> None:
        """`delimiter`: what ends the parts of a form; empty for JSON. `counts_prompts`: see `prompts`."""
        self.length = 0
        """Of the body, so far."""
        self.image_bytes = 0
        """Those of its bytes that are images' whose size is known."""
        self.tokens = 0
        """What those images stand for."""
        self.asks_hour_cache = False
        """It may ask to keep a prompt for an hour: the text `1h` stands in it."""
        self._separators = 0
        self._lists_prompts = self._tells_prompt = False
        self._begins = _PLAIN if delimiter else _CODED
        self._end = delimiter or b'"'
        self._is_coded = not delimiter
        self._counts_prompts = counts_prompts
        self._tail = b""
        """What came last, as a beginning may be cut."""
        self._head: list[bytes] = []
        self._head_bytes = 0
        self._passed_bytes = 0
        """Of the image that comes."""
        self._in_image = False

    @property
    def prompts(self) -> int:
        """No list in it has more texts or lists than this; 1 where `prompt` is a text. Nothing of it is parsed."""
        return 1 if self._tells_prompt and not self._lists_prompts else 1 + self._separators

    def feed(self, piece: bytes) -> None:
        """Takes note of the next piece, in time that grows with it alone."""
        self.length += len(piece)
        data = self._tail + piece
        at = len(self._tail) if self._in_image else 0
        if self._is_coded and not self.asks_hour_cache:
            self.asks_hour_cache = b'"1h"' in data
        if self._counts_prompts:
            begun = len(self._tail)
            self._separators += sum(1 for found in _SEPARATOR.finditer(data) if found.end() > begun)
            self._lists_prompts = self._lists_prompts or _LIST.search(data) is not None
            self._tells_prompt = self._tells_prompt or _TEXT.search(data) is not None
        while at < len(data):
            if self._in_image:
                at = self._pass_image(data, at)
            else:
                begin = self._find(data, at)
                if begin < 0:
                    break
                self._head, self._head_bytes, self._passed_bytes, self._in_image = [], 0, 0, True
                at = begin
        self._tail = data[max(0 if self._in_image else at, len(data) - _TAIL_BYTES) :]

    def _find(self, data: bytes, at: int) -> int:
        """Where the next image begins; -1 where none does."""
        found = -1
        for begin in self._begins:
            place = data.find(begin, at)
            while place >= 0 and self._is_coded and (place == 0 or data[place - 1] not in _BEFORE_CODED):
                place = data.find(begin, place + 1)
            if place >= 0 and (found < 0 or place < found):
                found = place
        return found if self._is_coded or found < 0 else found + 4

    def _pass_image(self, data: bytes, at: int) -> int:
        """Behind the image, or what has come of it."""
        end = data.find(self._end, max(0, at - len(self._end) + 1))
        is_whole = end >= 0
        end = end if is_whole else len(data)
        if self._head_bytes < MAX_HEAD_BYTES:
            self._head.append(data[at : max(at, min(end, at + MAX_HEAD_BYTES))])
            self._head_bytes += len(self._head[-1])
        self._passed_bytes += end - at  # less than none where a delimiter was cut
        if is_whole:
            self._in_image = False
            self._take(b"".join(self._head))
        return end

    def _take(self, head: bytes) -> None:
        size = _coded_size(head) if self._is_coded else image_size(head)
        if size is not None:
            self.image_bytes += self._passed_bytes
            self.tokens += -(-size[0] * size[1] // PIXELS_A_TOKEN)


def _coded_size(head: bytes) -> tuple[int, int] | None:
    if b"\\" in head:
        head = head.replace(b"\\", b"")
    size = image_size(_decoded(head[:_SHORT_HEAD]))
    return size if size is not None else image_size(_decoded(head))


def _decoded(text: bytes) -> bytes:
    try:
        return binascii.a2b_base64(text[: len(text) // 4 * 4])
    except binascii.Error:
        return b""
