"""The tables of the statistics: a cell stands once in `cells`, and by its id in each quarter and hour of its own."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Table

from app.core.statistics.sums.cells import LONGEST_TEXT, NUMBERS, Dimensions, Names
from app.storage.sql.tables import BINARY, metadata

cells: Final = Table(
    "gateway_stat_cells",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False, comment="Dimensions.id"),
    Column("last_at_ms", BigInteger, nullable=False, comment="Begin of the last hour that counts it"),
    *(Column(name, String(LONGEST_TEXT), nullable=False) for name in (*Dimensions._fields, *Names._fields)),
    Index("gateway_stat_cells_last", "last_at_ms"),
    sqlite_with_rowid=False,
    **BINARY,
)


def _sums(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("at_ms", BigInteger, primary_key=True, autoincrement=False),
        Column("cell", BigInteger, primary_key=True, autoincrement=False),
        *(Column(number, BigInteger, nullable=False) for number in NUMBERS),
        Column(
            "bins",
            LargeBinary(65_535),
            nullable=False,
            comment="Histograms, packed as core/statistics/sums/vectors.py says",
        ),
        Column("minutes", LargeBinary(65_535), nullable=False, comment="Calls and errors by the minute, likewise"),
        sqlite_with_rowid=False,
        **BINARY,
    )


quarters: Final = _sums("gateway_stat_quarters")
hours: Final = _sums("gateway_stat_hours")
"""Each of the same cells, by the begin of the unit and the cell."""
