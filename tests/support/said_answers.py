"""Whole answers as each dialect gives them, plain and in events, and what a client reads out of one."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

PLAIN_PATHS = {
    "openai": "/v1/chat/completions",
    "responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/m:generateContent",
}
STREAM_PATHS = PLAIN_PATHS | {"gemini": "/v1beta/models/m:streamGenerateContent?alt=sse"}


def path_of(dialect: str, is_stream: bool) -> str:
    return (STREAM_PATHS if is_stream else PLAIN_PATHS)[dialect]


def body_for(dialect: str, is_stream: bool, said: str, model: str = "m") -> bytes:
    """The least that a client asks with; `said` makes it a call of its own."""
    body: dict[str, Any] = {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": said}]}
    if dialect == "responses":
        body = {"model": model, "input": said}
    if dialect == "gemini":
        return json.dumps({"contents": [{"role": "user", "parts": [{"text": said}]}]}).encode()
    return json.dumps(body | ({"stream": True} if is_stream else {})).encode()


def tokens(count: int) -> list[str]:
    return [f"t{number} " for number in range(count)]


# --- plain ---


def _response(text: str, status: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": status, "error": None,
        "output": [message] if text else [], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    }  # fmt: skip


def _message(text: str) -> dict[str, Any]:
    content = [{"type": "text", "text": text}] if text else []
    usage = {"input_tokens": 1, "output_tokens": 1}
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
        "stop_reason": "end_turn" if text else None, "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def _candidate(text: str, **more: str) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": text}]}
    return {"candidates": [{"index": 0, "content": content, **more}], "modelVersion": "m"}


def plain(dialect: str, text: str) -> bytes:
    """A whole answer that says `text`."""
    match dialect:
        case "openai":
            message = {"role": "assistant", "content": text}
            choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
            said = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": choices}
        case "responses":
            said = _response(text, "completed")
        case "anthropic":
            said = _message(text)
        case _:
            said = _candidate(text, finishReason="STOP")
    return json.dumps(said).encode()


# --- events ---


class Events(NamedTuple):
    """A stream in three: what comes before the first useful content, that, and what says that it is whole."""

    opening: list[bytes]
    content: list[bytes]
    ending: list[bytes]


def _data(said: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(said).encode() + b"\n\n"


def _named(type: str, **said: Any) -> bytes:
    return f"event: {type}\n".encode() + _data({"type": type, **said})


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return _data({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices})


def _response_events(said: list[str]) -> Events:
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}
    part = {"type": "output_text", "text": "", "annotations": []}
    opening = [
        _named("response.created", sequence_number=0, response=_response("", "in_progress")),
        _named("response.output_item.added", sequence_number=1, output_index=0, item=item),
        _named("response.content_part.added", sequence_number=2, **at, part=part),
    ]
    content = [
        _named("response.output_text.delta", sequence_number=number, **at, delta=text, logprobs=[])
        for number, text in enumerate(said, 3)
    ]
    whole = _response("".join(said), "completed")
    return Events(opening, content, [_named("response.completed", sequence_number=3 + len(said), response=whole)])


def events(dialect: str, said: list[str]) -> Events:
    """A stream that says these, one an event."""
    match dialect:
        case "openai":
            content = [_chunk({"content": text}) for text in said]
            return Events([_chunk({"role": "assistant"})], content, [_chunk({}, "stop"), b"data: [DONE]\n\n"])
        case "responses":
            return _response_events(said)
        case "anthropic":
            block = {"type": "text", "text": ""}
            opening = [
                _named("message_start", message=_message("")),
                _named("content_block_start", index=0, content_block=block),
            ]
            deltas = [{"type": "text_delta", "text": text} for text in said]
            content = [_named("content_block_delta", index=0, delta=delta) for delta in deltas]
            stopped = {"stop_reason": "end_turn", "stop_sequence": None}
            ending = [
                _named("content_block_stop", index=0),
                _named("message_delta", delta=stopped, usage={"output_tokens": 1}),
                _named("message_stop"),
            ]
            return Events(opening, content, ending)
        case _:
            return Events([], [_data(_candidate(text)) for text in said], [_data(_candidate("", finishReason="STOP"))])


# --- as a client reads them ---


class Read(NamedTuple):
    text: str
    is_whole: bool
    """It says that it is."""
    error: str
    """What it says went wrong; empty for nothing."""


def read_plain(body: bytes) -> Read:
    said = json.loads(body)
    if said.get("error"):
        return Read("", False, said["error"]["message"])
    return Read(_text_of(said), True, "")


def _text_of(said: dict[str, Any]) -> str:
    if "choices" in said:
        return str(said["choices"][0]["message"]["content"])
    if "candidates" in said:
        return str(said["candidates"][0]["content"]["parts"][0]["text"])
    content = said["output"][0]["content"] if "output" in said else said["content"]
    return str(content[0]["text"])


def read_events(body: bytes) -> Read:
    """Raises ValueError where an event is none."""
    text, is_whole, error = "", False, ""
    for event in filter(None, body.decode().split("\n\n")):
        line = next((line for line in event.split("\n") if line.startswith("data:")), None)
        if line is None:
            assert event.startswith(":"), event
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            is_whole = True
            continue
        said = json.loads(data)
        if isinstance(said.get("error"), dict):
            error = error or said["error"]["message"]
            continue
        more, ends = _piece_of(said)
        text += more
        is_whole = is_whole or ends
    return Read(text, is_whole, error)


def _piece_of(said: dict[str, Any]) -> tuple[str, bool]:
    if choices := said.get("choices"):
        return choices[0]["delta"].get("content") or "", bool(choices[0]["finish_reason"])
    if candidates := said.get("candidates"):
        return candidates[0]["content"]["parts"][0]["text"], "finishReason" in candidates[0]
    kind = said.get("type", "")
    if kind == "response.output_text.delta":
        return str(said["delta"]), False
    if kind == "content_block_delta":
        return str(said["delta"]["text"]), False
    return "", kind in ("message_stop", "response.completed")
