"""The audit, and the copy of the catalogue."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Text
from sqlalchemy.dialects.mysql import MEDIUMTEXT

from app.storage.sql.migrations.making import make_index, make_table

revision = "0002"
down_revision = "0001"

BINARY = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin", "mysql_engine": "InnoDB"}
LONG = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    make_table(
        "gateway_audit",
        Column("id", String(64), primary_key=True),
        Column("at_ms", BigInteger, nullable=False),
        Column("who", String(255), nullable=False),
        Column("action", String(64), nullable=False),
        Column("object", String(255), nullable=False),
        Column("before", Text),
        Column("after", Text),
        **BINARY,
    )
    make_index("gateway_audit_at", "gateway_audit", "at_ms", "id")
    make_table(
        "gateway_catalogue_state",
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("version", BigInteger, nullable=False),
        Column("origin", Text, nullable=False),
        Column("stamps", Text, nullable=False),
        Column("copied_at_ms", BigInteger, nullable=False),
        Column("keys_version", BigInteger, nullable=False),
        Column("keys_last_id", BigInteger, nullable=False),
        Column("keys_versions", LONG, nullable=False),
        **BINARY,
    )
    make_table(
        "gateway_catalogue",
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("noun_table", String(64), nullable=False),
        Column("field", Text, nullable=False),
        Column("value", LONG, nullable=False),
        **BINARY,
    )
    make_table(
        "gateway_catalogue_keys",
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
        Column("channel_id", String(64), nullable=False),
        Column("stored", LONG, nullable=False),
        **BINARY,
    )
    make_index("gateway_catalogue_keys_channel", "gateway_catalogue_keys", "channel_id", "id")
