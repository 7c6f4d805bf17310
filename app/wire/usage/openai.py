"""Usage as OpenAI's APIs tell it, and those that imitate them: chat, completions, embeddings, images, audio, responses.

(https://platform.openai.com/docs/api-reference/chat/object, .../responses/object, .../images, .../audio)

It stands in `usage` of an answer or event, of its `response` (Responses), of its first choice (Moonshot) or of its
`x_groq` (Groq). Cached and written tokens stand inside the prompt, reasoning inside the completion, unless the total
counts it besides (xAI).
"""

from __future__ import annotations

from typing import Any, Final

from app.wire.usage.counts import NOTHING, OUTPUT, SOME, Counts, Other, less, member, number, put, text_of

_IN: Final = ("prompt_tokens_details", "input_tokens_details", "input_token_details")
_OUT: Final = ("completion_tokens_details", "output_tokens_details", "output_token_details")


class OpenAIReader:
    """Whoever tells usage in every event tells all that was used so far: the last wins."""

    def __init__(self, *, tells_no_reasoning: bool = False) -> None:
        """`tells_no_reasoning`: its total counts it all the same, as Google's does."""
        self._tells_no_reasoning = tells_no_reasoning
        self.last_wins = True
        self._counts: Counts | None = None

    def read(self, value: dict[str, Any]) -> int:
        inner = value.get("response")
        answer = inner if isinstance(inner, dict) else value
        usage = _usage(answer)
        counts = _counts(usage, self._tells_no_reasoning) if usage else None
        if counts is None:
            return NOTHING
        put(counts.other, "service_tier", text_of(answer.get("service_tier") or usage.get("service_tier")))
        if "tool_usage" in answer:
            searches = number(member(member(answer, "tool_usage"), "web_search"), "num_requests")
            put(counts.other, "web_search_requests", searches)
        self._counts = counts
        return SOME if counts.output is None else OUTPUT

    def counts(self) -> Counts | None:
        return self._counts


def _usage(answer: dict[str, Any]) -> dict[str, Any]:
    usage = member(answer, "usage")
    choices = answer.get("choices")
    if not usage and isinstance(choices, list) and choices:
        usage = member(choices[0], "usage")
    return usage or member(member(answer, "x_groq"), "usage")


def _counts(usage: dict[str, Any], tells_no_reasoning: bool) -> Counts | None:
    prompt = number(usage, "prompt_tokens", "input_tokens")
    completion = number(usage, "completion_tokens", "output_tokens")
    total = number(usage, "total_tokens")
    details, put_out = member(usage, *_IN), member(usage, *_OUT)
    other = _other(usage, details, put_out)
    if completion is None:
        if prompt is None:
            prompt = total  # what embeds or ranks tells no more than that
        if "seconds" in other or total is not None:
            completion = less(total or 0, prompt)
        elif prompt is None and not other:
            return None
    cached = number(details, "cached_tokens")
    if not cached:
        cached = number(usage, "prompt_cache_hit_tokens", "cached_tokens") or cached
    written = number(details, "cache_write_tokens") or number(usage, "cache_write_tokens")
    reasoning = number(put_out, "reasoning_tokens")
    if reasoning is None:
        reasoning = number(usage, "reasoning_tokens")
    if reasoning is None and tells_no_reasoning:
        reasoning = less(total, prompt, completion) or None
    is_beside = reasoning and total == (prompt or 0) + (completion or 0) + reasoning
    output = completion if is_beside else less(completion, reasoning)
    return Counts(less(prompt, cached, written), cached, written, None, output, reasoning, other)


def _other(usage: dict[str, Any], told: dict[str, Any], put_out: dict[str, Any]) -> Other:
    other: Other = {}
    if told:
        put(other, "audio_input", number(told, "audio_tokens"))
        put(other, "image_input", number(told, "image_tokens"))
    if put_out:
        put(other, "audio_output", number(put_out, "audio_tokens"))
        put(other, "image_output", number(put_out, "image_tokens"))
    put(other, "seconds", _measure(usage.get("seconds")) or _measure(usage.get("prompt_audio_seconds")))
    put(other, "web_search_requests", number(member(usage, "server_tool_use"), "web_search_requests"))
    cost = usage.get("cost")
    put(other, "provider_cost_usd", _measure(cost.get("total_cost") if isinstance(cost, dict) else cost))
    return other


def _measure(value: Any) -> int | float | None:
    """A number of any kind above zero."""
    if (type(value) is int or type(value) is float) and value > 0:
        number: int | float = value
        return number
    return None
