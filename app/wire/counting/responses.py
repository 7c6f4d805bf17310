"""What counts in a request of OpenAI's Responses API
(https://platform.openai.com/docs/api-reference/responses/input-tokens)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from app.wire.counting.long_json import is_list, is_text, members
from app.wire.counting.media import data_url
from app.wire.counting.tally import Tally

_REQUEST: Final = frozenset({"input", "instructions", "text", "tools"})
_ITEM: Final = frozenset(
    {"type", "role", "content", "name", "arguments", "input", "output", "summary", "action", "encrypted_content"}
)
_PART: Final = frozenset(
    {"type", "text", "refusal", "image_url", "detail", "file_data", "file_url", "filename", "file_id", "input_audio"}
)
_TOOL: Final = frozenset({"type", "name", "description", "parameters", "format", "tools"})
_CALL_TOKENS: Final = 8
"""Around a tool's call, and around its result."""
_OWN_TOOL_TOKENS: Final = 200
"""Of a tool that OpenAI describes."""
_TOOL_TOKENS: Final = 8
"""Of each function besides what it says."""
_LOW_DETAIL_TOKENS: Final = 85


def count(body: Any, tally: Tally) -> Iterator[None]:
    """Raises ValueError, whose text says what is wrong with the request."""
    said = yield from members(body, _REQUEST)
    asked = said.get("input")
    if is_text(said.get("instructions")):
        tally.add(tally.family.message)
        yield from tally.text(said["instructions"])
    if is_list(asked):
        for some in tally.elements(asked):
            yield
            for item in some:
                yield from _item(item, tally)
    elif is_text(asked):
        tally.add(tally.family.message)
        yield from tally.text(asked)
    elif asked is not None:
        raise ValueError("`input` is neither a text nor a list of items")
    yield from _tools(said.get("tools"), tally)
    text = yield from members(said.get("text"), frozenset({"format"}))
    shape = yield from members(text.get("format"), frozenset({"schema"}))
    yield from tally.text(shape.get("schema"))


def _item(item: Any, tally: Tally) -> Iterator[None]:
    said = yield from members(item, _ITEM)
    kind = said.get("type")
    if kind in (None, "message") and "role" in said:
        tally.add(tally.family.message)
        yield from _content(said.get("content"), tally)
    elif kind == "reasoning":
        yield from _content(said.get("summary"), tally)
        yield from _content(said.get("content"), tally)
    elif kind == "item_reference":
        pass  # what it refers to is not here
    else:
        tally.add(_CALL_TOKENS)
        for name in ("name", "arguments", "input", "action"):
            yield from tally.text(said.get(name))
        yield from _content(said.get("output"), tally)


def _content(content: Any, tally: Tally) -> Iterator[None]:
    if not is_list(content):
        yield from tally.text(content)
        return
    for some in tally.elements(content):
        yield
        for part in some:
            yield from _part(part, tally)


def _part(part: Any, tally: Tally) -> Iterator[None]:
    said = yield from members(part, _PART)
    match said.get("type"):
        case "input_image" | "image_url" | "computer_screenshot":
            if said.get("detail") == "low":
                tally.add(_LOW_DETAIL_TOKENS)
            else:
                tally.image_at(said.get("image_url"))
        case "input_file":
            yield from tally.text(said.get("filename"))
            data = said.get("file_data")
            kind, start = data_url(data)
            yield from tally.file(kind or "application/pdf", data, start)
        case "input_audio":
            sound = yield from members(said.get("input_audio"), frozenset({"data"}))
            yield from tally.file("audio/", sound.get("data"))
        case _ if "text" in said or "refusal" in said:
            yield from tally.text(said.get("text"))
            yield from tally.text(said.get("refusal"))
        case _:
            yield from tally.text(part)


def _tools(tools: Any, tally: Tally, depth: int = 0) -> Iterator[None]:
    for some in tally.elements(tools):
        yield
        for tool in some:
            said = yield from members(tool, _TOOL)
            tally.add(_TOOL_TOKENS if "name" in said else _OWN_TOOL_TOKENS)
            for name in ("name", "description", "parameters", "format"):
                yield from tally.text(said.get(name))
            if depth == 0:
                yield from _tools(said.get("tools"), tally, 1)  # a namespace
