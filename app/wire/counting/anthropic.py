"""What counts in a request of Anthropic's Messages API (https://platform.claude.com/docs/en/api/messages-count-tokens)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from app.wire.counting.long_json import is_list, is_text, members
from app.wire.counting.tally import Tally

_REQUEST: Final = frozenset({"messages", "output_config", "output_format", "system", "tools"})
_MESSAGE: Final = frozenset({"content", "role"})
_BLOCK: Final = frozenset(
    {"type", "text", "thinking", "source", "title", "context", "name", "input", "content", "data", "signature"}
)
_SOURCE: Final = frozenset({"type", "media_type", "data", "content"})
_TOOL: Final = frozenset({"type", "name", "description", "input_schema", "input_examples"})
_MAX_DEPTH: Final = 4
"""Blocks in blocks; tools' results hold some, and documents."""
_CALL_TOKENS: Final = 12
"""Around a tool's call, and around its result."""
_OWN_TOOL_TOKENS: Final = 400
"""Of a tool that Anthropic describes: from 245 (bash) to 735 (computer)."""
_UNREAD: Final = frozenset({"redacted_thinking", "compaction"})
"""Blocks that hold what only the provider can read, and mostly does not count."""


def count(body: Any, tally: Tally) -> Iterator[None]:
    """Raises ValueError, whose text says what is wrong with the request."""
    said = yield from members(body, _REQUEST)
    messages = said.get("messages")
    if not is_list(messages):
        raise ValueError("`messages` is no list of messages")
    yield from _content(said.get("system"), tally, 0)
    for some in tally.elements(messages):
        yield
        for message in some:
            tally.add(tally.family.message)
            one = yield from members(message, _MESSAGE)
            yield from _content(one.get("content"), tally, 0)
    yield from _tools(said.get("tools"), tally)
    for name in ("output_config", "output_format"):
        shape = yield from members(said.get(name), frozenset({"format", "schema"}))
        yield from tally.text(shape.get("schema") or shape.get("format"))


def _content(content: Any, tally: Tally, depth: int) -> Iterator[None]:
    if is_list(content) and depth <= _MAX_DEPTH:
        for some in tally.elements(content):
            yield
            for block in some:
                yield from _block(block, tally, depth)
    else:
        yield from tally.text(content)


def _block(block: Any, tally: Tally, depth: int) -> Iterator[None]:
    said = yield from members(block, _BLOCK)
    match said.get("type"):
        case "text":
            yield from tally.text(said.get("text"))
        case "thinking":
            yield from tally.text(said.get("thinking"))
        case "image":
            yield from _source(said.get("source"), tally, "image/", depth)
        case "document":
            yield from tally.text(said.get("title"))
            yield from tally.text(said.get("context"))
            yield from _source(said.get("source"), tally, "application/pdf", depth)
        case "tool_use" | "server_tool_use" | "mcp_tool_use":
            tally.add(_CALL_TOKENS)
            yield from tally.text(said.get("name"))
            yield from tally.text(said.get("input"))
        case "tool_result" | "mcp_tool_result":
            tally.add(_CALL_TOKENS)
            yield from _content(said.get("content"), tally, depth + 1)
        case "search_result":
            yield from tally.text(said.get("title"))
            yield from tally.text(said.get("source"))
            yield from _content(said.get("content"), tally, depth + 1)
        case str() as kind if kind in _UNREAD:
            pass
        case _:
            yield from tally.text(block)


def _source(source: Any, tally: Tally, default: str, depth: int) -> Iterator[None]:
    said = yield from members(source, _SOURCE)
    match said.get("type"):
        case "text":
            yield from tally.text(said.get("data"))
        case "content":
            yield from _content(said.get("content"), tally, depth + 1)
        case _:  # base64; what a URL or the id of a file leads to is not here
            kind = said.get("media_type")
            yield from tally.file(kind if isinstance(kind, str) else default, said.get("data"))


def _tools(tools: Any, tally: Tally) -> Iterator[None]:
    has_any = False
    for some in tally.elements(tools):
        yield
        for tool in some:
            has_any = True
            said = yield from members(tool, _TOOL)
            if "input_schema" not in said and is_text(said.get("type")):
                tally.add(_OWN_TOOL_TOKENS)
            for name in ("name", "description", "input_schema", "input_examples"):
                yield from tally.text(said.get(name))
    if has_any:
        tally.add(tally.family.tools)
