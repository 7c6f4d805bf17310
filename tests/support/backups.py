"""One process of a gateway, as far as it keeps what the operator said, with a word of each noun to say."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from app.core.backup.form import read_heading
from app.core.callers.access import hash_of
from app.core.channels.keys import StoredKey
from app.core.judging.troubles import Trouble, written
from app.core.settings import Limits, Settings
from app.storage.backup.passphrase import Cipher, new_cipher
from app.storage.backup.reading import Document, read
from app.storage.backup.restoring import Restore
from app.storage.backup.writing import Backup
from app.storage.catalog import access_tokens, channels, mappings, outcome_rules, prices, settings
from app.storage.catalog.catalog import Catalog
from app.storage.connections import Redis
from app.storage.health.stored import Change, StoredHealth, field_of
from app.storage.keys.form import Edit
from app.storage.keys.listing import stored_in
from app.storage.keys.pools import KeyPools
from app.storage.secrets import Secrets

PROXY = "http://me:s3cret-of-the-proxy@proxy.example:3128"
PASSPHRASE = b"correct horse"
SECRETS = ("s3cret-of-the-proxy", "sk-in-a-rule", "sk-one", "sk-two", "sk-gw-of-alice")
"""What begins secrets that `say_something` says."""


def nothing(*_: Any) -> None:
    """Of no account."""


class Keeping:
    """One gateway process, as far as it keeps what was said."""

    def __init__(self, redis: Redis, *encryption_keys: str) -> None:
        self.redis = redis
        self.catalog = Catalog(redis, Limits(), Settings())
        self.pools = KeyPools(redis, Secrets(encryption_keys, rounds=1))
        self.health = StoredHealth(redis, "")
        self.catalog.load()
        self.pools.load()

    def say_something(self) -> None:
        """A word of each noun, and keys in each state."""
        settings.change(self.catalog, {"idle_timeout": 61.5, "empty_is_error": True})
        mappings.add(self.catalog, "/a", "https://a.example/v1", {"proxy_url": PROXY})
        mappings.add(self.catalog, "/b", "https://b.example")
        one = self.channel("one", proxy_url=PROXY, header_rules=[
            {"action": "set", "name": "X-Vendor-Token", "value": "sk-in-a-rule"},
            {"action": "set", "name": "User-Agent", "value": "me"},
        ])  # fmt: skip
        two = self.channel("二", priority=7)
        self.add_keys(one, [f"sk-one-{number:03}" for number in range(300)])
        self.add_keys(two, ["sk-two-000"])
        self.change_key(one, 3, note="mine", models=("m",))
        self.change_key(one, 5, enabled=False)
        trouble = Trouble(1, 3, 77, refusals=3, blacklisted_ms=78, outcome="key_invalid", text="no such key")
        self.health.store([Change(field_of(one, "k7"), b"", written(trouble))], None, 0, 0)
        said = {"name": "alice", "budgets": {"total_usd": "20"}}
        access_tokens.take(self.catalog, [(said, hash_of("sk-gw-of-alice"), "sk-gw-of…lice")])
        outcome_rules.put(self.catalog, [{"status": "418", "blame": "key"}])
        prices.put(self.catalog, [{"model": "m", "input": "1", "output": "2"}])

    def channel(self, name: str, **said: Any) -> str:
        least = {"dialects": ["openai"], "urls": [{"url": "https://up.example"}], "models": [{"name": "m"}]}
        return channels.add(self.catalog, {"name": name, **least, **said}, nothing).id

    def add_keys(self, channel_id: str, secrets: list[str]) -> None:
        self.pools.stored.add(channel_id, self.pools.load(), [(one, StoredKey(0, "")) for one in secrets])
        self.pools.load()

    def change_key(self, channel_id: str, id: int, **said: Any) -> None:
        pool = self.pools.of(channel_id)
        key = pool.stored_at(pool.place_of(id))
        assert self.pools.stored.change(channel_id, self.pools.load(), [Edit(key, key._replace(**said))]) == 1
        self.pools.load()

    def backup(self, cipher: Cipher | None) -> dict[str, Any]:
        pieces = Backup(self.catalog, self.pools, self.health, cipher, nothing).written("0.1.0", 1)
        told: dict[str, Any] = json.loads(b"".join(pieces))
        return told

    def opened(self) -> dict[str, Any]:
        """All that a backup says, its secrets open; without what no two backups share."""
        cipher = new_cipher(PASSPHRASE)
        told = self.backup(cipher)
        for entry in told["entries"]:
            for key in entry.get("keys", ()):
                key["secret"] = cipher.open(key["secret"], f"key {key['id']} of channel {entry['channel']}")
        document = document_of(self.backup(cipher), cipher)
        return {"tables": document.tables, "keys": [entry for entry in told["entries"] if "keys" in entry]}

    def restore(self, told: Any, cipher: Cipher | None, **also: Any) -> Restore:
        return self.restoring(document_of(told, cipher), nothing, **also)

    def restoring(self, document: Document, pause: Callable[[], object], *, only_here: bool = True) -> Restore:
        return Restore(self.catalog, self.pools, self.health, document, pause, only_here=only_here)

    def secrets_of(self, channel_id: str) -> list[str]:
        self.pools.load()
        keys = [key for keys in stored_in(self.pools.of(channel_id)) for key in keys]
        return [self.pools.stored.secrets.open(key.sealed, channel_id) for key in keys]


def document_of(told: dict[str, Any], cipher: Cipher | None) -> Document:
    told = {name: value for name, value in told.items() if name != "sha256"}
    return read(read_heading(told, "0.1.0"), cipher, [json.dumps(told["entries"]).encode()], nothing)
