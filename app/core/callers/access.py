"""Who may call: whoever shows an access token, and, where the operator opens the channels, this machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from app.core.errors import ApiError
from app.core.model import AccessToken
from app.core.network.addresses import only_here

ANONYMOUS: Final = AccessToken("", "anonymous")
"""Who shows nothing, where that is enough."""
HOW_TO_GET_ONE: Final = "the gateway's operator makes them on the page Access tokens of /admin, or sets AUTH_KEY"
_FIELDS: Final = "Authorization: Bearer, x-api-key, x-goog-api-key, api-key, x-gateway-token or ?key="

MOST_HASHES: Final = 1000

Issued = dict[bytes, AccessToken]
"""Those that the operator has made (`Snapshot.tokens`), by the SHA-256 of their texts."""


class AccessTokens:
    """All in force: those of the environment, and beside them those that the operator has made.

    Looking a hash up takes a time that says nothing of a token: who tries cannot choose how a hash begins.
    """

    def __init__(self, auth_keys: Iterable[str] = ()) -> None:
        self._of_environment = {
            hash_of(key): AccessToken("", f"AUTH_KEY #{n}") for n, key in enumerate(auth_keys, start=1)
        }
        self._hashes: dict[str, bytes] = {}
        """Of texts that were good lately, as most callers come again. What else is shown is not kept."""

    def find(self, credential: str, issued: Issued) -> AccessToken | None:
        """Whose it is; None: it is none of ours."""
        digest = self._hashes.get(credential)
        if digest is not None:
            return issued.get(digest) or self._of_environment.get(digest)
        digest = hash_of(credential)
        token = issued.get(digest) or self._of_environment.get(digest)
        if token is not None:
            if len(self._hashes) >= MOST_HASHES:
                self._hashes.clear()
            self._hashes[credential] = digest
        return token

    def admit(self, shown: Sequence[str], issued: Issued, now_ms: int, *, needs_token: bool = True) -> AccessToken:
        """The holder of the first credential that is good; ANONYMOUS without one that is known, where none is needed.

        Raises ApiError, which says how to get a token.
        """
        found: list[AccessToken] = []
        for credential in shown:
            token = self.find(credential, issued)
            if token is not None:
                if is_good(token, now_ms):
                    return token
                found.append(token)
        if found:
            raise no_longer_good(found[0])
        if not needs_token:
            return ANONYMOUS
        raise self.unknown(shown, issued)

    def first_good(self, found: Sequence[AccessToken], now_ms: int) -> AccessToken:
        """Of some that are known, at least one. Raises ApiError where none is good."""
        for token in found:
            if is_good(token, now_ms):
                return token
        raise no_longer_good(found[0])

    def unknown(self, shown: Sequence[str], issued: Issued) -> ApiError:
        """What is told where one is needed and none of those that are shown is known."""
        if not (self._of_environment or issued):
            text = f"this gateway has no access tokens yet; {HOW_TO_GET_ONE}"
            return ApiError(401, "access_token_required", text, is_final=True)
        if not shown:
            text = f"an access token is needed: send it as {_FIELDS}; {HOW_TO_GET_ONE}"
            return ApiError(401, "access_token_required", text, is_final=True)
        text = f"the gateway does not know this access token; {HOW_TO_GET_ONE}"
        return ApiError(401, "access_token_invalid", text, is_final=True)


def is_good(token: AccessToken, now_ms: int) -> bool:
    return token.enabled and (not token.expires_at_ms or now_ms < token.expires_at_ms)


def check_good(token: AccessToken, now_ms: int) -> None:
    """Raises ApiError for a token that is disabled or has expired."""
    if not is_good(token, now_ms):
        raise no_longer_good(token)


def no_longer_good(token: AccessToken) -> ApiError:
    """What the holder of a token is told that is disabled or has expired."""
    code, text = "access_token_invalid", "is disabled; ask the gateway's operator"
    if token.enabled:
        code, text = "access_token_expired", "has expired; ask the gateway's operator for a later time, or a new one"
    error = ApiError(401, code, f"the access token {token.name!r} {text}", is_final=True)
    error.token = token
    return error


def hash_of(credential: str) -> bytes:
    return sha256(credential.encode("utf-8", "replace")).digest()


def is_from_here(host: str, origin: str) -> bool:
    """True unless a browser shows that a page of elsewhere asks. `host`, `origin`: the values of these fields.

    Without a token any page in a browser on this machine could use the channels: by its own `Origin`, or by a name of
    its own that leads to us (DNS rebinding), which `Host` then says.
    """
    return _is_here(f"//{host}") and (not origin or _is_here(origin))


def _is_here(url: str) -> bool:
    try:
        return only_here(urlsplit(url).hostname or "")
    except ValueError:
        return False
