"""Streams of answers as upstreams send them, cut into events, and what each says. Written by hand, short."""

from __future__ import annotations

from typing import NamedTuple

from app.wire.dialects.observers import Observer

PATHS = {
    "openai": "/v1/chat/completions",
    "responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/m:streamGenerateContent",
}
"""Where each dialect asks for a stream."""


def facts(seen: Observer) -> tuple[object, ...]:
    """All that an observer tells, to compare."""
    return (seen.is_useful, seen.is_ended, seen.stopped_by_itself, seen.is_malformed, seen.error, seen.is_empty)


class Stream(NamedTuple):
    """The events of one answer, and after how many of them what is known; 0 for never."""

    dialect: str
    events: list[str]
    useful: int
    ended: int
    stopped: bool = False
    """It says at its end that it stopped by itself. Told where nothing useful came."""


def chunk(inside: str, finish: str = "null") -> str:
    head = 'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m"'
    return f'{head},"choices":[{{"index":0,"delta":{{{inside}}},"finish_reason":{finish}}}]}}'


def named(name: str, rest: str = "") -> str:
    return f'event: {name}\ndata: {{"type":"{name}"{rest}}}'


def numbered(number: int, name: str, rest: str = "") -> str:
    return named(name, f',"sequence_number":{number}{rest}')


def candidate(parts: str, rest: str = "") -> str:
    return f'data: {{"candidates":[{{"content":{{"parts":[{parts}],"role":"model"}}{rest}}}],"modelVersion":"m"}}'


DONE = "data: [DONE]"
USAGE = 'data: {"id":"c1","object":"chat.completion.chunk","choices":[],"usage":{"total_tokens":3}}'
ROLE = chunk('"role":"assistant","content":"","refusal":null')
RESPONSE = ',"response":{"id":"resp_1","object":"response","status":"%s","error":%s,"output":[%s]}'
IN_PROGRESS = RESPONSE % ("in_progress", "null", "")
MESSAGE_START = named("message_start", ',"message":{"id":"m","type":"message","content":[],"stop_reason":null}')
TEXT_BLOCK = named("content_block_start", ',"index":0,"content_block":{"type":"text","text":""}')
END_TURN = named("message_delta", ',"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}')

