"""The request log, what its rows have in common, and up to which row it is written."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, String, Text

from app.storage.sql.migrations.making import make_index, make_table

revision = "0001"
down_revision = None

WHOLE = BigInteger().with_variant(Integer, "sqlite")
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
    _make_traits()


def _make_logs() -> None:
    make_table(
        "gateway_logs",
        Column("id", WHOLE, primary_key=True, autoincrement=False),
        Column("at_ms", BigInteger, nullable=False),
        Column("request_id", String(128), nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("traits_id", BigInteger, nullable=False),
        *(Column(name, Double) for name in ("first_byte_ms", "first_content_ms")),
        Column("duration_ms", Double, nullable=False),
        Column("usage", Text),
        Column("cost_nano", BigInteger),
        *(Column(name, BigInteger, nullable=False) for name in ("request_bytes", "response_bytes")),
        Column("trace_id", String(64), nullable=False),
        **BINARY,
    )
    make_index("gateway_logs_at", "gateway_logs", "at_ms", "id", "traits_id")
    make_index("gateway_logs_traits", "gateway_logs", "traits_id", "at_ms", "id")
    make_index("gateway_logs_request", "gateway_logs", "request_id")


def _make_traits() -> None:
    make_table(
        "gateway_log_traits",
        Column("id", WHOLE, primary_key=True, autoincrement=False),
        *(Column(name, BigInteger, nullable=False) for name in ("first_at_ms", "last_at_ms")),
        *_texts(64, "token_id", "channel_id", "key_id"),
        *_texts(255, "mapping", "model"),
        *_texts(64, "dialect"),
        Column("status", Integer, nullable=False),
        *_texts(64, "outcome"),
        *(Column(name, Boolean, nullable=False) for name in ("stream", "final")),
        *_texts(255, "token"),
        *_texts(64, "client"),
        *_texts(1000, "reason", "path"),
        *_texts(64, "method"),
        *_texts(255, "channel"),
        *_texts(64, "key_hint"),
        *_texts(255, "upstream_model"),
        Column("unpriced", Boolean, nullable=False),
        *_texts(64, "price_version"),
        *_texts(1000, "user_agent"),
        Column("searched", Text, nullable=False),
        **BINARY,
    )


def _texts(length: int, *names: str) -> list[Column[str]]:
    return [Column(name, String(length), nullable=False) for name in names]
