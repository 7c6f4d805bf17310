"""What counts in a request, and how the answer is worded, in each dialect."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.counting.answers import answer
from app.wire.counting.text import CLAUDE_2, estimate_text_tokens, text_tokens
from tests.support.counted_texts import ENGLISH, JAPANESE
from tests.support.image_heads import jpeg, png, segment
from tests.support.steps import drained

WEATHER = {
    "name": "get_weather",
    "description": "Get the current weather in a given location",
    "input_schema": {
        "type": "object",
        "properties": {
            "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
        },
        "required": ["location"],
    },
}
SCIENTIST = {"system": "You are a scientist", "messages": [{"role": "user", "content": "Hello, Claude"}]}
WITH_TOOL = {"tools": [WEATHER], "messages": [{"role": "user", "content": "What's the weather like in San Francisco?"}]}
PROOF = {
    "messages": [
        {"role": "user", "content": "Are there an infinite number of prime numbers such that n mod 4 == 3?"},
        {
            "role": "assistant",
            "content": [
                {
                    "type": "thinking",
                    "thinking": "This is a nice number theory question. Let's think about it step by step...",
                    "signature": "EuYBCkQYAiJAgCs1le6/Pol5Z4/JMomVOouGrWdhYNsH3ukzUECbB6iWrSQtsQuRHJID6lWV...",
                },
                {"type": "text", "text": "Yes, there are infinitely many prime numbers p such that p mod 4 = 3..."},
            ],
        },
        {"role": "user", "content": "Can you write a formal proof?"},
    ]
}


def said(body: Any, dialect: str = "anthropic", model: str = "claude-sonnet-4-5") -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return json.loads(drained(answer(data, dialect, model))[0])


def tokens(body: Any, dialect: str = "anthropic", model: str = "claude-sonnet-4-5") -> int:
    told = said(body, dialect, model)
    return int(told["totalTokens"] if dialect == "gemini" else told["input_tokens"])


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def image(data: bytes, kind: str = "image/jpeg") -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": in_base64(data)}}


def asking(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


# --- Anthropic ---


@pytest.mark.parametrize("model", ["claude-opus-4-20250514", "claude-sonnet-4-5", "claude-opus-5", "m"])
@pytest.mark.parametrize(("body", "published"), [(SCIENTIST, 14), (WITH_TOOL, 403)])
def test_anthropics_examples_are_counted_to_within_a_tenth(model: str, body: Any, published: int) -> None:
    """Those of its guide to token counting, for the models that it has named in them over time."""
    assert abs(tokens(body, model=model) / published - 1) <= 0.1


def test_anthropics_example_with_an_image_is_counted_to_within_a_tenth() -> None:
    """A photo beyond what these models see at once, so that only its shape counts: 1,551 tokens with the question."""
    asked = asking(image(jpeg(2400, 1920, 0xC2) + b"\x00" * 90_000), {"type": "text", "text": "Describe this image"})
    assert abs(tokens(asked) / 1551 - 1) <= 0.1


def test_anthropics_example_with_thinking_is_counted_to_within_a_tenth() -> None:
    """88 tokens: thoughts count, their signature does not."""
    assert abs(tokens(PROOF) / 88 - 1) <= 0.1


def test_newer_models_of_anthropic_need_more_tokens() -> None:
    """About 30 % from Claude 4.7 on, as Anthropic says."""
    body = asking({"type": "text", "text": ENGLISH})
    for newer in ("claude-opus-4-7", "claude-opus-5", "anthropic.claude-opus-4-8-v1:0", "claude-fable-5-1"):
        for older in ("claude-sonnet-4-5-20250929", "claude-3-5-sonnet-latest", "claude-opus-4-20250514"):
            assert tokens(body, model=newer) / tokens(body, model=older) == pytest.approx(1.3, abs=0.05)


@pytest.mark.parametrize(
    ("size", "standard", "high"),
    [
        ((200, 200), 64, 64),
        ((1000, 1000), 1296, 1296),
        ((1092, 1092), 1521, 1521),
        ((1920, 1080), 1560, 2691),
        ((3840, 2160), 1560, 4784),
    ],
)
def test_images_cost_claude_what_their_size_says(size: tuple[int, int], standard: int, high: int) -> None:
    """The table of Anthropic's guide to images: patches of 28 pixels, within the bounds of the model."""
    without = asking({"type": "text", "text": "x"})
    for model, expected in (("claude-sonnet-4-5", standard), ("claude-opus-4-7", high)):
        with_image = asking({"type": "text", "text": "x"}, image(png(*size), "image/png"))
        found = tokens(with_image, model=model) - tokens(without, model=model)
        assert found == pytest.approx(expected, rel=0.02)
        assert found <= expected


