"""What an operator does to access tokens: each a check and one change of the catalogue.

As with channels, a change is decided on what is known here and made only while that is so; else it is decided anew.
Of a token's text nothing is kept but its SHA-256 and its hint.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from app.core.callers.access import hash_of
from app.core.callers.definition import BEGIN, check_new, hint_of, merged, parse_access_token, read, written
from app.core.errors import Invalid
from app.core.model import AccessToken
from app.core.snapshot import ACCESS_TOKENS, CHANNELS
from app.storage.catalog.catalog import Catalog
from app.storage.catalog.changes import Edit
from app.storage.connections import RedisError

TEXTS, LAST_ID = ACCESS_TOKENS.tables
TRIES: Final = 20
"""How often a change is decided anew because others were first; with each, one of them has his way."""
SECRET_BYTES: Final = 32
"""43 characters of URL-safe base64."""
_LAST: Final = "last"
"""The one field of LAST_ID: the id that was given last. It outlives its token, so no id is given twice."""


class AccessTokenNotFound(ValueError):
    """There is no such access token."""


def add(catalog: Catalog, said: Any) -> tuple[AccessToken, str]:
    """The token, and its text, which nobody will know again. Raises Invalid, RedisError."""
    secret = _new_secret()
    [token] = take(catalog, [(said, hash_of(secret), hint_of(secret))])
    return token, secret


def take(catalog: Catalog, new: Sequence[tuple[Any, bytes, str]]) -> list[AccessToken]:
    """Adds tokens whose texts others know: what is said of each, its SHA-256 and what is shown of it. All or none.

    Raises Invalid, RedisError.
    """
    catalog.look()
    for _ in range(TRIES):
        now_ms = _now_ms()
        ids, last = catalog.table(TEXTS), catalog.table(LAST_ID).get(_LAST, "")
        first = max(map(_number, (*ids, last)), default=0) + 1
        tokens = []
        for token_id, (said, digest, hint) in enumerate(new, first):
            token = parse_access_token(str(token_id), said, digest, hint, created_at_ms=now_ms, updated_at_ms=now_ms)
            _check(catalog, token, None, now_ms)
            tokens.append(token)
        edits = [Edit("same", LAST_ID, _LAST, last), Edit("put", LAST_ID, _LAST, str(first + len(new) - 1))]
        edits += [Edit("add", TEXTS, token.id, written(token)) for token in tokens]
        if not new or catalog.change(ACCESS_TOKENS, "added", edits):
            return tokens
    raise _lost()


def update(catalog: Catalog, token_id: str, changes: Any) -> AccessToken:
    """Changes what is given, and leaves the rest. Raises Invalid, AccessTokenNotFound, RedisError."""

    def changed(before: AccessToken | None, now_ms: int) -> AccessToken:
        said, digest, hint, created_at_ms = _kept(before)
        token = parse_access_token(
            token_id, merged(said, changes), digest, hint, created_at_ms=created_at_ms, updated_at_ms=now_ms
        )
        _check(catalog, token, before, now_ms)
        return token

    return _replace(catalog, token_id, "updated", changed)


def rotate(catalog: Catalog, token_id: str) -> tuple[AccessToken, str]:
    """The same token with another text. Raises AccessTokenNotFound, Invalid where it makes no sense, RedisError."""
    secret = _new_secret()

    def changed(before: AccessToken | None, now_ms: int) -> AccessToken:
        said, _, _, created_at_ms = _kept(before)
        return parse_access_token(
            token_id, said, hash_of(secret), hint_of(secret), created_at_ms=created_at_ms, updated_at_ms=now_ms
        )

    return _replace(catalog, token_id, "rotated", changed), secret


def delete(catalog: Catalog, token_id: str) -> None:
    """Raises AccessTokenNotFound, RedisError."""
    catalog.look()
    if not catalog.change(ACCESS_TOKENS, "deleted", [Edit("find", TEXTS, token_id), Edit("delete", TEXTS, token_id)]):
        raise not_found(token_id)


def not_found(token_id: str) -> AccessTokenNotFound:
    return AccessTokenNotFound(f"there is no access token {token_id}")


def _replace(
    catalog: Catalog, token_id: str, act: str, changed: Callable[[AccessToken | None, int], AccessToken]
) -> AccessToken:
    """`changed` is told what stood there; None: what makes no sense, so that it can be said anew."""
    catalog.look()
    for _ in range(TRIES):
        text = catalog.table(TEXTS).get(token_id)
        if text is None:
            raise not_found(token_id)
        try:
            before: AccessToken | None = read(token_id, text)
        except Invalid:
            before = None
        token = changed(before, _now_ms())
        edits = [Edit("same", TEXTS, token_id, text), Edit("put", TEXTS, token_id, written(token))]
        if catalog.change(ACCESS_TOKENS, act, edits):
            return token
    raise _lost()


def _kept(before: AccessToken | None) -> tuple[dict[str, Any], bytes, str, int]:
    """What an update leaves: a token that makes no sense has no text either, until it is rotated."""
    if before is None:
        return {}, hash_of(_new_secret()), "", 0
    return before.said, before.digest, before.hint, before.created_at_ms


def _check(catalog: Catalog, token: AccessToken, before: AccessToken | None, now_ms: int) -> None:
    snapshot = catalog.snapshot
    check_new(token, before, now_ms, CHANNELS.of(snapshot).by_id, snapshot.mappings)


def _new_secret() -> str:
    return BEGIN + secrets.token_urlsafe(SECRET_BYTES)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 20 else 0


def _lost() -> RedisError:
    return RedisError("the access tokens were changed by others all the while")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
