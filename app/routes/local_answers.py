"""What is answered here: the models that there are, in the shape that each dialect's SDKs read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from app.wire.dialects.asked import Asked

_OWNER: Final = "gateway"
_CREATED: Final = datetime(2025, 1, 1, tzinfo=UTC)
"""SDKs want a time; nobody knows when an upstream made a model."""
_METHODS: Final = ["generateContent", "streamGenerateContent", "countTokens", "embedContent"]


def model_list(asked: Asked, names: Sequence[str], *, has_client_version: bool) -> bytes:
    """The list, in the shape of the dialect that asks. `has_client_version`: Codex asks, and wants `models` too."""
    match asked.speaks:
        case "anthropic":
            ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None}
            return orjson.dumps({"data": [_anthropic(name) for name in names], "has_more": False, **ends})
        case "gemini":
            return orjson.dumps({"models": [_gemini(name) for name in names]})
        case _:
            told: dict[str, Any] = {"object": "list", "data": [_openai(name) for name in names]}
            return orjson.dumps(told | {"models": []} if has_client_version else told)


def one_model(asked: Asked, name: str) -> bytes:
    """One entry of it."""
    return orjson.dumps(_anthropic(name) if asked.speaks == "anthropic" else _openai(name))


def _openai(name: str) -> dict[str, Any]:
    """https://platform.openai.com/docs/api-reference/models/object"""
    return {"id": name, "object": "model", "created": int(_CREATED.timestamp()), "owned_by": _OWNER}


def _anthropic(name: str) -> dict[str, Any]:
    """https://docs.anthropic.com/en/api/models-list"""
    return {"type": "model", "id": name, "display_name": name, "created_at": f"{_CREATED:%Y-%m-%dT%H:%M:%SZ}"}


def _gemini(name: str) -> dict[str, Any]:
    """https://ai.google.dev/api/models"""
    return {"name": f"models/{name}", "displayName": name, "version": "", "supportedGenerationMethods": _METHODS}
