"""What counts in a request of Gemini's `:countTokens` (https://ai.google.dev/api/tokens)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from app.wire.counting.long_json import is_list, members
from app.wire.counting.tally import Tally

_REQUEST: Final = frozenset(
    {"contents", "generateContentRequest", "generate_content_request", "systemInstruction", "system_instruction"}
    | {"tools", "generationConfig", "generation_config"}
)
_CONTENT: Final = frozenset({"parts", "role"})
_TEXTS: Final = ("text", "functionCall", "function_call", "functionResponse", "function_response", "executableCode")
_PART: Final = frozenset({*_TEXTS, "codeExecutionResult", "inlineData", "inline_data", "fileData", "file_data"})
_DATA: Final = frozenset({"data", "mimeType", "mime_type"})
_TOOL: Final = frozenset({"functionDeclarations", "function_declarations"})
_FUNCTION: Final = frozenset({"name", "description", "parameters", "parametersJsonSchema", "response"})
_SCHEMAS: Final = frozenset({"responseSchema", "response_schema", "responseJsonSchema", "responseFormat"})


def count(body: Any, tally: Tally) -> Iterator[None]:
    """Raises ValueError, whose text says what is wrong with the request."""
    said = yield from members(body, _REQUEST)
    whole = _either(said, "generateContentRequest", "generate_content_request")
    if whole is not None:
        said = yield from members(whole, _REQUEST)
    contents = said.get("contents")
    if contents is None:
        raise ValueError("`contents` is missing: send it, or a `generateContentRequest` that has it")
    yield from _content(_either(said, "systemInstruction", "system_instruction"), tally)
    if is_list(contents):
        for some in tally.elements(contents):
            yield
            for content in some:
                yield from _content(content, tally)
    else:
        yield from _content(contents, tally)
    for some in tally.elements(said.get("tools")):
        for tool in some:
            yield from _tool(tool, tally)
    config = yield from members(_either(said, "generationConfig", "generation_config"), _SCHEMAS)
    for schema in config.values():
        yield from tally.text(schema)


def _either(said: dict[str, Any], name: str, other: str) -> Any:
    """Google's servers take a member in either spelling."""
    value = said.get(name)
    return said.get(other) if value is None else value


def _content(content: Any, tally: Tally) -> Iterator[None]:
    if isinstance(content, str):
        yield from tally.text(content)
        return
    tally.add(tally.family.message)
    said = yield from members(content, _CONTENT)
    parts = said.get("parts")
    if not is_list(parts):
        parts = [] if parts is None else [parts]
    for some in tally.elements(parts):
        yield
        for part in some:
            yield from _part(part, tally)


def _part(part: Any, tally: Tally) -> Iterator[None]:
    said = yield from members(part, _PART)
    for name in _TEXTS:
        yield from tally.text(said.get(name))
    yield from tally.text(said.get("codeExecutionResult"))
    for name, other in (("inlineData", "inline_data"), ("fileData", "file_data")):
        value = _either(said, name, other)
        if value is not None:
            data = yield from members(value, _DATA)
            kind = _either(data, "mimeType", "mime_type")
            yield from tally.file(kind if isinstance(kind, str) else "", data.get("data"))


def _tool(tool: Any, tally: Tally) -> Iterator[None]:
    said = yield from members(tool, _TOOL)
    for some in tally.elements(_either(said, "functionDeclarations", "function_declarations")):
        yield
        for function in some:
            told = yield from members(function, _FUNCTION)
            for value in told.values():
                yield from tally.text(value)
