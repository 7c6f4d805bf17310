"""What is answered here: the models that there are, in the shape that each dialect's SDKs read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from app.core.choosing.matching import ALL
from app.core.errors import ApiError
from app.core.model import Channel, Snapshot
from app.proxy.messages import Reply
from app.wire.dialects.asked import Asked

MAX_SHOWN: Final = 200
"""Characters of a model's name in an error."""

_OWNER: Final = "gateway"
_CREATED: Final = datetime(2025, 1, 1, tzinfo=UTC)
"""SDKs want a time; nobody knows when an upstream made a model."""
_METHODS: Final = ["generateContent", "streamGenerateContent", "countTokens", "embedContent"]


def models_answer(snapshot: Snapshot, asked: Asked, query: str, only: Channel | None) -> Reply:
    """The list, or the entry that the path names. `only`: the one channel that counts; None: all.

    Raises ApiError for a model that would not be served.
    """
    if asked.model:
        if not _is_served(snapshot, asked, only):
            text = f"no enabled channel of this dialect serves the model {asked.model[:MAX_SHOWN]!r}"
            raise ApiError(404, "model_not_found", f"{text}; /v1/models lists what there is", is_final=True)
        body = one_model(asked, asked.model)
    else:
        names = _names(snapshot, asked, only)
        has_version = any(member.startswith("client_version=") for member in query.split("&"))
        body = model_list(asked, names, has_client_version=has_version)
    fields = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return Reply(200, "OK", fields, [] if asked.method == "HEAD" else [body])


def _names(snapshot: Snapshot, asked: Asked, only: Channel | None) -> list[str]:
    if only is not None:
        return sorted({entry.name for entry in only.models} - {ALL})
    names: list[str] = snapshot.serving.models(asked.served_by)
    return names


def _is_served(snapshot: Snapshot, asked: Asked, only: Channel | None) -> bool:
    settings = snapshot.settings
    found = snapshot.serving.candidates(
        asked.served_by, asked.model, strip_date=settings.model_strip_date, contains=settings.model_contains
    )
    return any(one.channel.enabled and (only is None or one.channel.id == only.id) for one in found)


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
