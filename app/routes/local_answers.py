"""What is answered here: the models that there are, in the shape that each dialect's SDKs read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from app.core.callers.permissions import check_model, may_use_channel, may_use_model, opened, serving_of
from app.core.choosing.matching import ALL, Candidate
from app.core.errors import ApiError
from app.core.model import AccessToken, Channel, Snapshot
from app.proxy.messages import Reply
from app.wire.dialects.asked import Asked

MAX_SHOWN: Final = 200
"""Characters of a model's name in an error."""

_OWNER: Final = "gateway"
_CREATED: Final = datetime(2025, 1, 1, tzinfo=UTC)
"""SDKs want a time; nobody knows when an upstream made a model."""
_METHODS: Final = ["generateContent", "streamGenerateContent", "countTokens", "embedContent"]


def models_answer(snapshot: Snapshot, asked: Asked, query: str, only: Channel | None, token: AccessToken) -> Reply:
    """The list, or the entry that the path names, of what the token opens. `only`: the one channel that counts.

    Raises ApiError for a model that would not be served.
    """
    if asked.model:
        check_model(token, asked.model)
        serving = opened(token, snapshot, asked.served_by, asked.model) if only is None else _by(only, snapshot, asked)
        if not any(one.channel.enabled for one in serving):
            text = f"no enabled channel of this dialect serves the model {asked.model[:MAX_SHOWN]!r}"
            raise ApiError(404, "model_not_found", f"{text}; /v1/models lists what there is", is_final=True)
        body = one_model(asked, asked.model)
    else:
        names = [name for name in _names(snapshot, asked, only, token) if may_use_model(token, name)]
        has_version = any(member.startswith("client_version=") for member in query.split("&"))
        body = model_list(asked, names, has_client_version=has_version)
    fields = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return Reply(200, "OK", fields, [] if asked.method == "HEAD" else [body])


def _names(snapshot: Snapshot, asked: Asked, only: Channel | None, token: AccessToken) -> list[str]:
    if only is None and token.routes_mode == "all":
        names: list[str] = snapshot.serving.models(asked.served_by)
        return names
    listed = snapshot.channels if only is None else (only,)
    found = {
        entry.name
        for channel in listed
        if channel.enabled
        and asked.served_by in channel.dialects
        and (only is not None or may_use_channel(token, channel.id))
        for entry in channel.models
    }
    return sorted(found - {ALL})


def _by(only: Channel, snapshot: Snapshot, asked: Asked) -> list[Candidate]:
    return serving_of(snapshot, asked.served_by, asked.model, frozenset((only.id,)), None)


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
