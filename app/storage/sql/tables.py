"""The tables, as a new database gets them. Their names begin with `gateway_`: a database may hold others'.

A change here has a migration beside it, in `migrations/versions`, and is the NEWEST; a test compares both.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects.mysql import MEDIUMTEXT

NAME_LENGTH: Final = 255
"""Of what operators and clients name. Longer ones are cut when they are written."""
ID_LENGTH: Final = 128
WORD_LENGTH: Final = 64
"""Of words that are ours."""
TEXT_LENGTH: Final = 1000
"""Of sentences and paths."""

BINARY: Final[dict[str, Any]] = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin", "mysql_engine": "InnoDB"}
"""MySQL then tells upper from lower case, as the other two do. Each table says it."""

whole: Final = BigInteger().with_variant(Integer, "sqlite")
"""SQLite makes a rowid only of a primary key that is INTEGER."""

metadata: Final = MetaData()

NEWEST: Final = "0003"
"""The version of these tables: the newest of `migrations/versions`."""
VERSION_TABLE: Final = "gateway_schema"
schema_version: Final = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)
"""Which version the tables have, as alembic writes it."""

log_state: Final = Table(
    "gateway_log_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="1: there is one row"),
    Column("database_id", String(WORD_LENGTH), nullable=False),
    Column("last_id", BigInteger, nullable=False, comment="Of the rows that were written"),
    **BINARY,
)

logs: Final = Table(
    "gateway_logs",
    metadata,
    Column("id", whole, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("request_id", String(ID_LENGTH), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("traits_id", BigInteger, nullable=False, comment="Of log_traits"),
    Column("first_byte_ms", Double),
    Column("first_content_ms", Double),
    Column("duration_ms", Double, nullable=False),
    Column("usage", Text, comment="A core.usage.Usage as JSON list"),
    Column("cost_nano", BigInteger),
    Column("request_bytes", BigInteger, nullable=False),
    Column("response_bytes", BigInteger, nullable=False),
    Column("trace_id", String(WORD_LENGTH), nullable=False),
    Index("gateway_logs_at", "at_ms", "id", "traits_id"),
    Index("gateway_logs_traits", "traits_id", "at_ms", "id"),
    Index("gateway_logs_request", "request_id"),
    **BINARY,
)
"""The request log: of each row what it shares with no other. The indexes are what `storage/sql/logs/pages.py` walks."""

log_traits: Final = Table(
    "gateway_log_traits",
    metadata,
    Column("id", whole, primary_key=True, autoincrement=False, comment="core.request_log.traits.id_of"),
    Column("first_at_ms", BigInteger, nullable=False, comment="Not after the first of its rows"),
    Column("last_at_ms", BigInteger, nullable=False, comment="Of the last of its rows"),
    Column("token_id", String(WORD_LENGTH), nullable=False),
    Column("channel_id", String(WORD_LENGTH), nullable=False),
    Column("key_id", String(WORD_LENGTH), nullable=False),
    Column("mapping", String(NAME_LENGTH), nullable=False),
    Column("model", String(NAME_LENGTH), nullable=False),
    Column("dialect", String(WORD_LENGTH), nullable=False),
    Column("status", Integer, nullable=False),
    Column("outcome", String(WORD_LENGTH), nullable=False),
    Column("stream", Boolean, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("token", String(NAME_LENGTH), nullable=False),
    Column("client", String(WORD_LENGTH), nullable=False),
    Column("reason", String(TEXT_LENGTH), nullable=False),
    Column("path", String(TEXT_LENGTH), nullable=False),
    Column("method", String(WORD_LENGTH), nullable=False),
    Column("channel", String(NAME_LENGTH), nullable=False),
    Column("key_hint", String(WORD_LENGTH), nullable=False),
    Column("upstream_model", String(NAME_LENGTH), nullable=False),
    Column("unpriced", Boolean, nullable=False),
    Column("price_version", String(WORD_LENGTH), nullable=False),
    Column("user_agent", String(TEXT_LENGTH), nullable=False),
    Column("searched", Text, nullable=False, comment="core.request_log.traits.searched_text"),
    **BINARY,
)
"""What rows have in common, each combination once, in the order of `core.request_log.traits.TRAITS`."""

LONG: Final = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")
"""Of 16 MiB; MySQL's TEXT ends at 64 KiB."""

audit: Final = Table(
    "gateway_audit",
    metadata,
    Column("id", String(WORD_LENGTH), primary_key=True, comment="Given by whoever wrote the entry"),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", String(NAME_LENGTH), nullable=False),
    Column("action", String(WORD_LENGTH), nullable=False),
    Column("object", String(NAME_LENGTH), nullable=False),
    Column("before", Text, comment="JSON"),
    Column("after", Text, comment="JSON"),
    Index("gateway_audit_at", "at_ms", "id"),
    **BINARY,
)
"""What was done by the admin API: `core.audit.entry.Entry`."""

catalogue_state: Final = Table(
    "gateway_catalogue_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="1: there is one row"),
    Column("version", BigInteger, nullable=False, comment="Of the catalogue that was copied"),
    Column("origin", Text, nullable=False),
    Column("stamps", Text, nullable=False),
    Column("copied_at_ms", BigInteger, nullable=False),
    Column("keys_version", BigInteger, nullable=False),
    Column("keys_last_id", BigInteger, nullable=False),
    Column("keys_versions", LONG, nullable=False, comment="JSON: by channel, and the history"),
    **BINARY,
)
"""Of what state the copy is."""

catalogue: Final = Table(
    "gateway_catalogue",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("noun_table", String(WORD_LENGTH), nullable=False),
    Column("field", Text, nullable=False),
    Column("value", LONG, nullable=False, comment="As JSON; its secrets encrypted with ENCRYPTION_KEY"),
    **BINARY,
)
"""All that the operator said, but keys."""

catalogue_keys: Final = Table(
    "gateway_catalogue_keys",
    metadata,
    Column("id", whole, primary_key=True, autoincrement=False),
    Column("channel_id", String(WORD_LENGTH), nullable=False),
    Column("stored", LONG, nullable=False, comment="As Redis keeps it: encrypted with ENCRYPTION_KEY"),
    Index("gateway_catalogue_keys_channel", "channel_id", "id"),
    **BINARY,
)
"""Keys of channels, encrypted ones alone."""
