"""Who may call the channels."""

from __future__ import annotations

import pytest

from app.core.callers.access import ANONYMOUS, AccessTokens, is_from_here
from app.core.errors import ApiError

TOKENS = AccessTokens(["key-1", "key-2"])


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        (["key-1"], "AUTH_KEY #1"),
        (["key-2", "key-1"], "AUTH_KEY #2"),
        (["unknown", "key-2"], "AUTH_KEY #2"),
    ],
)
def test_the_first_known_credential_counts(shown: list[str], name: str) -> None:
    """Its name for logs does not tell it."""
    assert TOKENS.admit(shown, needs_token=True).name == name
    assert TOKENS.admit(shown, needs_token=False).name == name


@pytest.mark.parametrize(
    ("tokens", "shown", "code"),
    [
        (TOKENS, [], "access_token_required"),
        (TOKENS, ["KEY-1", "key-1 ", "", "ключ", "\udcff"], "access_token_invalid"),
        (AccessTokens(), ["sk-anything"], "access_token_required"),
        (AccessTokens(), [], "access_token_required"),
    ],
)
def test_nobody_else_comes_in_where_a_token_is_needed(tokens: AccessTokens, shown: list[str], code: str) -> None:
    """The text says how to get one, and repeats no credential. Where none is needed everybody is anonymous."""
    with pytest.raises(ApiError) as refused:
        tokens.admit(shown, needs_token=True)
    assert (refused.value.status, refused.value.code, refused.value.is_final) == (401, code, True)
    assert "AUTH_KEY" in refused.value.message
    assert not any(len(credential) > 3 and credential in refused.value.message for credential in shown)
    assert tokens.admit(shown, needs_token=False) is ANONYMOUS


@pytest.mark.parametrize(
    ("host", "origin", "is_here"),
    [
        ("127.0.0.1:8000", "", True),
        ("localhost:8000", "", True),
        ("[::1]:8000", "http://localhost:3000", True),
        ("localhost", "http://127.0.0.1:8000", True),
        ("", "", False),
        ("127.0.0.1:8000", "https://evil.example", False),
        ("127.0.0.1:8000", "null", False),
        ("127.0.0.1:8000", "file://", False),
        ("rebound.example:8000", "", False),
        ("rebound.example:8000", "http://rebound.example:8000", False),
        ("localhost.evil.example", "", False),
        ("127.0.0.1@evil.example", "", False),
        ("[::1", "", False),
    ],
)
def test_a_page_of_elsewhere_is_not_from_here(host: str, origin: str, is_here: bool) -> None:
    """A browser shows it by the page's origin, or by the name under which it found us."""
    assert is_from_here(host, origin) is is_here