STREAMS: dict[str, Stream] = {
    "openai: text": Stream("openai", [ROLE, chunk('"content":"a"'), chunk("", '"stop"'), USAGE, DONE], 2, 3, True),
    "openai: comments first": Stream("openai", [": PROCESSING", ": PROCESSING", ROLE, chunk('"content":"a"')], 4, 0),
    "openai: text with the role": Stream("openai", [chunk('"role":"assistant","content":"a"'), DONE], 1, 2),
    "openai: a tool call": Stream(
        "openai",
        [ROLE, chunk('"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":""}}]'),
         chunk("", '"tool_calls"'), DONE], 2, 3,
    ),
    "openai: a refusal": Stream("openai", [ROLE, chunk('"refusal":"no"'), chunk("", '"stop"')], 2, 3, True),
    "openai: reasoning": Stream("openai", [ROLE, chunk('"content":null,"reasoning_content":"h"'), DONE], 2, 3),
    "openai: reasoning, OpenRouter's": Stream("openai", [ROLE, chunk('"content":"","reasoning":"h"')], 2, 0),
    "openai: a limit": Stream("openai", [ROLE, chunk('"content":"a"'), chunk("", '"length"'), DONE], 2, 3),
    "openai: nothing": Stream("openai", [ROLE, chunk("", '"stop"'), DONE], 0, 2, True),
    "openai: filter results first": Stream(
        "openai", ['data: {"id":"","object":"","choices":[],"prompt_filter_results":[]}', ROLE, chunk('"content":"a"')],
        3, 0,
    ),
    "openai: completions": Stream(
        "openai",
        ['data: {"object":"text_completion","choices":[{"text":"","finish_reason":null}]}',
         'data: {"object":"text_completion","choices":[{"text":"a","finish_reason":null}]}',
         'data: {"object":"text_completion","choices":[{"text":"","finish_reason": "stop"}]}'], 2, 3, True,
    ),
    "openai: a transcription": Stream(
        "openai",
        ['data: {"type":"transcript.text.delta","delta":"a"}', 'data: {"type":"transcript.text.done","text":"a"}'],
        1, 2, True,
    ),
    "openai: an image": Stream(
        "openai",
        [named("image_generation.partial_image", ',"b64_json":"AA"'), named("image_generation.completed")], 1, 2, True,
    ),
    "openai: done is enough": Stream("openai", [chunk('"content":"a"'), DONE], 1, 2),
    "openai: text that speaks of ends": Stream(
        "openai", [chunk('"content":"\\"finish_reason\\":\\"stop\\" error"')], 1, 0
    ),
    "responses: text": Stream(
        "responses",
        [numbered(0, "response.created", IN_PROGRESS), numbered(1, "response.in_progress", IN_PROGRESS),
         numbered(2, "response.output_item.added", ',"item":{"type":"message","content":[]}'),
         numbered(3, "response.content_part.added", ',"part":{"type":"output_text","text":"","annotations":[]}'),
         numbered(4, "response.output_text.delta", ',"delta":"a"'),
         numbered(5, "response.output_text.done", ',"text":"a"'),
         numbered(6, "response.completed", RESPONSE % ("completed", "null", ""))], 5, 7, True,
    ),
    "responses: a tool call": Stream(
        "responses",
        [numbered(0, "response.queued", IN_PROGRESS),
         numbered(1, "response.output_item.added", ',"item":{"type":"function_call","name":"f","arguments":""}')], 2, 0,
    ),
    "responses: a refusal": Stream("responses", [numbered(0, "response.refusal.delta", ',"delta":"n"')], 1, 0),
    "responses: reasoning": Stream(
        "responses",
        [numbered(0, "response.output_item.added", ',"item":{"type":"reasoning","summary":[]}'),
         numbered(1, "response.reasoning_summary_part.added", ',"part":{"type":"summary_text","text":""}'),
         numbered(2, "response.reasoning_summary_text.delta", ',"delta":"h"')], 3, 0,
    ),
    "responses: a search": Stream("responses", [numbered(0, "response.web_search_call.in_progress")], 1, 0),
    "responses: Codex's own metadata": Stream("responses", [named("codex.rate_limits"), named("keepalive")], 0, 0),
    "responses: nothing": Stream(
        "responses",
        [numbered(0, "response.created", IN_PROGRESS),
         numbered(1, "response.completed", RESPONSE % ("completed", "null", ""))], 0, 2, True,
    ),
    "responses: all at its end": Stream(
        "responses",
        [numbered(0, "response.created", IN_PROGRESS), numbered(
            1, "response.completed",
            RESPONSE % ("completed", "null", '{"type":"message","content":[{"type":"output_text","text":"a"}]}'))],
        2, 2, True,
    ),
    "responses: a limit": Stream(
        "responses",
        [numbered(0, "response.output_text.delta", ',"delta":"a"'),
         numbered(1, "response.incomplete", RESPONSE % ("incomplete", "null", ""))], 1, 2,
    ),
    "anthropic: text": Stream(
        "anthropic",
        [MESSAGE_START, named("ping"), TEXT_BLOCK,
         named("content_block_delta", ',"index":0,"delta":{"type":"text_delta","text":"a"}'),
         named("content_block_stop", ',"index":0'), END_TURN, named("message_stop")], 4, 7, True,
    ),
    "anthropic: an empty delta": Stream(
        "anthropic", [TEXT_BLOCK, named("content_block_delta", ',"delta":{"type":"text_delta","text":""}')], 0, 0
    ),
    "anthropic: a tool call": Stream(
        "anthropic",
        [MESSAGE_START,
         named("content_block_start", ',"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}')], 2, 0,
    ),
    "anthropic: thinking": Stream(
        "anthropic",
        [MESSAGE_START,
         named("content_block_start", ',"content_block":{"type":"thinking","thinking":"","signature":""}'),
         named("content_block_delta", ',"delta":{"type":"thinking_delta","thinking":"h"}')], 3, 0,
    ),
    "anthropic: thinking that is hidden": Stream(
        "anthropic", [named("content_block_start", ',"content_block":{"type":"redacted_thinking","data":"x"}')], 1, 0
    ),
    "anthropic: a refusal": Stream(
        "anthropic",
        [MESSAGE_START, named("message_delta", ',"delta":{"stop_reason":"refusal"}'), named("message_stop")], 2, 3,
    ),
    "anthropic: nothing": Stream("anthropic", [MESSAGE_START, END_TURN, named("message_stop")], 0, 3, True),
    "anthropic: done is no end": Stream("anthropic", [TEXT_BLOCK, END_TURN, DONE], 0, 0, True),
    "gemini: text": Stream(
        "gemini",
        [candidate('{"text":""}'), candidate('{"text":"a"}'), candidate('{"text":""}', ',"finishReason":"STOP"')],
        2, 3, True,
    ),
    "gemini: all at once": Stream("gemini", [candidate('{"text":"a"}', ',"finishReason":"MAX_TOKENS"')], 1, 1),
    "gemini: a tool call": Stream("gemini", [candidate('{"functionCall":{"name":"f","args":{}}}')], 1, 0),
    "gemini: a thought": Stream("gemini", [candidate('{"text":"h","thought":true}')], 1, 0),
    "gemini: a signature": Stream("gemini", [candidate('{"text":"","thoughtSignature":"x"}')], 0, 0),
    "gemini: kept back": Stream("gemini", ['data: {"candidates":[{"finishReason":"SAFETY"}]}'], 1, 1),
    "gemini: a prompt that is blocked": Stream("gemini", ['data: {"promptFeedback":{"blockReason":"OTHER"}}'], 1, 1),
    "gemini: nothing": Stream("gemini", ['data: {"candidates":[{"finishReason": "STOP"}]}'], 0, 1, True),
}  # fmt: skip

ERRORS: dict[str, tuple[str, str]] = {
    "openai: an error": ("openai", 'data: {"error":{"message":"m","type":"server_error","code":null}}'),
    "openai: with a name": ("openai", 'event: error\ndata: {"message":"m"}'),
    "openai: with a name, close": ("openai", 'event:error\ndata:{"message":"m"}'),
    "openai: beside a chunk": ("openai", 'data: {"id":"g","error":{"code":502,"message":"m"},"choices":[]}'),
    "openai: in words": ("openai", "event: error\ndata: upstream is gone"),
    "responses: an error": ("responses", numbered(3, "error", ',"code":"server_error","message":"m","param":null')),
    "responses: it failed": (
        "responses", numbered(3, "response.failed", RESPONSE % ("failed", '{"code":"server_error","message":"m"}', "")),
    ),
    "anthropic: overloaded": (
        "anthropic", named("error", ',"error":{"type":"overloaded_error","message":"Overloaded"}'),
    ),
    "anthropic: without a name": ("anthropic", 'data: {"type":"Error","error":{"type":"api_error","message":"m"}}'),
    "gemini: an error": ("gemini", 'data: {"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}'),
}  # fmt: skip
"""Events that say an error, wherever they stand in a stream."""
