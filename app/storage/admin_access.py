"""What Redis remembers of the admin's logins: sessions, and wrong tries by address or browser."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets

from app.core.callers.clients import caller_of
from app.core.wording import counted
from app.storage.connections import ADMIN_FAILURES, ADMIN_SESSION, Redis

log = logging.getLogger(__name__)

SESSION_S = 12 * 3600
"""Of a browser."""
LOGIN_S = 24 * 3600
"""Of a login by ccLoad's call."""
_LOGIN = re.compile(r"[0-9a-f]{64}")
ACCESS_TOKEN = "sk-gw-"  # noqa: S105 - how one begins
MAX_FAILURES = 5
LOCK_S = 15 * 60

# One script, so that a burst of guesses is counted one by one and the sixth fails even when it is right.
# KEYS: failures of the account. ARGV: 1 when the token is right, the limit, the lock's seconds.
# Above 0: seconds that the lock still holds. 0: right. Below 0: wrong, for so many times.
_JUDGE = """
local failures = tonumber(redis.call('GET', KEYS[1]) or '0')
if failures >= tonumber(ARGV[2]) then return math.max(1, redis.call('TTL', KEYS[1])) end
if ARGV[1] == '1' then redis.call('DEL', KEYS[1]) return 0 end
redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return -failures - 1
"""


class WrongToken(Exception):
    """The token is not the admin's."""


class SessionEnded(Exception):
    """It was a login's token, or might have been one."""


class AddressLocked(Exception):
    """Too many wrong tries came from this address; `retry_after_s` says for how long it must wait."""

    def __init__(self, retry_after_s: int) -> None:
        wait = counted(-(-retry_after_s // 60), "minute")
        super().__init__(f"too many wrong tokens from this address; try again in {wait}")
        self.retry_after_s = retry_after_s


class AdminAccess:
    """Checks `admin_token` and keeps sessions. A session ends when the token is changed."""

    def __init__(self, client: Redis, admin_token: str) -> None:
        self._redis = client
        self._token = admin_token.encode()
        self._seal = hmac.digest(self._token, b"admin session", "sha256")

    def check_token(self, token: str, client: str, device: str = "") -> None:
        """Raises WrongToken, AddressLocked, redis.RedisError. Comparison takes the same time for every token.

        Wrong tries count for the client's address; those of a `device`, a browser that has proved to have been logged
        in, for itself alone, so that no stranger at the same address locks it out. No token is no try, nor is an access
        token that we issued: a client that is pointed at a wrong path must not lock the admin out. Each is one where
        the admin's own begins so.
        """
        if not token.strip():
            raise WrongToken
        right = hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self._token)
        if not right and token.startswith(ACCESS_TOKEN) and not self._token.startswith(ACCESS_TOKEN.encode()):
            raise WrongToken
        account = ADMIN_FAILURES + (device or caller_of(client))
        verdict = self._redis.eval(_JUDGE, 1, account, int(right), MAX_FAILURES, LOCK_S)
        if verdict > 0:
            raise AddressLocked(verdict)
        if verdict < 0:
            whose = f"{client or 'an unknown address'}{' (a browser that was logged in before)' if device else ''}"
            log.warning("wrong admin token from %s: try %d of %d", whose, -verdict, MAX_FAILURES)
            if -verdict >= MAX_FAILURES:
                log.warning("logins from %s are locked for %d minutes", whose, LOCK_S // 60)
            raise WrongToken

    def check_bearer(self, bearer: str, client: str) -> None:
        """The admin's token, or that of a login. Raises as check_token does, and SessionEnded.

        One that ended is no wrong try: a page that asks again and again must not lock its admin out. What looks like
        one and is none is no guess either, unless the admin's own token looks so.
        """
        if _LOGIN.fullmatch(bearer):
            if self.is_open(bearer):
                return
            if not _LOGIN.fullmatch(self._token.decode()):
                raise SessionEnded
        self.check_token(bearer, client)

    def open_login(self) -> str:
        """A token of 64 hexadecimal digits that stands for the admin's until it ends; only its hash is stored."""
        token = secrets.token_hex(32)
        self._redis.set(_key(token), self._seal, ex=LOGIN_S)
        return token

    def open_session(self) -> str:
        """A new session's id, which the browser keeps in a cookie; only its hash is stored."""
        session_id = secrets.token_urlsafe(32)
        self._redis.set(_key(session_id), self._seal, ex=SESSION_S)
        return session_id

    def is_open(self, session_id: str) -> bool:
        seal = self._redis.get(_key(session_id))
        return isinstance(seal, bytes) and hmac.compare_digest(seal, self._seal)

    def close_session(self, session_id: str) -> None:
        self._redis.delete(_key(session_id))


def _key(session_id: str) -> str:
    return ADMIN_SESSION + hashlib.sha256(session_id.encode()).hexdigest()