def test_an_image_may_begin_with_profiles_of_any_kind() -> None:
    """Cameras put a preview and a quarter of a megabyte of notes before the picture."""
    long = jpeg(640, 480, 0xC0, *[segment(0xE2, bytes(65_000))] * 4)
    assert tokens(asking(image(long))) == tokens(asking(image(jpeg(640, 480))))


def test_what_lies_elsewhere_has_a_documented_default() -> None:
    """Images and documents at a URL, by the id of a file, or of a kind that is not read."""
    default = tokens(asking(image(png(1024, 1024), "image/png")))
    for source in ({"type": "url", "url": "https://x.example/a.png"}, {"type": "file", "file_id": "file_1"}):
        assert tokens(asking({"type": "image", "source": source})) == default
        assert tokens(asking({"type": "document", "source": source})) == tokens(asking(pdf(2)))
    assert tokens(asking(image(b"<svg/>", "image/svg+xml"))) == default


def pdf(pages: int) -> dict[str, Any]:
    leaves = b"".join(b"<< /Type /Page /Parent 1 0 R >>\n" + b"% text\n" * 20_000 for _ in range(pages))
    data = b"%PDF-1.7\n<< /Type /Pages /Count 900 >>\n" + leaves
    source = {"type": "base64", "media_type": "application/pdf", "data": in_base64(data)}
    return {"type": "document", "source": source}


def test_documents_are_counted_by_their_pages() -> None:
    """Each as text and as an image: about 2,100 tokens of older models, 2,300 of newer ones."""
    one, three = tokens(asking(pdf(1))), tokens(asking(pdf(3)))
    assert (three - one) / 2 == pytest.approx(2100, rel=0.05)
    assert tokens(asking(pdf(1)), model="claude-opus-5") == pytest.approx(2300, rel=0.05)


def test_a_document_of_text_is_counted_as_its_text() -> None:
    """As one block, as blocks, and beside its title."""
    plain = tokens(asking({"type": "text", "text": ENGLISH}))
    source = {"type": "text", "media_type": "text/plain", "data": ENGLISH}
    assert tokens(asking({"type": "document", "source": source})) == plain
    blocks = {"type": "content", "content": [{"type": "text", "text": ENGLISH}]}
    assert tokens(asking({"type": "document", "source": blocks})) == plain
    assert tokens(asking({"type": "document", "title": "A tale of the sea", "source": source})) > plain


def test_all_that_a_conversation_holds_counts() -> None:
    """System, calls of tools and their results with text and images, search results, blocks that nobody knows yet."""
    base = tokens(asking())
    text = round(1.1 * sum(text_tokens(ENGLISH, CLAUDE_2)))
    result = {"type": "tool_result", "tool_use_id": "t"}
    blocks = [
        {"type": "tool_use", "id": "t", "name": "write", "input": {"path": "a.txt", "text": ENGLISH}},
        result | {"content": ENGLISH},
        result | {"content": [{"type": "text", "text": ENGLISH}]},
        {"type": "search_result", "title": "t", "source": "s", "content": [{"type": "text", "text": ENGLISH}]},
        {"type": "of_tomorrow", "words": ENGLISH},
    ]
    for block in blocks:
        assert text <= tokens(asking(block)) - base <= text + 60, block["type"]
    assert tokens(asking(result | {"content": [image(png(1000, 1000))]})) - base == pytest.approx(1296, abs=40)
    assert tokens(asking() | {"system": [{"type": "text", "text": ENGLISH}]}) - base == pytest.approx(text, abs=2)


