"""The tables, as the newest migration leaves them. Their names begin with `gateway_`: a database may hold others'.

A change here has a migration beside it, in `migrations/versions`; a test compares both.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects.mysql import MEDIUMTEXT

from app.core.request_log.rows import LogRow

NAME_LENGTH: Final = 255
"""Of what operators and clients name. Longer ones are cut when they are written."""
REQUEST_LENGTH: Final = 128
ID_LENGTH: Final = 40
WORD_LENGTH: Final = 64
"""Of words that are ours."""
SHORT_LENGTH: Final = 32
"""Of those that an index holds: one of MySQL's may have 3,072 bytes, four for each character."""

BINARY: Final[dict[str, Any]] = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin", "mysql_engine": "InnoDB"}
"""MySQL then tells upper from lower case, as the other two do. Each table says it."""

whole: Final = BigInteger().with_variant(Integer, "sqlite")
"""SQLite makes a rowid only of a primary key that is INTEGER."""

metadata: Final = MetaData()

log_state: Final = Table(
    "gateway_log_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="1: there is one row"),
    Column("database_id", String(WORD_LENGTH), nullable=False),
    Column("last_id", BigInteger, nullable=False, comment="Of the rows that were written"),
    **BINARY,
)

FILTERS: Final = (
    *("at_ms", "id", "final", "stream", "status", "outcome"),
    *("dialect", "channel_id", "token_id", "model", "key_id", "mapping"),
)
"""Columns of the index that answers any filter by itself, in the order in which rows are listed.

Whatever is asked for, and also where nothing fits, SQLite passes a million of its entries in 60 ms; rows themselves
would take a second. So a page is found there by `id IN (SELECT id ... LIMIT n)`, and rows are read for the page alone.
"""

logs: Final = Table(
    "gateway_logs",
    metadata,
    Column("id", whole, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("request_id", String(REQUEST_LENGTH), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("token_id", String(ID_LENGTH), nullable=False),
    Column("token", String(NAME_LENGTH), nullable=False),
    Column("client", String(WORD_LENGTH), nullable=False),
    Column("method", String(WORD_LENGTH), nullable=False),
    Column("path", Text, nullable=False),
    Column("mapping", String(NAME_LENGTH), nullable=False),
    Column("channel_id", String(ID_LENGTH), nullable=False),
    Column("channel", String(NAME_LENGTH), nullable=False),
    Column("key_id", String(ID_LENGTH), nullable=False),
    Column("key_hint", String(WORD_LENGTH), nullable=False),
    Column("dialect", String(SHORT_LENGTH), nullable=False),
    Column("model", String(NAME_LENGTH), nullable=False),
    Column("upstream_model", String(NAME_LENGTH), nullable=False),
    Column("status", Integer, nullable=False),
    Column("outcome", String(SHORT_LENGTH), nullable=False),
    Column("reason", Text, nullable=False),
    Column("stream", Boolean, nullable=False),
    Column("first_byte_ms", Float(53)),
    Column("first_content_ms", Float(53)),
    Column("duration_ms", Float(53), nullable=False),
    Column("usage", Text, comment="A core.usage.Usage as JSON list"),
    Column("cost_nano", BigInteger),
    Column("unpriced", Boolean, nullable=False),
    Column("price_version", String(WORD_LENGTH), nullable=False),
    Column("request_bytes", BigInteger, nullable=False),
    Column("response_bytes", BigInteger, nullable=False),
    Column("trace_id", String(WORD_LENGTH), nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Index("gateway_logs_filters", *FILTERS),
    Index("gateway_logs_request", "request_id"),
    Index("gateway_logs_token", "token_id", "at_ms", "id"),
    Index("gateway_logs_channel", "channel_id", "at_ms", "id"),
    Index("gateway_logs_key", "key_id", "at_ms", "id"),
    Index("gateway_logs_model", "model", "at_ms", "id"),
    **BINARY,
)
"""The request log: a row's id, and what `core.request_log.rows.LogRow` has, in its order."""

COLUMNS: Final = ("id", *LogRow._fields)
"""Of `logs`, in the order in which rows are written."""

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
    Column("keys_versions", LONG, nullable=False, comment="JSON: by channel"),
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
