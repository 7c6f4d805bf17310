"""A file of SQLite that goes while it is open."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.certificate_files import CertificateFiles
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.errors import DatabaseAway
from app.storage.sql.migrating import bring_up_to_date
from app.storage.sql.tables import log_state
from app.wire.database_url import sqlite_file


@pytest.mark.parametrize("is_moved", [False, True], ids=["deleted", "moved away"])
def test_nothing_is_written_into_a_file_that_nobody_will_find(tmp_path: Path, is_moved: bool) -> None:
    path = tmp_path / "gateway.db"
    with closing(WorkerDatabase(sqlite_file(str(path)), CertificateFiles())) as database:
        before = bring_up_to_date(database)
        if is_moved:
            path.rename(tmp_path / "other.db")
        for file in tmp_path.glob("gateway.db*"):
            file.unlink()
        with pytest.raises(DatabaseAway, match="has no tables of ours yet"):
            database.run(lambda one: one.execute(select(func.count()).select_from(log_state)).scalar())
        assert bring_up_to_date(database) != before
        assert path.is_file()