def test_what_only_the_provider_reads_does_not_count() -> None:
    """Encrypted thoughts."""
    assert tokens(asking({"type": "redacted_thinking", "data": "QUJD" * 5000})) == tokens(asking())


# --- OpenAI ---


def test_openais_answer_has_its_shape() -> None:
    """As its reference has it, with the count of its example."""
    body = {"model": "gpt-5", "input": "Tell me a joke."}
    assert said(body, "responses", "gpt-5") == {"object": "response.input_tokens", "input_tokens": 11}


def test_items_of_the_responses_api_count() -> None:
    """Messages, instructions, calls, their outputs, reasoning in plain words, files and images."""
    text = estimate_text_tokens(JAPANESE)

    def of(*items: Any, **more: Any) -> int:
        return tokens({"input": list(items)} | more, "responses", "gpt-5.5")

    base = of()
    message = {"role": "user", "content": [{"type": "input_text", "text": JAPANESE}]}
    items = [
        message,
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": JAPANESE}]},
        {"type": "function_call", "name": "f", "call_id": "c", "arguments": JAPANESE},
        {"type": "function_call_output", "call_id": "c", "output": JAPANESE},
        {"type": "custom_tool_call", "name": "f", "call_id": "c", "input": JAPANESE},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": JAPANESE}], "encrypted_content": "A" * 999},
    ]
    for item in items:
        assert text <= of(item) - base <= text + 12, item
    assert text <= of(instructions=JAPANESE) - base <= text + 4
    picture = {"type": "input_image", "image_url": "data:image/png;base64," + in_base64(png(1024, 1024))}
    seen = of({"role": "user", "content": [picture]}) - base
    assert seen == pytest.approx(1229, abs=5)
    assert of({"role": "user", "content": [picture | {"detail": "low"}]}) - base < 100
    remote = {"type": "input_image", "image_url": "https://x.example/a.png"}
    assert of({"role": "user", "content": [remote]}) - base == seen
    file = {
        "type": "input_file",
        "filename": "a.txt",
        "file_data": "data:text/plain;base64," + in_base64(JAPANESE.encode()),
    }
    assert of({"role": "user", "content": [file]}) - base == pytest.approx(text, abs=10)
    tool = {"type": "function", "name": "f", "description": JAPANESE, "parameters": {"type": "object"}}
    assert text <= of(tools=[tool]) - base <= text + 30


# --- Gemini ---


def test_geminis_answer_has_its_shape() -> None:
    """The count of Google's example, and which part of it is what."""
    fox = {"contents": [{"role": "user", "parts": [{"text": "The quick brown fox jumps over the lazy dog."}]}]}
    details = [{"modality": "TEXT", "tokenCount": 10}]
    assert said(fox, "gemini", "gemini-2.0-flash") == {"totalTokens": 10, "promptTokensDetails": details}
    whole = {"generateContentRequest": {"model": "models/g", **fox}}
    assert tokens(whole, "gemini", "gemini-2.0-flash") == 10
    picture = {"inlineData": {"mimeType": "image/png", "data": in_base64(png(100, 100))}}
    told = said({"contents": [{"parts": [picture]}]}, "gemini", "gemini-2.0-flash")
    assert told == {"totalTokens": 258, "promptTokensDetails": [{"modality": "IMAGE", "tokenCount": 258}]}


