"""How much output a request allows: its own limits, and how many answers it asks for.

https://platform.openai.com/docs/api-reference, https://docs.anthropic.com/en/api/messages,
https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from typing import Any, Final, NamedTuple

import orjson

from app.wire.dialects.asked import Asked

MEMBERS: Final = frozenset(
    "best_of generationConfig generation_config max_completion_tokens max_output_tokens max_tokens n prompt".split()
)
"""Members at the top of a body that say it."""
_LIMITS: Final = {
    "openai": ("max_completion_tokens", "max_tokens"),
    "responses": ("max_output_tokens",),
    "anthropic": ("max_tokens",),
    "gemini": ("maxOutputTokens", "max_output_tokens"),
}
_MOST: Final = 10**12
_GIVES_NO_TEXT: Final = ("/embeddings", "/moderations", "/rerank", ":embedContent", ":batchEmbedContents")


class OutputLimit(NamedTuple):
    tokens: int | None
    """Of one answer: the least of what the request says; None where it says nothing, 0 where there is no output."""
    answers: int
    """How many it asks for: of each prompt, and for all of them."""


def lists_prompts(asked: Asked) -> bool:
    """Whether `prompt` may be a list, each of which is answered."""
    return asked.path.removesuffix("/").endswith("/completions") and "/chat/" not in asked.path


def output_limit(asked: Asked, members: MappingOf[str, bytes], most_prompts: int = 1) -> OutputLimit:
    """`members` of its body, as JSON texts, or a form's as they stand; `most_prompts`: no list of them is longer."""
    path = asked.path.removesuffix("/")
    if path.endswith(_GIVES_NO_TEXT):
        return OutputLimit(0, 1)
    said: dict[str, Any] = {name: _loaded(written) for name, written in members.items() if name in MEMBERS}
    answers = 1
    if asked.speaks == "gemini":
        config = said.get("generationConfig") or said.get("generation_config")
        said = config if isinstance(config, dict) else {}
        answers = max(_count(said.get("candidateCount")) or 1, _count(said.get("candidate_count")) or 1)
    elif asked.speaks == "openai":
        answers = max(_count(said.get("n")) or 1, _count(said.get("best_of")) or 1)
        if lists_prompts(asked):
            answers *= _prompts(said.get("prompt"), most_prompts)
    limits = [limit for name in _LIMITS[asked.speaks] if (limit := _count(said.get(name))) is not None]
    return OutputLimit(min(limits, default=None), answers)


def _prompts(prompt: Any, most: int) -> int:
    """How many there are; a list that was too long to be kept has at most so many."""
    if isinstance(prompt, list):
        return 1 if prompt and isinstance(prompt[0], int) else max(1, len(prompt))
    return 1 if isinstance(prompt, str) else max(1, most)


def _count(value: Any) -> int | None:
    """A number as providers read it; None where it is none."""
    if isinstance(value, str) and value.isdecimal():  # Google's JSON and forms write numbers so, too
        value = int(value[:13])
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST:
        return None
    return int(value)


def _loaded(written: bytes) -> Any:
    try:
        return orjson.loads(written)
    except orjson.JSONDecodeError:
        return written.decode("utf-8", "replace").strip()
