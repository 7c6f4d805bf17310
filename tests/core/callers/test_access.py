"""Who may call the channels."""

from __future__ import annotations

import pytest

from app.core.callers.access import ANONYMOUS, MOST_HASHES, AccessTokens, hash_of, is_from_here
from app.core.errors import ApiError
from app.core.model import AccessToken

TOKENS = AccessTokens(["key-1", "key-2"])
NOW_MS = 1_700_000_000_000
ISSUED = {
    hash_of("sk-gw-good"): AccessToken("1", "alice"),
    hash_of("sk-gw-later"): AccessToken("2", "bob", expires_at_ms=NOW_MS + 1),
    hash_of("sk-gw-over"): AccessToken("3", "carol", expires_at_ms=NOW_MS),
    hash_of("sk-gw-off"): AccessToken("4", "dave", enabled=False),
}


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        (["key-1"], "AUTH_KEY #1"),
        (["key-2", "key-1"], "AUTH_KEY #2"),
        (["unknown", "key-2"], "AUTH_KEY #2"),
        (["sk-gw-good"], "alice"),
        (["sk-gw-later"], "bob"),
        (["sk-gw-over", "sk-gw-off", "unknown", "sk-gw-later", "key-1"], "bob"),
    ],
)
def test_the_first_credential_that_is_good_counts(shown: list[str], name: str) -> None:
    """Its name for logs does not tell it. One that is known, and no longer good, stands in nobody's way."""
    assert TOKENS.admit(shown, ISSUED, NOW_MS, needs_token=True).name == name
    assert TOKENS.admit(shown, ISSUED, NOW_MS, needs_token=False).name == name


def test_who_has_called_before_comes_in_as_what_his_token_is_now() -> None:
    """Another token, disabled, or gone."""
    tokens, issued = AccessTokens(), dict(ISSUED)
    digest = hash_of("sk-gw-good")
    for name in ("alice", "alice", "dora"):
        issued[digest] = AccessToken("1", name)
        assert tokens.admit(["sk-gw-good"], issued, NOW_MS).name == name
    issued[digest] = AccessToken("1", "dora", enabled=False)
    with pytest.raises(ApiError, match="is disabled"):
        tokens.admit(["sk-gw-good"], issued, NOW_MS)
    del issued[digest]
    assert tokens.find("sk-gw-good", issued) is None


def test_no_more_texts_are_kept_than_the_most() -> None:
    many = {hash_of(f"sk-{number}"): AccessToken(str(number), "one") for number in range(MOST_HASHES + 5)}
    tokens = AccessTokens()
    for number in range(MOST_HASHES + 5):
        assert tokens.find(f"sk-{number}", many) is not None
    assert tokens.find("unknown", many) is None
    assert len(tokens._hashes) == 5


@pytest.mark.parametrize("needs_token", [True, False])
@pytest.mark.parametrize(
    ("shown", "code", "name"),
    [
        (["unknown", "sk-gw-over", "sk-gw-off"], "access_token_expired", "carol"),
        (["sk-gw-off", "sk-gw-over"], "access_token_invalid", "dave"),
    ],
)
def test_without_a_good_one_the_first_that_is_known_is_told_of(
    shown: list[str], code: str, name: str, needs_token: bool
) -> None:
    """Also where none is needed: whoever shows one is held to it."""
    with pytest.raises(ApiError, match=name) as refused:
        TOKENS.admit(shown, ISSUED, NOW_MS, needs_token=needs_token)
    assert (refused.value.status, refused.value.code, refused.value.is_final) == (401, code, True)


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
        tokens.admit(shown, {}, NOW_MS, needs_token=True)
    assert (refused.value.status, refused.value.code, refused.value.is_final) == (401, code, True)
    assert "AUTH_KEY" in refused.value.message
    assert not any(len(credential) > 3 and credential in refused.value.message for credential in shown)
    assert tokens.admit(shown, {}, NOW_MS, needs_token=False) is ANONYMOUS


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
