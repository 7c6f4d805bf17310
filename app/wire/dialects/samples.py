"""The least call of each dialect, to try whether an upstream answers; and what it says, for a person to read."""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from urllib.parse import quote

import orjson

from app.wire.dialects.dialect import dicts, parsed
from app.wire.http.headers import Headers
from app.wire.sse import Splitter

MAX_OUTPUT_TOKENS: Final = 1024
"""Anthropic's API wants a bound. Others get none: their newer models refuse the older ones' name for it."""
VERSION: Final = ("anthropic-version", "2023-06-01")
"""https://docs.anthropic.com/en/api/versioning"""


class Sample(NamedTuple):
    """A call."""

    path: str
    query: str
    fields: Headers
    body: bytes


def sample(speaks: str, model: str, text: str, is_stream: bool) -> Sample:
    """One that says `text` to a model."""
    body: dict[str, Any]
    path, query, fields = "/v1/chat/completions", "", [("Content-Type", "application/json")]
    message = {"role": "user", "content": text}
    match speaks:
        case "anthropic":
            path = "/v1/messages"
            fields.append(VERSION)
            body = {"model": model, "max_tokens": MAX_OUTPUT_TOKENS, "messages": [message], "stream": is_stream}
        case "responses":
            path = "/v1/responses"
            body = {"model": model, "input": [message], "stream": is_stream, "store": False}
        case "gemini":
            path = (
                f"/v1beta/models/{quote(model, safe='')}:{'streamGenerateContent' if is_stream else 'generateContent'}"
            )
            query = "alt=sse" if is_stream else ""
            body = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
        case _:
            body = {"model": model, "messages": [message], "stream": is_stream}
    return Sample(path, query, fields, orjson.dumps(body))


def said_text(speaks: str, body: bytes, *, is_stream: bool) -> str:
    """The text in an answer's body, or in a part of it; empty where none is found."""
    if not is_stream:
        value = parsed(body)
        return "".join(_text_of(speaks, one) for one in (dicts(value) if isinstance(value, list) else [value]))
    events = Splitter()
    found = [*events.feed(body), *events.finish()]
    return "".join(_text_of(speaks, parsed(event.data)) for event in found)


def _text_of(speaks: str, value: Any) -> str:
    if not isinstance(value, dict):
        return ""
    match speaks:
        case "anthropic":
            delta = value.get("delta")
            return _joined([delta, *dicts(value.get("content"))])
        case "responses":
            delta = value.get("delta") if value.get("type") == "response.output_text.delta" else None
            parts = [part for item in dicts(value.get("output")) for part in dicts(item.get("content"))]
            return delta if isinstance(delta, str) else _joined(parts)
        case "gemini":
            contents = [candidate.get("content") for candidate in dicts(value.get("candidates"))]
            return _joined([part for one in contents if isinstance(one, dict) for part in dicts(one.get("parts"))])
    said = [choice.get("delta") or choice.get("message") or {} for choice in dicts(value.get("choices"))]
    contents = [message.get("content") for message in said if isinstance(message, dict)]
    return "".join(one if isinstance(one, str) else _joined(dicts(one)) for one in contents)


def _joined(parts: list[Any]) -> str:
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "".join(text for text in texts if isinstance(text, str))
