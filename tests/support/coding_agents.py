"""Requests of the shape that coding agents send: large prompts, many tools, the model first, and what else marks them.

Written for these tests: of the agents' own texts nothing stands here. Sizes, order and types are theirs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.support.api_calls import TOKEN
from tests.support.compression import zstd

SESSION = "5e551010-0000-4000-8000-00000000000a"


@dataclass
class Turn:
    """One request, as it stands on the wire."""

    agent: str
    path: str
    fields: dict[str, str]
    body: bytes
    model: str

    def plain_body(self) -> bytes:
        return zstd.decompress(self.body) if "content-encoding" in self.fields else self.body


def prose(subject: str, size: int) -> str:
    """Words about nothing, with what JSON must escape among them."""
    line = f'Of {subject}: read the file first, then "change" it.\n\tNever guess; ask – and say why → so.\n'
    return (line * (size // len(line) + 1))[:size]


def _schema(number: int) -> dict[str, Any]:
    properties = {
        "path": {"type": "string", "description": prose(f"argument {number}", 60)},
        "limit": {"type": "number"},
    }
    return {"type": "object", "properties": properties, "required": ["path"], "additionalProperties": False}


def _compact(said: dict[str, Any]) -> bytes:
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()


def claude_code(*, is_second: bool = False, is_stream: bool = True) -> Turn:
    """`model` first and `stream` last, behind 120 KB; `is_second`: after a tool call; not streamed: after a break."""
    cached = {"cache_control": {"type": "ephemeral"}}
    messages: list[dict[str, Any]] = [
        {
            "role": "user",
            "content": [{"type": "text", "text": prose("the house", 9000)}, {"type": "text", "text": "hi"}],
        }
    ]
    if is_second:
        called = {"type": "tool_use", "id": "toolu_1", "name": "Tool0", "input": {"path": "a"}}
        messages.append({"role": "assistant", "content": [called]})
        result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "two lines\nof it", **cached}
        messages.append({"role": "user", "content": [result]})
    user = json.dumps({"device_id": "0" * 64, "account_uuid": "", "session_id": SESSION})
    body: dict[str, Any] = {
        "model": "claude-opus-4-7",
        "messages": messages,
        "system": [{"type": "text", "text": prose(f"rule {number}", 9000), **cached} for number in range(3)],
        "tools": [
            {"name": f"Tool{number}", "description": prose(f"tool {number}", 3000), "input_schema": _schema(number)}
            for number in range(25)
        ],
        "metadata": {"user_id": user},
        "max_tokens": 32000,
        "thinking": {"type": "enabled", "budget_tokens": 16000},
        "context_management": {"edits": []},
    }
    if is_stream:
        body["stream"] = True
    fields = {
        "Accept": "application/json",
        "Authorization": f"Bearer {TOKEN}",
        "Content-Type": "application/json",
        "User-Agent": "claude-cli/2.1.197 (external, sdk-cli)",
        "X-Claude-Code-Session-Id": SESSION,
        "X-Stainless-Retry-Count": "0",
        "X-Stainless-Timeout": "600" if is_stream else "300",
        "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14",
        "anthropic-version": "2023-06-01",
        "x-app": "cli",
        "Accept-Encoding": "gzip, deflate, br, zstd",
    }
    return Turn("Claude Code", "/v1/messages?beta=true", fields, _compact(body), "claude-opus-4-7")


def _changed(turn: Turn, agent: str, **members: Any) -> Turn:
    body = json.loads(turn.body) | members
    return Turn(agent, turn.path, turn.fields, _compact(body), body["model"])


def claude_code_sub_agent() -> Turn:
    """With the few tools and the smaller model of its kind, in the session of the one that began it."""
    turn = claude_code()
    tools = json.loads(turn.body)["tools"][:3]
    messages = [{"role": "user", "content": prose("what the sub-agent is to find", 1500)}]
    return _changed(turn, "Claude Code, a sub-agent", model="claude-haiku-4-5", tools=tools, messages=messages)


def claude_code_with_image() -> Turn:
    """A screenshot beside the text."""
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo" * 20_000}
    said = [{"type": "text", "text": "what is wrong here?"}, {"type": "image", "source": source}]
    return _changed(claude_code(), "Claude Code, with an image", messages=[{"role": "user", "content": said}])


def codex(*, is_second: bool = False, is_packed: bool = False) -> Turn:
    """`is_packed`: as the agent sends it when it is signed in, by zstd."""
    said = [("developer", 20_000), ("developer", 3_000), ("user", 900), ("user", 20)]
    items: list[dict[str, Any]] = [
        {
            "type": "message",
            "id": f"msg_{place}",
            "role": role,
            "content": [{"type": "input_text", "text": prose(role, n)}],
        }
        for place, (role, n) in enumerate(said)
    ]
    if is_second:
        items.append({"type": "function_call", "id": "fc_1", "name": "tool0", "arguments": "{}", "call_id": "call_1"})
        items.append({"type": "function_call_output", "call_id": "call_1", "output": "two lines\nof it"})
    body = {
        "model": "gpt-5",
        "stream": True,
        "input": items,
        "tools": [
            {"type": "function", "name": f"tool{number}", "description": prose(f"tool {number}", 1200), "strict": False,
             "parameters": _schema(number)}
            for number in range(9)
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": SESSION,
        "client_metadata": {"session_id": SESSION, "turn_id": "1"},
    }  # fmt: skip
    fields = {
        "x-client-request-id": SESSION,
        "session-id": SESSION,
        "accept": "text/event-stream",
        "content-type": "application/json",
        "authorization": f"Bearer {TOKEN}",
        "originator": "codex_exec",
        "accept-encoding": "zstd,gzip",
    }
    raw = _compact(body)
    if is_packed:
        fields["content-encoding"] = "zstd"
        raw = zstd.compress(raw)
    return Turn("Codex", "/v1/responses", fields, raw, "gpt-5")


def gemini_cli(*, is_second: bool = False) -> Turn:
    """The model stands in the path alone."""
    contents: list[dict[str, Any]] = [{"parts": [{"text": prose("the house", 2000)}, {"text": "hi"}], "role": "user"}]
    if is_second:
        contents.append({"parts": [{"functionCall": {"name": "tool0", "args": {"path": "a"}}}], "role": "model"})
        response = {"name": "tool0", "response": {"output": "two lines\nof it"}}
        contents.append({"parts": [{"functionResponse": response}], "role": "user"})
    body = {
        "contents": contents,
        "systemInstruction": {"parts": [{"text": prose("rules", 12_000)}], "role": "user"},
        "tools": [
            {"functionDeclarations": [
                {"name": f"tool{number}", "description": prose(f"tool {number}", 900),
                 "parametersJsonSchema": _schema(number)}
                for number in range(12)
            ]}
        ],
        "generationConfig": {
            "temperature": 1, "topP": 0.95, "topK": 64,
            "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 8192},
        },
    }  # fmt: skip
    fields = {
        "User-Agent": "GeminiCLI-tui/0.61.0/gemini-2.5-flash (linux; x64; terminal)",
        "x-goog-api-client": "google-genai-sdk/1.30.0 gl-node/v20.20.2",
        "Content-Type": "application/json",
        "x-goog-api-key": TOKEN,
        "sec-fetch-mode": "cors",
        "accept-encoding": "gzip, deflate",
    }
    path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    return Turn("Gemini CLI", path, fields, _compact(body), "gemini-2.5-flash")


TURNS = {
    "Claude Code": claude_code(),
    "Claude Code, after a tool call": claude_code(is_second=True),
    "Claude Code, after a break": claude_code(is_stream=False),
    "Codex": codex(),
    "Codex, after a tool call": codex(is_second=True),
    "Codex, packed": codex(is_packed=True),
    "Gemini CLI": gemini_cli(),
    "Gemini CLI, after a tool call": gemini_cli(is_second=True),
}
