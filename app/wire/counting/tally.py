"""What adds up to the tokens of one request, whatever its dialect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

from app.wire.counting.families import DEFAULT_SIZE, Family
from app.wire.counting.long_json import Long, elements, is_text, pieces_of
from app.wire.counting.media import PDF_PAGE_BYTES, data_url, decoded_pieces, pages_of_pdf, size_of_image
from app.wire.counting.text import STEP_CHARS, text_tokens

TEXT: Final = "TEXT"
IMAGE: Final = "IMAGE"
DOCUMENT: Final = "DOCUMENT"
AUDIO: Final = "AUDIO"
VIDEO: Final = "VIDEO"

MAX_ELEMENTS: Final = 200_000
"""Of messages, parts and tools in all. No provider takes as many, and each costs some microseconds."""
DEFAULT_PAGES: Final = 2
"""Of a document that lies elsewhere."""
_AUDIO_BYTES_A_TOKEN: Final = 500
"""32 tokens a second (Gemini), at 128 kbit/s."""
_VIDEO_BYTES_A_TOKEN: Final = 850
"""295 tokens a second (Gemini, with its sound), at 2 Mbit/s."""
_DEFAULT_MEDIA_BYTES: Final = 1024 * 1024
_SOUND: Final = {"audio": (AUDIO, _AUDIO_BYTES_A_TOKEN), "video": (VIDEO, _VIDEO_BYTES_A_TOKEN)}


class Tally:
    """Of one request. What takes long is counted in steps: between two of them others may have their turn."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self._tokens: dict[str, float] = {TEXT: float(family.request)}
        self._elements = 0

    @property
    def total(self) -> int:
        return sum(self.parts().values())

    def parts(self) -> dict[str, int]:
        """By what they are: TEXT, IMAGE and so on."""
        return {kind: round(tokens) for kind, tokens in self._tokens.items()}

    def add(self, tokens: float, kind: str = TEXT) -> None:
        """Tokens of the family itself."""
        self._tokens[kind] = self._tokens.get(kind, 0.0) + tokens

    def elements(self, value: Any) -> Iterator[list[Any]]:
        """See `long_json.elements`. Raises ValueError for more in all than anybody takes."""
        for some in elements(value):
            self._elements += len(some)
            if self._elements > MAX_ELEMENTS:
                raise ValueError(f"there are more than {MAX_ELEMENTS:,} messages and parts of them")
            yield some

    def text(self, value: Any) -> Iterator[None]:
        """A text; of anything else its JSON, unless it is nothing at all."""
        if isinstance(value, str):
            if len(value) <= STEP_CHARS:
                self.add(self.family.text * sum(text_tokens(value, self.family.vocabulary)))
                yield
                return
        elif value is None:
            return
        elif not isinstance(value, Long):
            value = orjson.dumps(value).decode()
        for piece in pieces_of(value, STEP_CHARS):
            self.add(self.family.text * sum(text_tokens(piece, self.family.vocabulary)))
            yield

    def image(self, base64: Any, start: int = 0) -> None:
        """One in base64, which begins at `start` of a text; a default where none tells its size."""
        size = size_of_image(base64, start) if is_text(base64) else None
        self.add(self.family.image(*(size or DEFAULT_SIZE)), IMAGE)

    def image_at(self, url: Any) -> None:
        """One at an address, which may hold it."""
        kind, start = data_url(url)
        self.image(url if kind.startswith("image/") else None, start)

    def pages(self, pages: int) -> None:
        self.add(pages * (self.family.page + self.family.page_text * self.family.text), DOCUMENT)

    def file(self, kind: str, base64: Any, start: int = 0) -> Iterator[None]:
        """What is in base64 from `start` of a text on, by its media type; without any a default."""
        of = kind.partition("/")[0].lower()
        if of == "image":
            self.image(base64, start)
        elif of in _SOUND:
            modality, bytes_a_token = _SOUND[of]
            length = (len(base64) - start) * 3 // 4 if is_text(base64) else _DEFAULT_MEDIA_BYTES
            self.add(length / bytes_a_token, modality)
        elif not is_text(base64):
            self.pages(DEFAULT_PAGES)
        elif of == "text" or "json" in kind:
            for piece in decoded_pieces(base64, start):
                yield from self._bytes(piece)
        elif "pdf" in kind or not kind:
            self.pages((yield from pages_of_pdf(base64, start)))
        else:
            self.pages(1 + (len(base64) - start) * 3 // 4 // PDF_PAGE_BYTES)

    def _bytes(self, piece: bytes) -> Iterator[None]:
        for tokens in text_tokens(piece, self.family.vocabulary):
            self.add(self.family.text * tokens)
            yield
