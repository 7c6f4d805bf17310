"""From the bytes of a request to the body of the answer, in the shape that each dialect's SDKs read."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, Final

import orjson

from app.wire.counting import anthropic, gemini, responses
from app.wire.counting.families import family_of
from app.wire.counting.long_json import value_of
from app.wire.counting.tally import Tally

_COUNTS: Final[dict[str, Callable[[Any, Tally], Iterator[None]]]] = {
    "anthropic": anthropic.count,
    "gemini": gemini.count,
    "responses": responses.count,
}
"""By the dialect that asks."""


def answer(body: bytes | bytearray, dialect: str, model: str) -> Generator[None, None, bytes]:
    """The answer, in steps of a few milliseconds at most.

    `body`: a JSON object without its coding, whose brackets match. Raises ValueError, whose text says what is wrong.
    """
    tally = Tally(family_of(model, dialect))
    value = value_of(body)
    yield
    yield from _COUNTS[dialect](value, tally)
    return _worded(dialect, tally)


def _worded(dialect: str, tally: Tally) -> bytes:
    if dialect == "anthropic":
        return orjson.dumps({"input_tokens": tally.total})
    if dialect == "responses":
        return orjson.dumps({"object": "response.input_tokens", "input_tokens": tally.total})
    details = [{"modality": kind, "tokenCount": tokens} for kind, tokens in tally.parts().items() if tokens]
    return orjson.dumps({"totalTokens": tally.total, "promptTokensDetails": details})
