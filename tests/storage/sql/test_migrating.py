"""The tables come to be by themselves, whoever starts first."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from app.core.request_log.traits import TRAITS
from app.storage.sql.errors import DatabaseNewer
from app.storage.sql.migrating import VERSION_TABLE, bring_up_to_date
from app.storage.sql.tables import log_traits, metadata
from tests.support.databases import sqlite_database


def test_the_migrations_make_the_tables_that_the_code_knows(tmp_path: Path) -> None:
    """Whoever changes one of both changes the other."""
    database = sqlite_database(tmp_path)
    bring_up_to_date(database)
    options = {"version_table": VERSION_TABLE, "compare_type": True}
    assert database.run(lambda one: compare_metadata(MigrationContext.configure(one, opts=options), metadata)) == []
    database.close()


def test_workers_that_start_at_once_agree_on_one_database(tmp_path: Path) -> None:
    """One makes the tables, the others wait for it; and all are told the same id, later ones too."""
    databases = [sqlite_database(tmp_path) for _ in range(4)]
    ids: list[str] = []
    threads = [threading.Thread(target=lambda one=one: ids.append(bring_up_to_date(one))) for one in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 4
    assert {*ids, bring_up_to_date(databases[0])} == {ids[0]}
    for database in databases:
        database.close()


def test_tables_of_a_newer_version_are_refused(tmp_path: Path) -> None:
    """With a sentence that says what to do, and nothing changed."""
    database = sqlite_database(tmp_path)
    bring_up_to_date(database)
    database.run(lambda one: one.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(DatabaseNewer, match=r"9999.*run that version"):
        bring_up_to_date(database)
    database.close()


def test_the_log_has_a_column_for_each_field_of_a_row() -> None:
    """In the same order, behind the id."""
    assert tuple(log_traits.columns.keys()) == ("id", "first_at_ms", "last_at_ms", *TRAITS, "searched")
