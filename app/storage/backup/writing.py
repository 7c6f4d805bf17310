"""A backup as it is written: in pieces, each of little work, whatever the number of keys."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson

from app.core.backup.form import ENCRYPTED, FORM, LEFT_OUT, entries_of, value_of
from app.core.backup.secret_values import leave_out, seal
from app.core.channels.keys import StoredKey
from app.core.judging.troubles import Trouble, read
from app.core.snapshot import CHANNELS, Table
from app.storage.backup.passphrase import Cipher
from app.storage.catalog.catalog import Catalog
from app.storage.health.stored import StoredHealth
from app.storage.health.subjects import KEY
from app.storage.keys.listing import stored_in
from app.storage.keys.pools import KeyPools
from app.storage.secrets import CannotOpen

PIECE_BYTES: Final = 32_768
KEYS_AN_ENTRY: Final = 250

Blacklisted = dict[str, dict[int, bytes]]
"""By channel and key: the trouble as it is stored."""


class Backup:
    """What is said at the moment when it is made; keys that are changed while it is written may be told either way."""

    def __init__(
        self,
        catalog: Catalog,
        pools: KeyPools,
        stored_health: StoredHealth,
        cipher: Cipher | None,
        pause: Callable[[], object],
    ) -> None:
        """`cipher`: None leaves secrets out. Raises RedisError."""
        self._pools = pools
        self._cipher = cipher
        self._pause = pause
        pools.load()
        self.version = catalog.look().version
        self._tables: Mapping[str, Table] = catalog.tables()
        self._blacklisted = self._read_blacklist(stored_health) if cipher is not None else {}

    @property
    def channels(self) -> list[str]:
        """Their ids, in their order."""
        return sorted(self._tables[CHANNELS.tables[0]], key=lambda one: (len(one), one))

    def counted_keys(self) -> int:
        """How many keys stand in it."""
        return sum(len(self._pools.of(one)) for one in self.channels) if self._cipher is not None else 0

    def written(self, product: str, made_at_ms: int) -> Iterator[bytes]:
        """The document."""
        heading: dict[str, Any] = {"backup": FORM, "product": product, "made_at_ms": made_at_ms}
        heading |= {"version": self.version, "secrets": ENCRYPTED if self._cipher is not None else LEFT_OUT}
        if self._cipher is not None:
            heading["encryption"] = self._cipher.told
        yield orjson.dumps(heading).removesuffix(b"}") + b',\n"entries":'
        total = hashlib.sha256()
        for piece in self._pieces():
            total.update(piece)
            yield piece
            self._pause()
        yield b',\n"sha256":"%b"}\n' % total.hexdigest().encode()

    def _pieces(self) -> Iterator[bytes]:
        pieces, size, sign = [b"["], 1, b"\n"
        for entry in self._entries():
            pieces += sign, entry
            size += len(entry) + 2
            sign = b",\n"
            if size > PIECE_BYTES:
                yield b"".join(pieces)
                pieces, size = [], 0
        yield b"".join([*pieces, b"\n]"])

    def _entries(self) -> Iterator[bytes]:
        for table, field, text in entries_of(self._tables):
            value = value_of(text)
            if self._cipher is None:
                leave_out(table, value)
            else:
                seal(table, field, value, self._cipher.seal)
            yield orjson.dumps({"table": table, "field": field, "value": value})
        if self._cipher is None:
            return
        for channel_id in self.channels:
            blacklisted = self._blacklisted.get(channel_id, {})
            for keys in stored_in(self._pools.of(channel_id)):
                told = [self._key(self._cipher, channel_id, key, blacklisted.get(key.id, b"")) for key in keys]
                if told:
                    yield orjson.dumps({"channel": channel_id, "keys": told})

    def _key(self, cipher: Cipher, channel_id: str, key: StoredKey, trouble: bytes) -> dict[str, Any]:
        """One that ENCRYPTION_KEY does not open stands there as it is sealed: whoever has that key can restore it."""
        told: dict[str, Any] = {"id": key.id}
        try:
            secret = self._pools.stored.secrets.open(key.sealed, channel_id)
            told["secret"] = cipher.seal(secret, f"key {key.id} of channel {channel_id}")
        except CannotOpen:
            told["sealed"] = key.sealed
        if key.note:
            told["note"] = key.note
        if key.models:
            told["models"] = key.models
        if not key.enabled:
            told["enabled"] = False
        if trouble:
            told["blacklisted"] = told_of(read(trouble))
        return told

    def _read_blacklist(self, stored_health: StoredHealth) -> Blacklisted:
        """Raises RedisError."""
        found: Blacklisted = {}
        for some in stored_health.troubles():
            for field, raw in some.items():
                channel_id, name = orjson.loads(field)
                if name.startswith(KEY) and name[1:].isdecimal() and read(raw).blacklisted_ms:
                    found.setdefault(channel_id, {})[int(name[1:])] = raw
            self._pause()
        return found


def told_of(trouble: Trouble) -> dict[str, Any]:
    """What a backup says of a key on the blacklist."""
    names = ("failures", "refusals", "outcome", "text")
    return {"since_ms": trouble.blacklisted_ms, **{name: getattr(trouble, name) for name in names}}
