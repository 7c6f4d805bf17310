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
    _make_logs()


def _make_logs() -> None:
    make_table(
        "gateway_logs",
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
        Column("at_ms", BigInteger, nullable=False),
        Column("request_id", String(128), nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("final", Boolean, nullable=False),
        Column("token_id", String(40), nullable=False),
        Column("token", String(255), nullable=False),
        Column("client", String(64), nullable=False),
        Column("method", String(64), nullable=False),
        Column("path", Text, nullable=False),
        Column("mapping", String(255), nullable=False),
        Column("channel_id", String(40), nullable=False),
        Column("channel", String(255), nullable=False),
        Column("key_id", String(40), nullable=False),
        Column("key_hint", String(64), nullable=False),
        Column("dialect", String(32), nullable=False),
        Column("model", String(255), nullable=False),
        Column("upstream_model", String(255), nullable=False),
        Column("status", Integer, nullable=False),
        Column("outcome", String(32), nullable=False),
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
    _make_indexes()


def _make_indexes() -> None:
    make_index(
        "gateway_logs_filters",
        "gateway_logs",
        *("at_ms", "id", "final", "stream", "status", "outcome"),
        *("dialect", "channel_id", "token_id", "model", "key_id", "mapping"),
    )
    make_index("gateway_logs_request", "gateway_logs", "request_id")
    for name, column in (("token", "token_id"), ("channel", "channel_id"), ("key", "key_id"), ("model", "model")):
        make_index(f"gateway_logs_{name}", "gateway_logs", column, "at_ms", "id")
