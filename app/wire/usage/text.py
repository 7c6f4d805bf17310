"""How much text there is, for those who told no usage: found by its members' names, nothing is parsed.

A token is taken for four bytes of UTF-8: four letters of English, or one and a third of a Chinese character.
"""

from __future__ import annotations

import re
from typing import Final

BYTES_A_TOKEN: Final = 4
_BACKSLASH: Final = 92
_DELTA: Final = b'"delta"'
_PACKED_BYTES: Final = 2048
"""A text of JSON that is so long and has no blank is data: an image, a file."""


def tokens_of(text_bytes: int) -> int:
    """An estimate; at least one for any text."""
    return -(-text_bytes // BYTES_A_TOKEN)


class Texts:
    """What answers of one kind call the members that hold what a model said."""

    def __init__(self, *names: str, alone: bytes = b"") -> None:
        """`names`: the ends of the members' names; one that begins with a quote is a whole name.

        `alone`: how most events of a stream have their text, as the last member of the one `delta` that they have.
        """
        self._alone = alone
        self._members: list[tuple[bytes, re.Pattern[bytes]]] = []
        for name in names:
            written = f'{name}"'.encode()
            # A text that is cut off counts as far as it came, so its closing quote is not asked for.
            pattern = re.compile(re.escape(written) + rb'\s*+:\s*+"([^"\\]*+(?:\\.[^"\\]*+)*+)', re.DOTALL)
            self._members.append((written, pattern))

    def bytes_in(self, data: bytes) -> int:
        """How many bytes of text stand in an event, or in whole ones, or in a body."""
        alone_bytes = self._bytes_alone(data) if self._alone else -1
        if alone_bytes >= 0:
            return alone_bytes
        found_bytes = 0
        for written, pattern in self._members:
            at = data.find(written)
            if at < 0:
                continue
            begin = at + len(written) + 2
            end = data.find(b'"', begin)
            if end >= begin and data.startswith(b':"', begin - 2) and data.find(written, end) < 0:
                text = data[begin:end]
                if text[-1:] != b"\\":  # as mostly: one, and no quote in it
                    found_bytes += _plain_bytes(text)
                    continue
            for text in pattern.findall(data):
                found_bytes += _plain_bytes(text)
        return found_bytes

    def _bytes_alone(self, data: bytes) -> int:
        """The same for what is as most events are; -1 for all else."""
        begin, end = self.place_alone(data)
        return _plain_bytes(data[begin:end]) if begin >= 0 else -1

    def place_alone(self, data: bytes) -> tuple[int, int]:
        """Where the one text stands of what is as most events are; -1 twice for all else."""
        at = data.find(_DELTA) if self._alone else -1
        if at < 0 or not data.startswith(self._alone, at):
            return -1, -1
        begin = at + len(self._alone)
        end = data.find(b'"', begin)
        if end < begin or data[end - 1] == _BACKSLASH or data[end + 1 : end + 2] != b"}" or data.find(_DELTA, end) >= 0:
            return -1, -1
        return begin, end


def _plain_bytes(text: bytes) -> int:
    r"""How long it is in UTF-8: `\n` stands for one byte, `\u4f60` for three."""
    size = len(text)
    if b"\\" in text:
        size -= text.count(b"\\") + 2 * text.count(b"\\u")
    return size


CHAT: Final = Texts("content", "arguments", "reasoning", "refusal", alone=b'"delta":{"content":"')
"""`content` also ends `reasoning_content`, DeepSeek's and others' name."""
COMPLETIONS: Final = Texts('"text', '"delta')
"""Of completions, transcriptions and all else of OpenAI's but chat."""
RESPONSES: Final = Texts('"delta')
"""Each text comes once more when it is done."""
WHOLE_RESPONSES: Final = Texts('"text', '"arguments')
ANTHROPIC: Final = Texts('"text', '"thinking', '"partial_json', alone=b'"delta":{"type":"text_delta","text":"')
GEMINI: Final = Texts('"text')


class RequestText:
    """How much text a request's JSON body holds, piece by piece, without the data of images and files in it."""

    def __init__(self) -> None:
        self.text_bytes = 0
        self._has_data = False

    def feed(self, piece: bytes) -> None:
        """Takes note of the next piece."""
        self._has_data = self._has_data or b"base64" in piece or b"nline" in piece
        if self._has_data:
            self.text_bytes += sum([len(part) for part in piece.split(b'"') if not _is_data(part)])
        else:
            self.text_bytes += len(piece)


def _is_data(part: bytes) -> bool:
    begin = part[:_PACKED_BYTES]
    return len(begin) == _PACKED_BYTES and b" " not in begin and begin.isascii()
