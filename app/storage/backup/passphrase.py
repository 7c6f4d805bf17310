"""Secrets of a backup, encrypted with a passphrase: scrypt makes a key of it, AES-256-GCM encrypts each for itself.

Each is bound to its place, so none can be put elsewhere. What is heavy is loaded, and done, in a real thread.
"""

from __future__ import annotations

import os
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Mapping
from typing import Any, Final

from app.core.backup.form import BackupRefused, damaged
from app.real_threads import RealThreads

SHORTEST: Final = 8
"""Bytes of a passphrase."""
SCRYPT: Final = {"n": 1 << 15, "r": 8, "p": 3}
"""32 MiB and a quarter of a second, as OWASP advises where memory is scarce."""
MOST_BYTES: Final = 256 << 20
"""Of memory that a document may ask for."""
MOST_ROUNDS: Final = 16
_KDF, _CIPHER = "scrypt", "AES-256-GCM"
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_CHECK: Final = "this passphrase"
PATIENCE_S: Final = 60.0
_threads = RealThreads(1)
"""One at a time: each takes its memory."""


class Cipher:
    """Seals and opens with one passphrase."""

    def __init__(self, aead: Any, told: dict[str, Any]) -> None:
        self._aead = aead
        self.told = told
        """How it encrypts, as it stands in the document."""

    def seal(self, text: str, bound_to: str) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._aead.encrypt(nonce, text.encode(), bound_to.encode())
        return b2a_base64(sealed, newline=False).decode()

    def open(self, sealed: str, bound_to: str) -> str:
        """Raises BackupRefused where it is not what was sealed for that place."""
        from cryptography.exceptions import InvalidTag

        try:
            data = a2b_base64(sealed, strict_mode=True)
            text: bytes = self._aead.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], bound_to.encode())
            return text.decode()
        except (InvalidTag, Error, ValueError):
            raise damaged(f"the secret of {bound_to} cannot be decrypted") from None


def new_cipher(passphrase: bytes) -> Cipher:
    """For a new backup."""
    salt = os.urandom(_SALT_BYTES)
    cipher = Cipher(_aead(passphrase, salt, **SCRYPT), {})
    kdf = {"kdf": _KDF, **SCRYPT, "salt": b2a_base64(salt, newline=False).decode()}
    cipher.told = {**kdf, "cipher": _CIPHER, "check": cipher.seal(_CHECK, "check")}
    return cipher


def cipher_of(told: Mapping[str, Any], passphrase: bytes) -> Cipher:
    """That with which a document was encrypted. Raises BackupRefused, for another passphrase too."""
    if told.get("kdf") != _KDF or told.get("cipher") != _CIPHER:
        raise damaged(f"its secrets are encrypted neither by {_KDF} nor by {_CIPHER}")
    n, r, p = (told.get(name) for name in SCRYPT)
    if not (isinstance(n, int) and isinstance(r, int) and isinstance(p, int)):
        raise damaged("it does not say how its passphrase is used")
    if n < 2 or n & (n - 1) or r < 1 or not 1 <= p <= MOST_ROUNDS or 128 * n * r > MOST_BYTES:
        raise damaged("it asks for too much to be done with its passphrase")
    try:
        salt = a2b_base64(str(told.get("salt", "")), strict_mode=True)
    except Error:
        raise damaged("its salt is none") from None
    cipher = Cipher(_aead(passphrase, salt, n, r, p), dict(told))
    try:
        cipher.open(str(told.get("check", "")), "check")
    except BackupRefused:
        text = "X-Backup-Passphrase is not the one with which the backup was encrypted; nothing was changed"
        raise BackupRefused("passphrase_wrong", text) from None
    return cipher


def _aead(passphrase: bytes, salt: bytes, n: int, r: int, p: int) -> Any:
    return _threads.run(lambda: _derived(passphrase, salt, n, r, p), PATIENCE_S)


def _derived(passphrase: bytes, salt: bytes, n: int, r: int, p: int) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return AESGCM(Scrypt(salt, 32, n=n, r=r, p=p).derive(passphrase))
