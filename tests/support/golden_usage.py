"""Answers of each dialect with the usage that they tell, in bytes written for these tests, and what is read of them.

Of a stream it is also told what is known after each event, if its client leaves there.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from app.core.usage import ABSENT, ESTIMATED, REPORTED, Usage

ASKED_BYTES = 100
"""How much text each request holds: 25 tokens."""
CHAT = "/v1/chat/completions"
GEMINI = "/v1beta/models/m:generateContent"
GEMINI_STREAM = "/v1beta/models/m:streamGenerateContent"


class Golden(NamedTuple):
    """An answer."""

    path: str
    events: list[str]
    """The data of each event, with its name where it has one; of a whole answer its one body."""
    used: Usage
    after: list[Usage] = []  # noqa: RUF012 - of a NamedTuple
    """What is known after each event but the last; empty for a whole answer."""
    kind: str = "text/event-stream"


def told(input: int, output: int, *, source: str = REPORTED, **more: Any) -> Usage:
    """Usage; what is left out is 0, and for `reasoning` None."""
    other = more.pop("other", {})
    counts = {"cached": 0, "cache_write_5m": 0, "cache_write_1h": 0, "reasoning": None} | more
    return Usage(input=input, output=output, source=source, other=other, **counts)


def guessed(input: int, output: int, **more: Any) -> Usage:
    """Usage of which at least a part is estimated."""
    return told(input, output, source=ESTIMATED, **more)


def chunk(delta: str, finish: str = "null", more: str = ',"usage":null') -> str:
    """Of OpenAI's chat, as it comes where usage was asked for."""
    choice = f'{{"index":0,"delta":{{{delta}}},"logprobs":null,"finish_reason":{finish}}}'
    begin = '"id":"c-1","object":"chat.completion.chunk","model":"m","service_tier":"default"'
    return f'{{{begin},"choices":[{choice}]{more}}}'


def named(name: str, rest: str = "") -> str:
    return f'event: {name}\ndata: {{"type":"{name}"{rest}}}'


def whole(path: str, body: dict[str, Any], used: Usage) -> Golden:
    return Golden(path, [json.dumps(body)], used, kind="application/json")


