"""What families of models make of a text, an image and a page: how many tokens.

Tokenizers that are not published are taken for a multiple of one that is (text.py). Where the figures come from, and
how well they hold, says docs/counting.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from app.wire.counting.text import CLAUDE_2, O200K, Vocabulary

DEFAULT_SIZE: Final = (1024, 1024)
"""Of an image whose size is not known: it lies elsewhere, or is of a kind that is not read."""

_PATCH: Final = 28
"""Pixels: Claude looks at squares of this side, each a token."""


class Family(NamedTuple):
    """Models that share a tokenizer, and rules for what is no text."""

    vocabulary: Vocabulary
    text: float
    """Tokens for each of the vocabulary's."""
    request: int
    """Tokens that each request has besides what it says."""
    message: int
    """The same for each message."""
    tools: int
    """For what the model is told of tools in general, as soon as there are any."""
    page: float
    """Of a document: the tokens of its picture, or all."""
    page_text: float
    """What stands on it, in tokens of the vocabulary."""
    image: Callable[[int, int], int]
    """Tokens of one that is so many pixels wide and high."""


def _claude_image(max_edge: int, max_tokens: int) -> Callable[[int, int], int]:
    """https://platform.claude.com/docs/en/build-with-claude/vision: as large as both bounds allow, in patches."""

    def tokens(width: int, height: int) -> int:
        patches = _patches(width, height, _PATCH)
        if max(width, height) <= max_edge and patches <= max_tokens:
            return patches
        low, high = 0.0, min(1.0, max_edge / max(width, height))
        for _ in range(24):
            middle = (low + high) / 2
            if _patches(int(width * middle), int(height * middle), _PATCH) <= max_tokens:
                low = middle
            else:
                high = middle
        return max(1, _patches(int(width * low), int(height * low), _PATCH))

    return tokens


def _patches(width: int, height: int, side: int) -> int:
    return -(-width // side) * -(-height // side)


def _openai_tiles(width: int, height: int) -> int:
    """https://platform.openai.com/docs/guides/images-vision#calculating-costs: tiles of 512 pixels."""
    scale = min(1.0, 2048 / max(width, height))
    scale = min(scale, 768 / min(width, height)) if min(width, height) * scale > 768 else scale
    return 85 + 170 * _patches(int(width * scale) or 1, int(height * scale) or 1, 512)


def _openai_patches(width: int, height: int) -> int:
    """The same page, of newer models: patches of 32 pixels, at most 2,500, each 1.2 tokens."""
    return round(1.2 * min(2500, _patches(width, height, 32)))


def _gemini_tiles(width: int, height: int) -> int:
    """https://ai.google.dev/gemini-api/docs/tokens: 258 for a small one, else for each tile of 768 pixels."""
    return 258 if max(width, height) <= 384 else 258 * _patches(width, height, 768)


def _gemini_fixed(_width: int, _height: int) -> int:
    """https://ai.google.dev/gemini-api/docs/media-resolution: whatever the size, since Gemini 3."""
    return 1120


CLAUDE: Final = Family(CLAUDE_2, 1.1, 2, 4, 346, 1560, 490, _claude_image(1568, 1568))
CLAUDE_NEW: Final = Family(CLAUDE_2, 1.43, 0, 3, 320, 1560, 490, _claude_image(2576, 4784))
"""From Claude 4.7 on: a tokenizer that makes about 30 % more of the same text, and images of three times the area."""
OPENAI: Final = Family(O200K, 1.0, 3, 3, 0, 765, 440, _openai_patches)
OPENAI_OLD: Final = OPENAI._replace(image=_openai_tiles)
GEMINI: Final = Family(O200K, 1.0, 0, 0, 0, 560, 0, _gemini_fixed)
GEMINI_OLD: Final = GEMINI._replace(page=258, image=_gemini_tiles)

_CLAUDE = re.compile(r"claude\D*(\d+)?(?:[-.](\d{1,2})(?!\d))?")
_OPENAI = re.compile(r"(?:\A|/)(?:chatgpt|gpt-|o[1-9])")
_OPENAI_OLD = re.compile(r"(?:\A|/)(?:chatgpt-4o|gpt-[34]|gpt-5(?![.\d])|o[13])")
_GEMINI = re.compile(r"gemini\D*(\d+)?")
_BY_DIALECT: Final = {"anthropic": CLAUDE, "gemini": GEMINI, "responses": OPENAI, "openai": OPENAI}


def family_of(model: str, dialect: str) -> Family:
    """That of a model by its name; of one that tells nothing that of the dialect in which it is asked for."""
    name = model.lower()
    if (claude := _CLAUDE.search(name)) is not None:
        version = (int(claude[1] or 0), int(claude[2] or 0))
        return CLAUDE_NEW if version >= (4, 7) or "mythos" in name else CLAUDE
    if (gemini := _GEMINI.search(name)) is not None:
        return GEMINI_OLD if gemini[1] in ("1", "2") else GEMINI
    if _OPENAI.search(name) is not None:
        return OPENAI_OLD if _OPENAI_OLD.search(name) is not None else OPENAI
    return _BY_DIALECT.get(dialect, OPENAI)
