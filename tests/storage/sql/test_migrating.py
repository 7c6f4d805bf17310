"""The tables come to be by themselves, whoever starts first."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select

from app.core.request_log.traits import TRAITS
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.errors import DatabaseNewer
from app.storage.sql.migrating import bring_up_to_date
from app.storage.sql.tables import NEWEST, VERSION_TABLE, log_traits, logs, metadata, schema_version
from app.storage.sql.upgrading import upgrade
from tests.support.databases import sqlite_database


def differences(database: WorkerDatabase) -> list[str]:
    """Between the tables that are there and those that the code knows. Comments are for who reads the code."""
    options = {"version_table": VERSION_TABLE, "compare_type": True}
    found = database.run(lambda one: compare_metadata(MigrationContext.configure(one, opts=options), metadata))
    return [text for one in found if "modify_comment" not in (text := str(one))]


def test_a_new_database_has_the_tables_that_the_code_knows(database: WorkerDatabase) -> None:
    assert differences(database) == []


def test_the_migrations_make_the_same(opened: Callable[[], WorkerDatabase]) -> None:
    """Whoever changes the tables adds a migration, and names its version as the newest."""
    database = opened()
    database.run(lambda one: upgrade(one, None))
    assert differences(database) == []
    assert database.run(lambda one: one.execute(select(schema_version)).scalars().all()) == [NEWEST]


def test_in_sqlite_both_are_alike_to_the_letter(tmp_path: Path) -> None:
    """Indexes and what only SQLite knows, too."""

    def schema(name: str, make: Callable[[WorkerDatabase], object]) -> set[str]:
        (tmp_path / name).mkdir()
        database = sqlite_database(tmp_path / name)
        make(database)
        said = database.run(lambda one: one.exec_driver_sql("SELECT sql FROM sqlite_master").scalars().all())
        database.close()
        return {" ".join(text.split()) for text in said if text}

    assert schema("new", bring_up_to_date) == schema("migrated", lambda one: one.run(lambda it: upgrade(it, None)))


def test_alembic_is_imported_for_an_older_database_alone(tmp_path: Path) -> None:
    """It takes as much as a fifth of a worker, for good."""
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from app.storage.sql.migrating import bring_up_to_date\n"
        "from tests.support.databases import sqlite_database\n"
        "for _ in range(2):\n"
        "    database = sqlite_database(Path(sys.argv[1])); bring_up_to_date(database); database.close()\n"
        "assert not {'alembic', 'mako'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path], check=True, timeout=20)


def test_workers_that_start_at_once_agree_on_one_database(opened: Callable[[], WorkerDatabase]) -> None:
    """One makes the tables, the others wait for it; and all are told the same id, later ones too."""
    databases = [opened() for _ in range(4)]
    ids: list[str] = []
    threads = [threading.Thread(target=lambda one=one: ids.append(bring_up_to_date(one))) for one in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 4
    assert {*ids, bring_up_to_date(databases[0])} == {ids[0]}


def test_tables_of_a_newer_version_are_refused(database: WorkerDatabase) -> None:
    """With a sentence that says what to do, and nothing changed."""
    database.run(lambda one: one.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(DatabaseNewer, match=r"9999.*run that version"):
        bring_up_to_date(database)


def test_the_log_has_a_column_for_each_field_of_a_row() -> None:
    """In the same order, behind the id."""
    assert tuple(log_traits.columns.keys()) == ("id", "first_at_ms", "last_at_ms", *TRAITS, "searched")


def test_a_step_that_was_cut_off_is_done_to_its_end(opened: Callable[[], WorkerDatabase]) -> None:
    """MySQL keeps what was done of it: the tables may be there without their indexes, and nobody knows the version."""
    database = opened()
    database.run(lambda one: metadata.create_all(one, tables=[logs]))
    for index in ("gateway_logs_at", "gateway_logs_traits"):
        dropped = next(one for one in logs.indexes if one.name == index)
        database.run(lambda one, index=dropped: index.drop(one))
    bring_up_to_date(database)
    assert differences(database) == []
