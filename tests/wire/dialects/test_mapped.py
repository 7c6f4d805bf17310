"""What a path below a mapping's target asks for."""

from __future__ import annotations

import pytest

from app.wire.dialects.mapped import mapped

VERTEX = "/v1/projects/p/locations/global/publishers"


@pytest.mark.parametrize(
    ("path", "speaks", "model", "is_stream"),
    [
        ("/v1/chat/completions", "openai", "", False),
        ("/openai/v1/chat/completions", "openai", "", False),
        ("/api/v1/chat/completions", "openai", "", False),
        ("/api/paas/v4/chat/completions", "openai", "", False),
        ("/openai/deployments/d/embeddings", "openai", "", False),
        ("/chat/completions/", "openai", "", False),
        ("/v1/messages", "anthropic", "", False),
        ("/anthropic/v1/messages", "anthropic", "", False),
        ("/coding/messages", "anthropic", "", False),
        ("/v1/responses", "responses", "", False),
        ("/openai/responses", "responses", "", False),
        ("/v1beta/models/gemini-x:generateContent", "gemini", "gemini-x", False),
        ("/v1/models/gemini-x:streamGenerateContent", "gemini", "gemini-x", True),
        ("/v1beta/openai/chat/completions", "openai", "", False),
        (f"{VERTEX}/google/models/gemini-x:streamGenerateContent", "gemini", "gemini-x", True),
        (f"{VERTEX}/anthropic/models/claude-x:streamRawPredict", "anthropic", "claude-x", False),
    ],
)
def test_providers_own_paths_are_known(path: str, speaks: str, model: str, is_stream: bool) -> None:
    asked = mapped("POST", path, False)
    assert asked is not None
    assert (asked.speaks, asked.model, asked.is_stream) == (speaks, model, is_stream)


@pytest.mark.parametrize("path", ["/", "/bot123/sendMessage", "/api/v10/channels/1/messages/2", "/model/m/invoke"])
def test_others_ask_for_nothing_that_is_known(path: str) -> None:
    assert mapped("POST", path, False) is None


def test_a_version_of_anthropic_says_whose_path_it_is() -> None:
    asked = mapped("GET", "/v1/models", True)
    assert asked is not None
    assert asked.speaks == "anthropic"