def test_parts_of_gemini_count() -> None:
    """In either spelling of their names."""
    text = estimate_text_tokens(ENGLISH)

    def of(*parts: Any, **more: Any) -> int:
        return tokens({"contents": [{"parts": list(parts)}]} | more, "gemini", "gemini-2.5-pro")

    assert of({"text": ENGLISH}) == text
    assert text <= of({"functionCall": {"name": "f", "args": {"text": ENGLISH}}}) <= text + 20
    assert text <= of({"function_response": {"name": "f", "response": {"text": ENGLISH}}}) <= text + 25
    assert of(systemInstruction={"parts": [{"text": ENGLISH}]}) == text
    declared = {"name": "f", "description": ENGLISH, "parameters": {"type": "OBJECT"}}
    assert text <= of(tools=[{"functionDeclarations": [declared]}]) <= text + 20
    assert of({"inline_data": {"mime_type": "image/png", "data": in_base64(png(1000, 700))}}) == 2 * 258
    plain = {"inlineData": {"mimeType": "text/plain", "data": in_base64(ENGLISH.encode())}}
    assert of(plain) == pytest.approx(text, abs=2)
    assert of({"fileData": {"fileUri": "gs://x/y.pdf", "mimeType": "application/pdf"}}) == 2 * 258


# --- all ---


@pytest.mark.parametrize(
    ("body", "dialect", "names"),
    [
        ({"model": "m"}, "anthropic", "messages"),
        ({"messages": "hi"}, "anthropic", "messages"),
        ({"input": 5}, "responses", "input"),
        ({}, "gemini", "contents"),
        (b'{"messages": [}', "anthropic", "line 1"),
        (b"x", "gemini", "line 1"),
        ({"messages": [{}] * 200_001}, "anthropic", "more than 200,000"),
        ({"input": [{"role": "user", "content": [0] * 1000}] * 300}, "responses", "more than 200,000"),
    ],
)
def test_what_cannot_be_counted_says_why(body: Any, dialect: str, names: str) -> None:
    """By the name of what is missing."""
    with pytest.raises(ValueError, match=names):
        said(body, dialect)


def test_a_long_request_counts_as_its_parts_do() -> None:
    """Many messages, long texts, a photo of some MB, an input of a tool as long: all in steps, to the same sum."""
    photo = jpeg(1000, 1000) + b"\x55" * 2_000_000
    blocks = [
        {"type": "text", "text": ENGLISH * 400},
        image(photo),
        {"type": "tool_use", "id": "t", "name": "n", "input": {"rows": list(range(60_000))}},
        {"type": "text", "text": JAPANESE * 300},
    ]
    base = tokens(asking())
    apart = sum(tokens(asking(block)) - base for block in blocks)
    assert tokens(asking(*blocks)) - base == pytest.approx(apart, abs=4)
    many = {"messages": [{"role": "user", "content": f"{number}: {ENGLISH}"} for number in range(500)]}
    each = tokens({"messages": [many["messages"][100]]}) - tokens({"messages": []})
    assert tokens(many) == pytest.approx(500 * each, rel=0.02)
    text = tokens(asking({"type": "text", "text": ENGLISH * 400})) - base
    assert text == pytest.approx(400 * 1.1 * sum(text_tokens(ENGLISH, CLAUDE_2)), rel=0.02)


def test_escapes_are_undone_before_they_are_counted() -> None:
    """A long text that is written in ASCII counts as the same text written in UTF-8."""
    body = asking({"type": "text", "text": JAPANESE * 200})
    escaped, plain = (json.dumps(body, ensure_ascii=ascii_only).encode() for ascii_only in (True, False))
    assert len(escaped) > 1.8 * len(plain)
    assert tokens(escaped) == pytest.approx(tokens(plain), rel=0.01)


NAMES = (
    "messages content type text image source data media_type tool_result tool_use input tools name system document "
    "title contents parts inlineData mimeType functionCall systemInstruction generateContentRequest "
    "functionDeclarations instructions role image_url file_data detail output summary arguments thinking"
).split()
SHAPES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([*NAMES, "data:image/png;base64,iVBORw0KGgo", "JVBERi0="]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=30,
)


@given(
    body=st.dictionaries(st.sampled_from(NAMES), SHAPES), dialect=st.sampled_from(["anthropic", "gemini", "responses"])
)
def test_no_request_is_too_odd(body: dict[str, Any], dialect: str) -> None:
    """Whatever stands where: it is counted, or a ValueError says why not."""
    try:
        assert tokens(body, dialect) >= 0
    except ValueError as error:
        assert "`" in str(error)  # noqa: PT017 - it need not be raised
