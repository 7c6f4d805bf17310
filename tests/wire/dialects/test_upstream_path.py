"""A request's path below a channel's base URL."""

from __future__ import annotations

import pytest

from app.wire.dialects.upstream_path import base_path_for, upstream_path


@pytest.mark.parametrize(
    ("base", "path", "exact", "asked"),
    [
        ("", "/v1/chat/completions", False, "/v1/chat/completions"),
        ("/", "/v1/messages", False, "/v1/messages"),
        ("/v1", "/v1/chat/completions", False, "/v1/chat/completions"),
        ("/v1/", "/v1/chat/completions", False, "/v1/chat/completions"),
        ("/v1beta", "/v1beta/models/g:generateContent", False, "/v1beta/models/g:generateContent"),
        ("/v1beta", "/v1beta/openai/chat/completions", False, "/v1beta/openai/chat/completions"),
        ("/api/v1", "/v1/messages", False, "/api/v1/messages"),
        ("/api", "/v1/messages", False, "/api/v1/messages"),
        ("/apiv1", "/v1/messages", False, "/apiv1/v1/messages"),
        ("/v1/x", "/v1/messages", False, "/v1/x/v1/messages"),
        ("/api/paas/v4", "/v1/chat/completions", True, "/api/paas/v4/chat/completions"),
        ("/v1beta/openai/", "/v1/chat/completions", True, "/v1beta/openai/chat/completions"),
        ("/v1", "/v1/chat/completions", True, "/v1/chat/completions"),
        ("/x", "/v1beta/models/g:generateContent", True, "/x/models/g:generateContent"),
        ("/x", "/upload/v1beta/files", True, "/x/upload/files"),
        ("/x", "/v1/models/v1", True, "/x/models/v1"),
    ],
)
def test_the_path_is_joined_by_the_rule(base: str, path: str, exact: bool, asked: str) -> None:
    """A last `v1` or `v1beta` of the base gives way to the request's; an exact base stays, and the request's goes."""
    assert upstream_path(base_path_for(base, exact), path, exact) == asked
