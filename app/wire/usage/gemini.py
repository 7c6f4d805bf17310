"""Usage as Gemini tells it (https://ai.google.dev/api/generate-content#UsageMetadata).

Each event of a stream tells what was used so far. What was cached stands inside the prompt; thoughts stand beside what
the candidates say, unless prompt and candidates make the total; what tools put into the prompt stands beside it.
"""

from __future__ import annotations

from typing import Any, Final

from app.wire.dialects.dialect import dicts
from app.wire.usage.counts import NOTHING, OUTPUT, SOME, Counts, Other, less, member, number, put, text_of

_KINDS: Final = {"AUDIO": "audio", "IMAGE": "image"}


class GeminiReader:
    """The last wins."""

    def __init__(self) -> None:
        self.last_wins = True
        self._counts: Counts | None = None

    def read(self, value: dict[str, Any]) -> int:
        usage = member(value, "usageMetadata")
        counts = _counts(usage) if usage else None
        if counts is None:
            return NOTHING
        self._counts = counts
        return OUTPUT if counts.output or "candidatesTokenCount" in usage else SOME

    def counts(self) -> Counts | None:
        return self._counts


def _counts(usage: dict[str, Any]) -> Counts | None:
    prompt = number(usage, "promptTokenCount")
    put_out = number(usage, "candidatesTokenCount", "responseTokenCount")
    thoughts = number(usage, "thoughtsTokenCount")
    tools = number(usage, "toolUsePromptTokenCount")
    total = number(usage, "totalTokenCount")
    if prompt is None and put_out is None and total is None:
        return None
    if put_out is None:
        output = less(total, prompt, tools, thoughts)
    else:
        is_inside = total in ((prompt or 0) + put_out, (prompt or 0) + (tools or 0) + put_out)
        output = less(put_out, thoughts) if is_inside else put_out
    cached = number(usage, "cachedContentTokenCount")
    told = less(prompt, cached)
    if tools:
        told = (told or 0) + tools
    return Counts(told, cached, None, None, output, thoughts, _other(usage))


def _other(usage: dict[str, Any]) -> Other:
    other: Other = {}
    for name, side in (("promptTokensDetails", "input"), ("candidatesTokensDetails", "output")):
        for part in dicts(usage.get(name)):
            kind = _KINDS.get(text_of(part.get("modality")))
            if kind is not None:
                put(other, f"{kind}_{side}", number(part, "tokenCount"))
    put(other, "service_tier", text_of(usage.get("serviceTier")).lower())
    return other