def _chat(usage: dict[str, Any] | None, text: str = "Twelve bytes", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {
        "id": "c-1",
        "object": "chat.completion",
        "choices": [choice],
        **({"usage": usage} if usage else {}),
        **more,
    }


_SPOKEN = chunk('"content":"Good morning"')
_STOP = chunk("", '"stop"')
_TIER = {"service_tier": "default"}
_EXTRA = '{"id":"c-1","object":"chat.completion.chunk","service_tier":"default","choices":[],"usage":%s}'
_OPENAI_USAGE = (
    '{"prompt_tokens":90,"completion_tokens":40,"total_tokens":130,"prompt_tokens_details":{"cached_tokens":64,'
    '"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":30,"audio_tokens":0}}'
)
_GROWING = ',"usage":{"prompt_tokens":8,"total_tokens":%d,"completion_tokens":%d}'

OPENAI: dict[str, Golden] = {
    "chat": whole(CHAT, _chat(json.loads(_OPENAI_USAGE), **_TIER), told(26, 10, cached=64, reasoning=30, other=_TIER)),
    "chat without details": whole(CHAT, _chat({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}),
     told(9, 4)),
    "chat without usage": whole(CHAT, _chat(None, "Twelve bytes, then four"), guessed(25, 6)),
    "chat that says nothing and tells nothing": whole(CHAT, _chat(None, ""), ABSENT),
    "zeros are zeros": whole(CHAT, _chat({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}), told(0, 0)),
    "never below zero": whole(
        CHAT,
        _chat({"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8,
         "prompt_tokens_details": {"cached_tokens": 7},
               "completion_tokens_details": {"reasoning_tokens": 9}}),
        told(0, 0, cached=7, reasoning=9),
    ),
    "a stream": Golden(
        CHAT, [chunk('"role":"assistant","content":""'), _SPOKEN, _STOP, _EXTRA % _OPENAI_USAGE, "[DONE]"],
        told(26, 10, cached=64, reasoning=30, other=_TIER),
        [ABSENT, guessed(25, 3), guessed(25, 3), told(26, 10, cached=64, reasoning=30, other=_TIER)],
    ),
    "a stream that was not asked for usage": Golden(
        CHAT,
        [chunk('"role":"assistant","content":""', more=""), chunk('"content":"Good"', more=""),
         chunk('"content":" morning \\"all\\""', more=""), chunk("", '"stop"', ""), "[DONE]"],
        guessed(25, 5), [ABSENT, guessed(25, 1), guessed(25, 5), guessed(25, 5)],
    ),
    "a stream of a tool call": Golden(
        CHAT,
        [chunk('"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":""}}]', more=""),
         chunk('"tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\": 1}"}}]', more=""),
         chunk("", '"tool_calls"', "")],
        guessed(25, 2), [ABSENT, guessed(25, 2)],
    ),
    "Chinese, as it is and escaped": Golden(
        CHAT, [chunk('"content":"你好世界"', more=""), chunk('"content":"\\u4f60\\u597d"', more=""), "[DONE]"],
        guessed(25, 5), [guessed(25, 3), guessed(25, 5)],
    ),
    "Google, whose total alone tells of the reasoning": whole(
        "/v1beta/openai/chat/completions",
        _chat({"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623}), told(20, 198, reasoning=405),
    ),
    "a total that nobody explains": whole(
        CHAT, _chat({"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623}), told(20, 198)
    ),
    "DeepSeek": whole(
        CHAT,
        _chat({"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70, "prompt_cache_hit_tokens": 32,
               "prompt_cache_miss_tokens": 18, "completion_tokens_details": {"reasoning_tokens": 12}}),
        told(18, 8, cached=32, reasoning=12),
    ),
    "xAI, whose reasoning stands beside": whole(
        CHAT,
        _chat({"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 335,
               "prompt_tokens_details": {"text_tokens": 30, "cached_tokens": 10, "image_tokens": 0},
               "completion_tokens_details": {"reasoning_tokens": 300}, "num_sources_used": 0}),
        told(20, 5, cached=10, reasoning=300),
    ),
    "OpenRouter": Golden(
        CHAT,
        [chunk('"content":"","reasoning":"Think"', more=""), chunk('"content":"Yes"', more=""),
         chunk('"content":""', '"stop"',
               ',"usage":{"prompt_tokens":200,"completion_tokens":60,"total_tokens":260,"cost":0.00125,"is_byok":false,'
               '"prompt_tokens_details":{"cached_tokens":100,"cache_write_tokens":80,"audio_tokens":0},'
               '"completion_tokens_details":{"reasoning_tokens":40},"server_tool_use":{"web_search_requests":2}}'),
         "[DONE]"],
        told(20, 20, cached=100, cache_write_5m=80, reasoning=40,
             other={"provider_cost_usd": 0.00125, "web_search_requests": 2, **_TIER}),
        [guessed(25, 2), guessed(25, 2),
         told(20, 20, cached=100, cache_write_5m=80, reasoning=40,
              other={"provider_cost_usd": 0.00125, "web_search_requests": 2, **_TIER})],
    ),
    "Moonshot": Golden(
        CHAT,
        [chunk('"content":"Hello"', more=""),
         '{"id":"c-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":'
         '{"prompt_tokens":19,"completion_tokens":6,"total_tokens":25,"cached_tokens":4}}]}', "[DONE]"],
        told(15, 6, cached=4), [guessed(25, 2), told(15, 6, cached=4)],
    ),
    "vLLM, usage in every chunk": Golden(
        CHAT,
        [chunk('"role":"assistant","content":""', more=_GROWING % (8, 0)), chunk('"content":"One"',
         more=_GROWING % (9, 1)),
         chunk('"content":" two"', more=_GROWING % (10, 2)), chunk('"content":" three"', more=""), _STOP,
         _EXTRA % '{"prompt_tokens":8,"total_tokens":11,"completion_tokens":3}', "[DONE]"],
        told(8, 3, other=_TIER),
        [told(8, 0, other=_TIER), told(8, 1, other=_TIER), told(8, 2, other=_TIER), guessed(8, 4, other=_TIER),
         guessed(8, 4, other=_TIER), told(8, 3, other=_TIER)],
    ),
    "Azure": Golden(
        "/openai/deployments/d/chat/completions",
        ['{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}',
         _SPOKEN,
         chunk("", '"stop"', ',"content_filter_results":{}'), _EXTRA % '{"prompt_tokens":7,"completion_tokens":2}',
          "[DONE]"],
        told(7, 2, other=_TIER), [ABSENT, guessed(25, 3), guessed(25, 3), told(7, 2, other=_TIER)],
    ),
    "Groq": Golden(
        "/openai/v1/chat/completions",
        [chunk('"content":"Hi"', more=',"x_groq":{"id":"r"}'),
         chunk("", '"stop"',
          ',"x_groq":{"id":"r","usage":{"queue_time":0.1,"prompt_tokens":11,"completion_tokens":3}}'),
         "[DONE]"],
        told(11, 3, other=_TIER), [guessed(25, 1), told(11, 3, other=_TIER)],
    ),
    "completions": Golden(
        "/v1/completions",
        ['{"object":"text_completion","choices":[{"text":"Once upon","finish_reason":null}],"usage":null}',
         '{"object":"text_completion","choices":[{"text":" a time","finish_reason":"stop"}],"usage":null}',
         '{"object":"text_completion","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8}}',
         "[DONE]"],
        told(3, 5), [guessed(25, 3), guessed(25, 4), told(3, 5)],
    ),
    "embeddings": whole(
        "/v1/embeddings",
        {"object": "list", "data": [{"index": 0, "embedding": [0.5, -0.25]}], "usage": {"prompt_tokens": 6,
         "total_tokens": 6}},
        told(6, 0),
    ),
    "embeddings that tell their total": whole(
        "/v1/embeddings", {"data": [{"embedding": [0.5]}], "usage": {"total_tokens": 17}}, told(17, 0)
    ),
    "embeddings without usage": whole("/v1/embeddings", {"data": [{"embedding": [0.5]}]}, ABSENT),
    "images": whole(
        "/v1/images/generations",
        {"created": 1, "data": [{"b64_json": "iVBORw0KGgo"}],
         "usage": {"total_tokens": 1120, "input_tokens": 70, "output_tokens": 1050,
                   "input_tokens_details": {"text_tokens": 20, "image_tokens": 50},
                    "output_tokens_details": {"image_tokens": 1050}}},
        told(70, 1050, other={"image_input": 50, "image_output": 1050}),
    ),
    "images without usage": whole("/v1/images/generations", {"created": 1, "data": [{"url": "https://x.example/1"}]},
     ABSENT),
    "a stream of images": Golden(
        "/v1/images/generations",
        [named("image_generation.partial_image", ',"partial_image_index":0,"b64_json":"iVBORw0"'),
         named("image_generation.completed",
               ',"b64_json":"iVBORw0KGgo","usage":{"total_tokens":100,"input_tokens":10,"output_tokens":90,'
               '"input_tokens_details":{"text_tokens":10,"image_tokens":0}}')],
        told(10, 90), [ABSENT],
    ),
    "a transcription": whole(
        "/v1/audio/transcriptions",
        {"text": "Imagine", "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 4, "total_tokens": 18,
                                      "input_token_details": {"text_tokens": 2, "audio_tokens": 12}}},
        told(14, 4, other={"audio_input": 12}),
    ),
    "a transcription by its length": whole(
        "/v1/audio/transcriptions", {"text": "Imagine", "usage": {"type": "duration", "seconds": 9}},
        told(0, 0, other={"seconds": 9}),
    ),
    "a stream of a transcription": Golden(
        "/v1/audio/transcriptions",
        ['{"type":"transcript.text.delta","delta":"Imagine"}',
         '{"type":"transcript.text.done","text":"Imagine","usage":{"type":"tokens","input_tokens":14,"output_tokens":4,'
         '"total_tokens":18,"input_token_details":{"audio_tokens":14}}}'],
        told(14, 4, other={"audio_input": 14}), [guessed(25, 2)],
    ),
    "a stream of speech": Golden(
        "/v1/audio/speech",
        ['{"type":"speech.audio.delta","audio":"//NExAA"}',
         '{"type":"speech.audio.done","usage":{"input_tokens":12,"output_tokens":200,"total_tokens":212}}'],
        told(12, 200), [ABSENT],
    ),
    "audio in a chat": whole(
        CHAT,
        _chat({"prompt_tokens": 40, "completion_tokens": 60, "total_tokens": 100,
         "prompt_tokens_details": {"audio_tokens": 30},
               "completion_tokens_details": {"audio_tokens": 50, "reasoning_tokens": 0}}),
        told(40, 60, reasoning=0, other={"audio_input": 30, "audio_output": 50}),
    ),
}  # fmt: skip

_RESPONSE = (
    ',"response":{"id":"resp_1","object":"response","status":"%s","tools":[{"type":"function","name":"f","parameters":'
    '{"properties":{"usage": {"type":"string"}}}}],"output":[],"service_tier":"flex","usage":%s}'
)
_RESPONSE_USAGE = (
    '{"input_tokens":120,"input_tokens_details":{"cached_tokens":20,"cache_write_tokens":30},"output_tokens":50,'
    '"output_tokens_details":{"reasoning_tokens":44},"total_tokens":170}'
)
_RESPONSE_TOLD = told(70, 6, cached=20, cache_write_5m=30, reasoning=44, other={"service_tier": "flex"})

RESPONSES: dict[str, Golden] = {
    "responses": whole(
        "/v1/responses",
        {"id": "resp_1", "status": "completed", "output": [{"type": "message", "content": [{"type": "output_text",
         "text": "Hi"}]}],
         "usage": json.loads(_RESPONSE_USAGE), "tool_usage": {"web_search": {"num_requests": 3}}},
        told(70, 6, cached=20, cache_write_5m=30, reasoning=44, other={"web_search_requests": 3}),
    ),
    "responses without usage": whole(
        "/v1/responses",
        {"id": "resp_1", "output": [{"type": "message", "content": [{"type": "output_text", "text": "Good morning"}]}]},
        guessed(25, 3),
    ),
    "a stream of a response": Golden(
        "/v1/responses",
        [named("response.created", _RESPONSE % ("in_progress", "null")),
         named("response.in_progress", _RESPONSE % ("in_progress", "null")),
         named("response.reasoning_summary_text.delta", ',"sequence_number":3,"delta":"Think"'),
         named("response.output_text.delta", ',"sequence_number":4,"delta":"Good morning"'),
         named("response.output_text.done", ',"sequence_number":5,"text":"Good morning"'),
         named("response.completed", _RESPONSE % ("completed", _RESPONSE_USAGE))],
        _RESPONSE_TOLD, [ABSENT, ABSENT, guessed(25, 2), guessed(25, 5), guessed(25, 5)],
    ),
    "a response that was cut short by its limit": Golden(
        "/v1/responses",
        [named("response.output_text.delta", ',"delta":"Good"'),
         named("response.incomplete", _RESPONSE % ("incomplete", _RESPONSE_USAGE))],
        _RESPONSE_TOLD, [guessed(25, 1)],
    ),
}  # fmt: skip

_ANTHROPIC_BEGIN = (
    ',"message":{"id":"msg_1","type":"message","role":"assistant","content":[],"stop_reason":null,'
    '"usage":{"input_tokens":10,"cache_creation_input_tokens":300,"cache_read_input_tokens":2000,"cache_creation":{'
    '"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":150},"output_tokens":2,"service_tier":"standard"}}'
)
_STANDARD = {"service_tier": "standard"}
_WRITES = {"cached": 2000, "cache_write_5m": 150, "cache_write_1h": 150, "other": _STANDARD}
_SEARCHED = {"web_search_requests": 2, **_STANDARD}
_SAYS = named("content_block_delta", ',"index":0,"delta":{"type":"text_delta","text":"Good morning"}')
_THINKS = named("content_block_delta", ',"index":0,"delta":{"type":"thinking_delta","thinking":"Let me see"}')
_TEXT = named("content_block_start", ',"index":0,"content_block":{"type":"text","text":""}')

ANTHROPIC: dict[str, Golden] = {
    "a message": whole(
        "/v1/messages",
        {"id": "msg_1", "type": "message", "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn",
         "usage": {"input_tokens": 4, "cache_creation_input_tokens": 70, "cache_read_input_tokens": 0,
          "output_tokens": 9,
                   "service_tier": "priority"}},
        told(4, 9, cache_write_5m=70, other={"service_tier": "priority"}),
    ),
    "a message in fast mode": whole(
        "/v1/messages",
        {"type": "message", "content": [{"type": "text", "text": "Hi"}],
         "usage": {"input_tokens": 4, "output_tokens": 9, "service_tier": "standard", "speed": "fast"}},
        told(4, 9, other={"service_tier": "fast"}),
    ),
    "a message of a conversation that was made shorter": whole(
        "/v1/messages",
        {"type": "message", "content": [{"type": "text", "text": "Hi"}],
         "usage": {"input_tokens": 23, "output_tokens": 10, "iterations": [
             {"type": "compaction", "input_tokens": 180, "output_tokens": 35, "cache_creation_input_tokens": 5},
             {"type": "message", "input_tokens": 23, "output_tokens": 10}]}},
        told(203, 45, cache_write_5m=5),
    ),
    "a message without usage": whole(
        "/v1/messages", {"type": "message", "content": [{"type": "text", "text": "Good morning"}]}, guessed(25, 3)
    ),
    "a stream of a message": Golden(
        "/v1/messages",
        [named("message_start", _ANTHROPIC_BEGIN), _TEXT, named("ping"), _THINKS, _SAYS, named("content_block_stop",
         ',"index":0'),
         named("message_delta",
               ',"delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":0,"cache_creation_input_tokens":0,'
               '"cache_read_input_tokens":0,"output_tokens":80,"output_tokens_details":{"thinking_tokens":60},'
               '"server_tool_use":{"web_search_requests":2}}'), named("message_stop")],
        told(10, 20, reasoning=60, **_WRITES | {"other": _SEARCHED}),
        [guessed(10, 2, **_WRITES), guessed(10, 2, **_WRITES), guessed(10, 2, **_WRITES), guessed(10, 3, **_WRITES),
         guessed(10, 6, **_WRITES), guessed(10, 6, **_WRITES), told(10, 20, reasoning=60,
          **_WRITES | {"other": _SEARCHED})],
    ),
    "later values win, missing ones erase nothing": Golden(
        "/v1/messages",
        [named("message_start", ',"message":{"content":[],"usage":{"input_tokens":0,"output_tokens":0}}'), _SAYS,
         named("message_delta",
          ',"delta":{},"usage":{"input_tokens":33,"cache_read_input_tokens":5,"output_tokens":3}'),
         named("message_delta", ',"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}'),
          named("message_stop")],
        told(33, 7, cached=5), [guessed(0, 0), guessed(0, 3), told(33, 3, cached=5), told(33, 7, cached=5)],
    ),
    "a tool call": Golden(
        "/v1/messages",
        [named("message_start", ',"message":{"content":[],"usage":{"input_tokens":5,"output_tokens":1}}'),
         named("content_block_start", ',"index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}'),
         named("content_block_delta",
          ',"index":0,"delta":{"type":"input_json_delta","partial_json":"{\\"path\\": \\"a\\"}"}'),
         named("message_delta", ',"delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":21}'),
          named("message_stop")],
        told(5, 21), [guessed(5, 1), guessed(5, 1), guessed(5, 4), told(5, 21)],
    ),
}  # fmt: skip


def _candidate(text: str, usage: str, finish: str = "") -> str:
    end = f',"finishReason":"{finish}"' if finish else ""
    return (
        f'{{"candidates": [{{"content": {{"parts": [{{"text": "{text}"}}],"role": "model"}}{end}}}],'
        f'"usageMetadata": {{{usage}}},"modelVersion": "m"}}'
    )


_GEMINI_EVENTS = [
    _candidate("Good", '"promptTokenCount": 40,"totalTokenCount": 40'),
    _candidate(" morning", '"promptTokenCount": 40,"candidatesTokenCount": 3,"totalTokenCount": 43'),
    _candidate(
        "",
        '"promptTokenCount": 40,"cachedContentTokenCount": 16,"candidatesTokenCount": 4,"thoughtsTokenCount": 100,'
        '"totalTokenCount": 144,'
        '"promptTokensDetails": [{"modality": "TEXT","tokenCount": 30},{"modality": "IMAGE","tokenCount": 10}]',
        "STOP",
    ),
]
_GEMINI_TOLD = told(24, 4, cached=16, reasoning=100, other={"image_input": 10})
_GEMINI_AFTER = [guessed(40, 1), told(40, 3)]

GEMINIS: dict[str, Golden] = {
    "a stream of Gemini": Golden(GEMINI_STREAM, _GEMINI_EVENTS, _GEMINI_TOLD, _GEMINI_AFTER),
    "an array of Gemini": Golden(GEMINI_STREAM, _GEMINI_EVENTS, _GEMINI_TOLD, _GEMINI_AFTER, "application/json"),
    "Gemini": Golden(GEMINI, [_GEMINI_EVENTS[-1]], _GEMINI_TOLD, kind="application/json; charset=UTF-8"),
    "Gemini without usage": whole(
        GEMINI, {"candidates": [{"content": {"parts": [{"text": "Good morning"}]}, "finishReason": "STOP"}]},
         guessed(25, 3)
    ),
    "Gemini, thoughts inside": Golden(
        GEMINI,
        [_candidate("Hi",
         '"promptTokenCount": 7,"candidatesTokenCount": 50,"thoughtsTokenCount": 40,"totalTokenCount": 57', "STOP")],
        told(7, 10, reasoning=40), kind="application/json",
    ),
    "Gemini, what tools put into the prompt": Golden(
        GEMINI,
        [_candidate("Hi",
         '"promptTokenCount": 7,"candidatesTokenCount": 5,"toolUsePromptTokenCount": 90,"thoughtsTokenCount": 8,'
                          '"totalTokenCount": 110,"candidatesTokensDetails": [{"modality": "AUDIO","tokenCount": 2}]',
                           "STOP")],
        told(97, 5, reasoning=8, other={"audio_output": 2}), kind="application/json",
    ),
    "Gemini, a total that tells the output": Golden(
        GEMINI, [_candidate("Hi", '"promptTokenCount": 7,"totalTokenCount": 12', "STOP")], told(7, 5),
         kind="application/json"
    ),
}  # fmt: skip

GOLDEN: dict[str, Golden] = OPENAI | RESPONSES | ANTHROPIC | GEMINIS


def is_array(golden: Golden) -> bool:
    return golden.path == GEMINI_STREAM and golden.kind == "application/json"


def is_stream(golden: Golden) -> bool:
    return golden.kind == "text/event-stream" or is_array(golden)


def pieces_of(golden: Golden, newline: str = "\n") -> list[bytes]:
    """The bytes of each event, or of the one body."""
    if is_array(golden):
        count = len(golden.events)
        return [
            (("[" if place == 0 else ",\r\n") + event + ("]" if place == count - 1 else "")).encode()
            for place, event in enumerate(golden.events)
        ]
    if not is_stream(golden):
        return [golden.events[0].encode()]
    written = [event if event.startswith("event:") else f"data: {event}" for event in golden.events]
    return [(event + "\n\n").replace("\n", newline).encode() for event in written]
