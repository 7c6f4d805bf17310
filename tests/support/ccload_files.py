"""SQLite files as ccLoad 1.66 and 4.7 make them, by the schema of each."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from typing import Any

V1_66 = """
CREATE TABLE schema_migrations (version TEXT PRIMARY KEY, applied_at INTEGER NOT NULL);
CREATE TABLE channels (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, url TEXT NOT NULL,
    priority INTEGER NOT NULL DEFAULT 0,
    channel_type TEXT NOT NULL DEFAULT 'anthropic', enabled INTEGER NOT NULL DEFAULT 1,
    cooldown_until INTEGER NOT NULL DEFAULT 0, cooldown_duration_ms INTEGER NOT NULL DEFAULT 0,
    daily_cost_limit REAL NOT NULL DEFAULT 0, created_at INTEGER NOT NULL DEFAULT 0,
    updated_at INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE api_keys (
    id INTEGER PRIMARY KEY AUTOINCREMENT, channel_id INTEGER NOT NULL, key_index INTEGER NOT NULL,
    api_key TEXT NOT NULL,
    key_strategy TEXT NOT NULL DEFAULT 'sequential', cooldown_until INTEGER NOT NULL DEFAULT 0,
    cooldown_duration_ms INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL DEFAULT 0,
    updated_at INTEGER NOT NULL DEFAULT 0, UNIQUE (channel_id, key_index),
    FOREIGN KEY (channel_id) REFERENCES channels(id) ON DELETE CASCADE
);
CREATE TABLE channel_models (
    channel_id INTEGER NOT NULL, model TEXT NOT NULL, redirect_model TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (channel_id, model)
);
CREATE TABLE auth_tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE, description TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT 0, expires_at INTEGER NOT NULL DEFAULT 0,
    last_used_at INTEGER NOT NULL DEFAULT 0,
    is_active INTEGER NOT NULL DEFAULT 1, success_count INTEGER NOT NULL DEFAULT 0,
    total_cost_usd REAL NOT NULL DEFAULT 0,
    cost_used_microusd INTEGER NOT NULL DEFAULT 0, cost_limit_microusd INTEGER NOT NULL DEFAULT 0,
    allowed_models TEXT NOT NULL DEFAULT ''
);
CREATE TABLE system_settings (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, value_type TEXT NOT NULL DEFAULT 'int',
    description TEXT NOT NULL DEFAULT '', default_value TEXT NOT NULL, updated_at INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE admin_sessions (token TEXT PRIMARY KEY, expires_at INTEGER NOT NULL, created_at INTEGER NOT NULL);
CREATE TABLE logs (id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, model TEXT NOT NULL DEFAULT '');
"""
TO_V4_7 = """
ALTER TABLE channels ADD COLUMN rpm_limit INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channels ADD COLUMN max_concurrency INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channels ADD COLUMN auth_type TEXT NOT NULL DEFAULT 'api_key';
ALTER TABLE channels ADD COLUMN oauth_credential TEXT;
ALTER TABLE channels ADD COLUMN websockets INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channels ADD COLUMN protocol_transform_mode TEXT NOT NULL DEFAULT 'auto';
ALTER TABLE channels ADD COLUMN scheduled_check_enabled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channels ADD COLUMN scheduled_check_model TEXT NOT NULL DEFAULT '';
ALTER TABLE channels ADD COLUMN cost_multiplier REAL NOT NULL DEFAULT 1;
ALTER TABLE channels ADD COLUMN custom_request_rules TEXT;
ALTER TABLE channels ADD COLUMN cooldown_detection_rules TEXT;
ALTER TABLE channels ADD COLUMN proxy_url TEXT NOT NULL DEFAULT '';
ALTER TABLE channels ADD COLUMN available_time_start TEXT NOT NULL DEFAULT '';
ALTER TABLE channels ADD COLUMN available_time_end TEXT NOT NULL DEFAULT '';
ALTER TABLE channels ADD COLUMN retry_other_keys_on_failure INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN note TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN allowed_models TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN model_scope_empty INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN cost_multiplier REAL NOT NULL DEFAULT 1;
ALTER TABLE channel_models ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channel_models ADD COLUMN pricing TEXT;
ALTER TABLE auth_tokens ADD COLUMN cost_daily_limit_microusd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE auth_tokens ADD COLUMN cost_monthly_limit_microusd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE auth_tokens ADD COLUMN allowed_channel_ids TEXT NOT NULL DEFAULT '';
ALTER TABLE auth_tokens ADD COLUMN channel_restriction_mode TEXT NOT NULL DEFAULT 'allow';
ALTER TABLE auth_tokens ADD COLUMN max_concurrency INTEGER NOT NULL DEFAULT 0;
CREATE TABLE channel_model_cooldowns (
    channel_id INTEGER NOT NULL, model TEXT NOT NULL, cooldown_until INTEGER NOT NULL,
    cooldown_duration_ms INTEGER NOT NULL DEFAULT 0, updated_at INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (channel_id,
    model)
);
CREATE TABLE channel_url_states (
    channel_id INTEGER NOT NULL, url_hash TEXT NOT NULL, url TEXT NOT NULL, disabled INTEGER NOT NULL DEFAULT 0,
    updated_at INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (channel_id, url_hash)
);
DROP TABLE admin_sessions;
CREATE TABLE web_sessions (token_hash TEXT PRIMARY KEY, role TEXT NOT NULL, expires_at INTEGER NOT NULL);
"""


class CcloadFile:
    """One that its ccLoad has open, in WAL mode, as it is by default."""

    def __init__(self, path: Path, schema: str = V1_66, *, journal_mode: str = "WAL") -> None:
        self.path = path
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute(f"PRAGMA journal_mode = {journal_mode}")
        self.connection.executescript(schema)

    def close(self) -> None:
        self.connection.close()

    def add(self, table: str, **values: Any) -> int:
        """The row's id."""
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        cursor = self.connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))
        return int(cursor.lastrowid or 0)

    def channel(
        self, name: str, keys: str = "k", models: str = "m", url: str = "https://one.example", **values: Any
    ) -> int:
        """With keys and models, of which `m=x` is asked for as x."""
        channel_id = self.add("channels", name=name, url=url, **values)
        for place, key in enumerate(keys.split()):
            self.add("api_keys", channel_id=channel_id, key_index=place, api_key=key)
        for place, model in enumerate(models.split()):
            said, _, target = model.partition("=")
            self.add("channel_models", channel_id=channel_id, model=said, redirect_model=target, created_at=place)
        return channel_id

    def token(self, text: str, description: str = "alice", **values: Any) -> int:
        digest = hashlib.sha256(text.encode()).hexdigest()
        return self.add("auth_tokens", token=digest, description=description, **values)
