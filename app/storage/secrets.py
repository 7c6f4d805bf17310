"""Secrets as Redis keeps them: encrypted with a key of `ENCRYPTION_KEY`, or plain where there is none.

A sealed text is `sealed <key id> <base64 of nonce, ciphertext, tag>`: AES-256-GCM, bound to whatever it belongs to, so
that it opens nowhere else. No secret has a blank in it, so a plain one is never taken for a sealed one.
From each encryption key three are made: what seals, what digests, and what tells its id.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final

PREFIX: Final = "sealed "
ROUNDS: Final = 600_000
"""Of PBKDF2 with SHA-256, as OWASP advises: an encryption key may be a sentence that somebody thought of."""
_RANDOM: Final = re.compile(r"[A-Za-z0-9_-]{43}=?|[A-Za-z0-9+/]{43}=|[0-9a-fA-F]{64}")
"""32 bytes as generators write them (base64, hex), which nobody guesses: one round will do, and starts are quick."""
_SALT: Final = b"AI gateway, keys of channels"
_STEPS: Final = (
    "cryptography.hazmat.bindings._rust",
    "cryptography.hazmat.primitives.ciphers",
    "cryptography.hazmat.primitives.ciphers.aead",
)
"""What is loaded for the first sealed secret: 7 MB, in 10 ms."""
_ID_HEX: Final = 8
_ID_END: Final = len(PREFIX) + _ID_HEX
_NONCE_BYTES: Final = 12


class CannotOpen(ValueError):
    """A sealed text that none of our keys opens here. Its text shows nothing of it."""


class Secrets:
    """What a process seals, opens and digests with. It asks nobody."""

    def __init__(
        self, encryption_keys: Sequence[str] = (), rounds: int = ROUNDS, pause: Callable[[], object] = lambda: None
    ) -> None:
        """The first encrypts, all decrypt. An empty one in the first place: new secrets are stored plain.

        `rounds` are for keys that may be guessed; they take some 0.1 s each. `pause` lets others run; see `prepare`.
        """
        self._pause = pause
        self._is_prepared = not any(encryption_keys)
        self._keys = [_EncryptionKey(text, rounds) for text in encryption_keys if text]
        self._by_id = {key.id: key for key in self._keys}
        self._first = self._keys[0] if self._keys and encryption_keys[0] else None
        self.encrypts = self._first is not None
        self.first_id = self._first.id if self._first is not None else ""
        """Of the key that encrypts; empty: none does."""
        self.ids = frozenset(self._by_id)
        """Of the keys that decrypt."""

    def prepare(self) -> None:
        """Loads the cipher, in steps between which others run: before `open` is asked where nobody may wait."""
        if not self._is_prepared:
            for module in _STEPS:
                import_module(module)
                self._pause()
            self._is_prepared = True

    def seal(self, secret: str, bound_to: str) -> str:
        """What is stored of a secret of `bound_to`, such as a channel's id. ASCII."""
        if self._first is None:
            return secret
        self.prepare()
        sealed: str = self._first.seal(secret.encode(), bound_to.encode())
        return sealed

    def open(self, stored: str, bound_to: str) -> str:
        """The secret; `stored` itself where it is plain. Raises CannotOpen."""
        if not stored.startswith(PREFIX):
            return stored
        key = self._by_id.get(id_of(stored))
        if key is None:
            raise CannotOpen("a secret is encrypted with a key that is not in ENCRYPTION_KEY")
        secret: str = key.open(stored, bound_to.encode())
        return secret

    def opens(self, stored: str) -> bool:
        """Whether its key is among ours. Costs a look at its beginning."""
        return not stored.startswith(PREFIX) or id_of(stored) in self._by_id

    def is_current(self, stored: str) -> bool:
        """Whether it is stored as `seal` would store it now, so that no run of encrypt_keys.py changes it."""
        return id_of(stored) == self.first_id

    def digest(self, secret: str) -> str:
        """By which a secret is found without opening any. It depends on the key that encrypts: see `digests`."""
        return self._first.digest(secret) if self._first is not None else plain_digest(secret)

    def digests(self, secret: str) -> tuple[str, ...]:
        """`digest` first, then those under which it may have been stored before ENCRYPTION_KEY changed."""
        digests = [key.digest(secret) for key in self._keys] + [plain_digest(secret)]
        if not self.encrypts:
            digests.insert(0, digests.pop())
        return tuple(digests)


def id_of(stored: str) -> str:
    """The id of the key with which a text was sealed; empty: it is plain."""
    return stored[len(PREFIX) : _ID_END] if stored.startswith(PREFIX) else ""


def plain_digest(secret: str) -> str:
    """As it is without an encryption key."""
    return hashlib.sha256(secret.encode()).hexdigest()


class _EncryptionKey:
    """One encryption key, and what is made of it."""

    def __init__(self, encryption_key: str, rounds: int) -> None:
        needed = 1 if _RANDOM.fullmatch(encryption_key) else rounds
        master = hashlib.pbkdf2_hmac("sha256", encryption_key.encode(), _SALT, needed)
        self.id = _derived(master, b"id").hex()[:_ID_HEX]
        self._begin = f"{PREFIX}{self.id} "
        self._digest_key = _derived(master, b"digest")
        self._sealing_key = _derived(master, b"seal")
        self._cipher: Any = None

    def digest(self, secret: str) -> str:
        return hmac.digest(self._digest_key, secret.encode(), "sha256").hex()

    def seal(self, secret: bytes, bound_to: bytes) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + (self._cipher or self._make_cipher()).encrypt(nonce, secret, bound_to)
        return self._begin + b2a_base64(sealed, newline=False).decode()

    def open(self, stored: str, bound_to: bytes) -> str:
        cipher = self._cipher or self._make_cipher()
        try:
            sealed = a2b_base64(stored[_ID_END:])
            secret: bytes = cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
            return secret.decode()
        except (_invalid_tag(), Error, ValueError):
            raise CannotOpen("a secret is damaged, or was put where it does not belong") from None

    def _make_cipher(self) -> Any:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(self._sealing_key)
        return self._cipher

    def __repr__(self) -> str:
        return f"_EncryptionKey({self.id})"


def _derived(master: bytes, purpose: bytes) -> bytes:
    return hmac.digest(master, purpose, "sha256")


def _invalid_tag() -> type[Exception]:
    from cryptography.exceptions import InvalidTag

    return InvalidTag
