"""What rows of the request log add up to by quarters of an hour and hours."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, String

from app.storage.sql.migrations.making import make_index, make_table

revision = "0003"
down_revision = "0002"

BINARY = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin", "mysql_engine": "InnoDB"}
TEXTS = "channel_id token_id mapping key_id model dialect channel token key_hint".split()
NUMBERS = (
    "requests good errors made of_requests input cached cache_write_5m cache_write_1h output reasoning "
    "reported estimated cost_nano"
).split()


def upgrade() -> None:
    make_table(
        "gateway_stat_cells",
        Column("id", BigInteger, primary_key=True, autoincrement=False),
        Column("last_at_ms", BigInteger, nullable=False),
        *(Column(name, String(255), nullable=False) for name in TEXTS),
        sqlite_with_rowid=False,
        **BINARY,
    )
    make_index("gateway_stat_cells_last", "gateway_stat_cells", "last_at_ms")
    for name in ("gateway_stat_quarters", "gateway_stat_hours"):
        make_table(
            name,
            Column("at_ms", BigInteger, primary_key=True, autoincrement=False),
            Column("cell", BigInteger, primary_key=True, autoincrement=False),
            *(Column(number, BigInteger, nullable=False) for number in NUMBERS),
            Column("bins", LargeBinary(65_535), nullable=False),
            Column("minutes", LargeBinary(65_535), nullable=False),
            sqlite_with_rowid=False,
            **BINARY,
        )
