"""Credentials: the caller's, which leave a request with all else that is his own, and an upstream's, which goes in."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_plus

from app.wire.http.headers import Headers, lower

FIELDS: Final = ("authorization", "x-api-key", "x-goog-api-key", "api-key", "x-gateway-token")
"""Where a caller may write one, the first to be looked at first; last comes `key` in the query."""
_FIELDS: Final = frozenset(FIELDS)
_LEAVE: Final = _FIELDS | {"cookie", "accept-encoding"}
_BEARER = re.compile(r"bearer[ \t]+([^ \t]+)[ \t]*\Z", re.IGNORECASE)


def credentials(headers: Headers, query: str) -> list[str]:
    """The caller's credentials, in the order in which they count. `query` without its `?`."""
    found: list[tuple[int, str]] = []
    for name, value in headers:
        key = lower(name)
        if key in _FIELDS and (credential := _in_field(key, value)):
            found.append((FIELDS.index(key), credential))
    if len(found) > 1:
        found.sort(key=lambda one: one[0])
    told = [credential for _, credential in found]
    if "key=" in query:
        told += [unquote_plus(member[4:]) for member in query.split("&") if member.startswith("key=") and member[4:]]
    return told


def _in_field(key: str, value: str) -> str:
    if key != "authorization":
        return value.strip(" \t")
    if value.startswith("Bearer ") and value.count(" ") == 1 and "\t" not in value:
        return value[7:]
    bearer = _BEARER.match(value)
    return bearer.group(1) if bearer is not None else ""


def without_own(headers: Headers) -> Headers:
    """What of a caller's fields a channel may get: no credential, nor anything in whose place the gateway says its own.

    So neither `Authorization` nor `Cookie` whatever is in them, and no `Accept-Encoding`.
    """
    return [field for field in headers if lower(field[0]) not in _LEAVE]


def query_without_key(query: str) -> str:
    """The query without its `key`, all else as it came."""
    if "key=" not in query:
        return query
    return "&".join([member for member in query.split("&") if not member.startswith("key=") and member != "key"])


def credential_fields(auth: str, speaks: str, secret: str) -> Headers:
    """The fields that carry an upstream's key, by a channel's `auth`; `auto`: as the dialect `speaks` wants it."""
    if auth == "auto":
        auth = _AUTO.get(speaks, "bearer")
    if auth == "bearer":
        return [("Authorization", f"Bearer {secret}")]
    if auth == "both":
        return [("Authorization", f"Bearer {secret}"), ("x-api-key", secret)]
    return [(auth, secret)]


_AUTO: Final = {"openai": "bearer", "responses": "bearer", "anthropic": "x-api-key", "gemini": "x-goog-api-key"}
AUTHS: Final = ("auto", "bearer", "x-api-key", "x-goog-api-key", "api-key", "both")
