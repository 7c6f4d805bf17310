"""Who may call the channels: whoever shows an access token, and, where the operator opens them, this machine."""

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
HOW_TO_GET_ONE: Final = "the gateway's operator issues them (AUTH_KEY)"
_FIELDS: Final = "Authorization: Bearer, x-api-key, x-goog-api-key, api-key, x-gateway-token or ?key="


class AccessTokens:
    """Those in force, known by the SHA-256 of what is shown.

    Looking a hash up takes a time that says nothing of a token: who tries cannot choose how a hash begins.
    """

    def __init__(self, auth_keys: Iterable[str] = ()) -> None:
        self._holders = {hash_of(key): AccessToken("", f"AUTH_KEY #{n}") for n, key in enumerate(auth_keys, start=1)}

    def admit(self, shown: Sequence[str], *, needs_token: bool) -> AccessToken:
        """The holder of the first credential that is known; ANONYMOUS without one, where none is needed.

        Raises ApiError, which says how to get a token.
        """
        for credential in shown:
            holder = self._holders.get(hash_of(credential))
            if holder is not None:
                return holder
        if not needs_token:
            return ANONYMOUS
        if not self._holders:
            text = "this gateway has no access tokens yet: its operator sets AUTH_KEY and restarts it"
            raise ApiError(401, "access_token_required", text, is_final=True)
        if not shown:
            text = f"an access token is needed: send it as {_FIELDS}; {HOW_TO_GET_ONE}"
            raise ApiError(401, "access_token_required", text, is_final=True)
        text = f"the gateway does not know this access token; {HOW_TO_GET_ONE}"
        raise ApiError(401, "access_token_invalid", text, is_final=True)


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
