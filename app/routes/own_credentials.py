"""Credentials of ours on routes whose callers may show others, too: found, and taken out, for they never leave."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import unquote_plus

from app.core.callers.access import AccessTokens, Issued
from app.core.callers.definition import BEGIN
from app.core.model import AccessToken
from app.routes.wsgi_environ import Environ
from app.wire.dialects.credentials import FIELDS
from app.wire.http.headers import Headers, lower

OWN_FIELD: Final = "x-gateway-token"
_FIELDS: Final = frozenset(FIELDS)
_VARIABLES: Final = tuple(["HTTP_" + name.upper().replace("-", "_") for name in FIELDS])


class Shown(NamedTuple):
    """What a request shows of ours, and what is left of it without that."""

    token: AccessToken | None
    headers: Headers
    target: str


class Found(NamedTuple):
    """The credentials of a request, and what is left of it without those that are ours."""

    tokens: list[AccessToken]
    """Whose are known, the one of `x-gateway-token` first."""
    unknown: list[str]
    """What is meant for us and not known."""
    headers: Headers
    target: str


class OwnCredentials:
    """One for each door."""

    def __init__(self, auth_keys: Iterable[str]) -> None:
        keys = list(auth_keys)
        self.tokens = AccessTokens(keys)
        self._lengths = frozenset([len(key) for key in keys])

    def may_stand_in(self, environ: Environ, target: str) -> bool:
        """Whether it is worth a look. Asked for every call, so it must cost next to nothing."""
        for variable in _VARIABLES:
            value = environ.get(variable)
            if value is not None and self._may_be_ours(value):
                return True
        return "key=" in target

    def _may_be_ours(self, value: str) -> bool:
        if BEGIN in value:
            return True
        if not self._lengths:
            return False
        return "," in value or len(value.rsplit(None, 1)[-1] if value else value) in self._lengths

    def take(self, headers: Headers, target: str, issued: Issued, *, needs_token: bool) -> Shown:
        """Raises ApiError where one is needed and none is known, and where one that is known is no longer good.

        `x-gateway-token` goes first; it never leaves where a token is needed.
        """
        found = self.without(headers, target, issued, keeps_own_field=not needs_token)
        token = None
        if found.tokens:
            token = self.tokens.first_good(found.tokens, int(time.time() * 1000))
        elif needs_token:
            raise self.tokens.unknown(found.unknown, issued)
        return Shown(token, found.headers, found.target)

    def without(self, headers: Headers, target: str, issued: Issued, *, keeps_own_field: bool) -> Found:
        """A request without what it shows of ours; without any `x-gateway-token` unless those of others may stay."""
        tokens: list[AccessToken] = []
        unknown: list[str] = []
        left: Headers = []
        for field in headers:
            name = lower(field[0])
            if name not in _FIELDS:
                left.append(field)
                continue
            credential = _bare(field[1])
            token = self.tokens.find(credential, issued) if credential else None
            if token is not None:
                tokens.insert(0 if name == OWN_FIELD else len(tokens), token)
                continue
            if credential and (name == OWN_FIELD or credential.startswith(BEGIN)):
                unknown.append(credential)
            if name != OWN_FIELD or keeps_own_field:
                left.append(field)
        return Found(tokens, unknown, left, self._without_key(target, issued, tokens, unknown))

    def _without_key(self, target: str, issued: Issued, tokens: list[AccessToken], unknown: list[str]) -> str:
        """The target without those keys of its query that are ours; both lists are added to."""
        path, mark, query = target.partition("?")
        if "key=" not in query:
            return target
        left: list[str] = []
        for member in query.split("&"):
            credential = unquote_plus(member[4:]) if member.startswith("key=") else ""
            token = self.tokens.find(credential, issued) if credential else None
            if token is not None:
                tokens.append(token)
                continue
            if credential.startswith(BEGIN):
                unknown.append(credential)
            left.append(member)
        return path + mark + "&".join(left) if left else path


def _bare(value: str) -> str:
    """A credential without the scheme before it."""
    words = value.split()
    return words[-1] if words else ""
