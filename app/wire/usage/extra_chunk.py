"""The chunk that tells a stream's usage and nothing else, taken out of it: choices empty, usage an object.

(https://platform.openai.com/docs/api-reference/chat/create#chat_create-stream_options)
"""

from __future__ import annotations

import re
from typing import Final

from app.wire.dialects.dialect import parsed
from app.wire.sse import Blocks, Splitter

MAX_CHUNK_BYTES: Final = 64 * 1024
"""What is longer is no such chunk."""

_USAGE = re.compile(rb'"usage"\s*+:\s*+\{').search


class ExtraChunk:
    """Takes it out of one stream, cut anywhere. What may become it is held back until that is known."""

    def __init__(self) -> None:
        self._blocks = Blocks(MAX_CHUNK_BYTES)

    def without(self, piece: bytes) -> bytes:
        """What of the next piece goes on, with what was held back before it."""
        if not self._blocks.is_holding and piece[-2:] == b"\n\n" and _USAGE(piece) is None:
            return piece
        return b"".join([block for block in self._blocks.feed(piece) if not _is_extra(block)])

    def rest(self) -> bytes:
        """What was held back when the stream ended."""
        rest = self._blocks.finish()
        return b"" if _is_extra(rest) else rest


def _is_extra(block: bytes) -> bool:
    if _USAGE(block) is None:
        return False
    events = Splitter()
    for event in (*events.feed(block), *events.finish()):
        value = parsed(event.data)
        if isinstance(value, dict) and value.get("choices") == [] and isinstance(value.get("usage"), dict):
            return True
    return False
