"""Tickets: short proofs that whoever holds one may use the web proxy until an instant, without asking anybody.

A ticket stands in the addresses of proxied pages, because a browser sends no cookie with what a sandboxed page loads.
The page's own scripts can read it there; so it opens nothing but the web proxy, and only to the client it was made for.

A ticket of another kind of holder opens nothing: it proves that a browser was logged in before
(`routes/admin/guard.py`).
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode

_MAC_BYTES = 15
_STAMP = re.compile("[0-9a-f]{1,12}")


class Tickets:
    def __init__(self, secret: str) -> None:
        """`secret`: the admin token; with another one, all tickets end."""
        self._key = hmac.digest(secret.encode(), b"web proxy ticket", "sha256")

    def issue(self, holder: str, expires_s: int) -> str:
        """A ticket for `holder` until that Unix time; letters, digits, `-`, `_` and `.`."""
        return f"{expires_s:x}.{self._mac(holder, expires_s)}"

    def expiry(self, ticket: str, holder: str, now_s: float) -> int | None:
        """The Unix time until which the holder's ticket is valid; None when it is not, or not the holder's."""
        stamp = ticket.partition(".")[0]
        if not _STAMP.fullmatch(stamp) or not ticket.isascii():
            return None
        expires_s = int(stamp, 16)
        genuine = hmac.compare_digest(ticket, self.issue(holder, expires_s))
        return expires_s if genuine and now_s < expires_s else None

    def _mac(self, holder: str, expires_s: int) -> str:
        text = f"{expires_s:x} {holder}".encode("utf-8", "surrogatepass")
        return urlsafe_b64encode(hmac.digest(self._key, text, "sha256")[:_MAC_BYTES]).decode()
