"""How much output a request allows is read where its dialect says it, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.wire.dialects.asked import dialect_of
from app.wire.dialects.output_limits import MEMBERS, OutputLimit, output_limit

CHAT = "/v1/chat/completions"
GEMINI = "/v1beta/models/gemini-2.5-pro:generateContent"


@pytest.mark.parametrize(
    ("path", "body", "limit"),
    [
        (CHAT, {}, (None, 1)),
        (CHAT, {"max_tokens": 100}, (100, 1)),
        (CHAT, {"max_tokens": 100, "max_completion_tokens": 40, "n": 3}, (40, 3)),
        (CHAT, {"max_output_tokens": 5}, (None, 1)),
        (CHAT, {"max_tokens": None, "n": True}, (None, 1)),
        (CHAT, {"max_tokens": -1, "n": -4}, (None, 1)),
        (CHAT, {"max_tokens": 10.0}, (10, 1)),
        ("/v1/completions", {"max_tokens": 9, "prompt": ["a", "b", "c"], "n": 2, "best_of": 4}, (9, 12)),
        ("/v1/completions", {"max_tokens": 9, "prompt": [1, 2, 3]}, (9, 1)),
        ("/v1/completions", {"max_tokens": 9, "prompt": [[1, 2], [3]]}, (9, 2)),
        ("/v1/completions", {"max_tokens": 9, "prompt": "a"}, (9, 1)),
        ("/v1/completions", {"max_tokens": 9}, (9, 7)),
        ("/v1/responses", {"max_output_tokens": 30, "max_tokens": 1}, (30, 1)),
        ("/v1/messages", {"max_tokens": 1024, "n": 5}, (1024, 1)),
        (GEMINI, {"generationConfig": {"maxOutputTokens": 50, "candidateCount": 2}}, (50, 2)),
        (GEMINI, {"generation_config": {"max_output_tokens": "60"}}, (60, 1)),
        (GEMINI, {"generationConfig": [], "max_tokens": 1}, (None, 1)),
        ("/v1/embeddings", {"input": ["a", "b"]}, (0, 1)),
        ("/v1beta/models/e:batchEmbedContents", {}, (0, 1)),
    ],
)
def test_the_limit_of_a_request(path: str, body: dict[str, Any], limit: tuple[int | None, int]) -> None:
    """The least of its own, and how many answers it asks for."""
    asked = dialect_of("POST", path, {})
    assert asked is not None
    members = {name: json.dumps(value).encode() for name, value in body.items() if name in MEMBERS}
    assert output_limit(asked, members, most_prompts=7) == OutputLimit(*limit)
