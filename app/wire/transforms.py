"""Edits of request bodies that a route asks for."""

from __future__ import annotations

import orjson


def without_gemini_thinking(body: bytes) -> bytes:
    """The Gemini request with `generationConfig.thinkingConfig` set to no thinking at all.

    Everything else stays. A body that is no JSON object is returned as it is.
    Source: Gemini API, "Thinking": a `thinkingBudget` of 0 turns thinking off.
    """
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    if not isinstance(request, dict):
        return body
    generation = request.get("generationConfig")
    if not isinstance(generation, dict):
        generation = request["generationConfig"] = {}
    generation["thinkingConfig"] = {"thinkingBudget": 0}
    return orjson.dumps(request)
