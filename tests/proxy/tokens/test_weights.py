"""What a request may cost is read out of it while it comes, whatever its dialect and coding."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from app.core.errors import ClientFault
from app.core.money.reservation import Weight
from app.core.settings import Settings
from app.proxy.api.read_request import read_request
from app.proxy.own_request import own_inbound
from app.proxy.tokens.budget_admission import weight_of
from app.wire.dialects.asked import dialect_of
from app.wire.http.http1 import CHUNKED

JSON = [("Content-Type", "application/json")]
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (1500).to_bytes(4, "big") + (750).to_bytes(4, "big") + b"x" * 90_000
IMAGE = base64.b64encode(PNG).decode()
GEMINI = "/v1beta/models/gemini-2.5-pro:generateContent"


def weigh(path: str, body: bytes, fields: list[tuple[str, str]] | None = None, **settings: Any) -> Weight:
    fields = JSON if fields is None else fields
    asked = dialect_of("POST", path, {})
    assert asked is not None
    request = read_request(
        own_inbound("POST", fields, body), asked, "", fields, Settings(**settings), "token", is_weighed=True
    )
    try:
        return weight_of(request)
    finally:
        request.body.close()


@pytest.mark.parametrize(
    ("path", "said", "output_tokens", "answers"),
    [
        ("/v1/chat/completions", {"model": "m", "messages": [], "max_tokens": 70, "n": 3}, 70, 3),
        ("/v1/responses", {"model": "m", "input": "x", "max_output_tokens": 80}, 80, 1),
        ("/v1/messages", {"model": "m", "messages": [], "max_tokens": 90}, 90, 1),
        (GEMINI, {"contents": [], "generationConfig": {"maxOutputTokens": 60, "candidateCount": 2}}, 60, 2),
        ("/v1/completions", {"model": "m", "prompt": ["word " * 9000, "b", "c"], "max_tokens": 5}, 5, 5),
        ("/v1/completions", {"model": "m", "prompt": "[1], [2]" * 9000, "max_tokens": 5}, 5, 1),
        ("/v1/chat/completions", {"model": "m", "messages": []}, None, 1),
    ],
)
def test_output_is_what_the_request_allows(
    path: str, said: dict[str, Any], output_tokens: int | None, answers: int
) -> None:
    """In each dialect. A list of prompts that is too long to be kept counts as at least so many."""
    body = json.dumps(said).encode()
    weight = weigh(path, body)
    assert (weight.output_tokens, weight.answers) == (output_tokens, answers)
    assert (weight.text_bytes, weight.image_tokens) == (len(body), 0)


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_images_count_by_their_pixels_and_all_else_by_its_bytes(coding: str) -> None:
    """Of a compressed body its plain bytes count."""
    content = [{"source": {"data": IMAGE}}, {"text": "a" * 600}]
    said = {"model": "m", "max_tokens": 1, "messages": [{"content": content}]}
    plain = json.dumps(said).encode()
    fields = [*JSON, ("Content-Encoding", coding)] if coding else JSON
    weight = weigh("/v1/messages", gzip.compress(plain) if coding else plain, fields)
    assert weight == Weight(len(plain) - len(IMAGE), 1500, 1)
    assert weight.input_tokens < 2200


def test_a_long_body_is_weighed_whole() -> None:
    """Also the part of it that does not stay in memory."""
    texts = [{"text": "a" * 700_000}, {"source": {"data": IMAGE}}, {"text": "b" * 700_000}, {"source": {"data": IMAGE}}]
    plain = json.dumps({"model": "m", "max_tokens": 1, "messages": [{"content": texts}]}).encode()
    assert weigh("/v1/messages", plain) == Weight(len(plain) - 2 * len(IMAGE), 3000, 1)


def test_what_streams_past_what_is_held_counts_by_its_length() -> None:
    """Where nobody knows how long it will be it is too large for a token with a budget."""
    plain = json.dumps({"model": "m", "max_tokens": 1, "x": "a" * 300_000}).encode()
    assert weigh("/v1/messages", plain, replay_max_bytes=100_000).text_bytes == len(plain)


def test_a_cache_of_an_hour_and_a_service_tier_are_seen() -> None:
    """Both make a call dearer."""
    said = {"model": "m", "system": [{"cache_control": {"type": "ephemeral", "ttl": "1h"}}], "service_tier": "Priority"}
    weight = weigh("/v1/messages", json.dumps(said).encode())
    assert (weight.asks_hour_cache, weight.service_tier) == (True, "priority")
    assert weigh("/v1/messages", json.dumps(said | {"speed": "fast"}).encode()).service_tier == "fast"


def test_a_form_is_weighed() -> None:
    """Its image as it stands there."""
    body = (
        b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
        b'--b\r\nContent-Disposition: form-data; name="n"\r\n\r\n2\r\n'
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + PNG + b"\r\n--b--\r\n"
    )
    weight = weigh("/v1/images/edits", body, [("Content-Type", "multipart/form-data; boundary=b")])
    assert weight == Weight(len(body) - len(PNG), 1500, None, 2)


def test_what_is_not_asked_for_is_not_looked_for() -> None:
    """A call without a budget costs no search for images."""
    asked = dialect_of("POST", "/v1/messages", {})
    assert asked is not None
    inbound = own_inbound("POST", JSON, b'{"model": "m", "max_tokens": 5}')
    request = read_request(inbound, asked, "", JSON, Settings(), "token")
    assert request.images is None
    assert request.members is not None
    assert request.members.values == {}


def test_the_body_of_unknown_length_that_nobody_holds() -> None:
    """413, as nobody can know what it may cost."""
    asked = dialect_of("POST", "/v1/messages", {})
    assert asked is not None
    inbound = own_inbound("POST", JSON, json.dumps({"model": "m", "x": "a" * 300_000}).encode())
    inbound.body.length = CHUNKED  # type: ignore[misc]
    request = read_request(inbound, asked, "", JSON, Settings(replay_max_bytes=100_000), "token", is_weighed=True)
    with pytest.raises(ClientFault, match="longer than"):
        weight_of(request)
