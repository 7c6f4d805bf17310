"""The request log, and up to which row it is written."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, String, Text

from app.storage.sql.migrations.making import make_index, make_table

revision = "0001"
down_revision = None

BINARY = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin", "mysql_engine": "InnoDB"}


def upgrade() -> None:
    make_table(
        "gateway_log_state",
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("database_id", String(64), nullable=False),
        Column("last_id", BigInteger, nullable=False),
        **BINARY,
    )
    make_table(
        "gateway_logs",
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
        Column("at_ms", BigInteger, nullable=False),
        Column("request_id", String(128), nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("final", Boolean, nullable=False),
        Column("token_id", String(64), nullable=False),
        Column("token", String(255), nullable=False),
        Column("client", String(64), nullable=False),
        Column("method", String(64), nullable=False),
        Column("path", Text, nullable=False),
        Column("mapping", String(255), nullable=False),
        Column("channel_id", String(64), nullable=False),
        Column("channel", String(255), nullable=False),
        *(Column(name, String(64), nullable=False) for name in ("key_id", "key_hint", "dialect")),
        Column("model", String(255), nullable=False),
        Column("upstream_model", String(255), nullable=False),
        Column("status", Integer, nullable=False),
        Column("outcome", String(64), nullable=False),
        Column("reason", Text, nullable=False),
        Column("stream", Boolean, nullable=False),
        *(Column(name, Float(53)) for name in ("first_byte_ms", "first_content_ms")),
        Column("duration_ms", Float(53), nullable=False),
        Column("usage", Text),
        Column("cost_nano", BigInteger),
        Column("unpriced", Boolean, nullable=False),
        Column("price_version", String(64), nullable=False),
        *(Column(name, BigInteger, nullable=False) for name in ("request_bytes", "response_bytes")),
        Column("trace_id", String(64), nullable=False),
        Column("user_agent", Text, nullable=False),
        Column("attempts", Integer, nullable=False),
        **BINARY,
    )
    make_index("gateway_logs_at", "gateway_logs", "at_ms", "id")
    make_index("gateway_logs_request", "gateway_logs", "request_id")
