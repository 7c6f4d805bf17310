"""The tables come to be by themselves, whoever starts first."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from app.core.request_log.traits import TRAITS
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.errors import DatabaseNewer
from app.storage.sql.migrating import VERSION_TABLE, bring_up_to_date
from app.storage.sql.tables import log_traits, logs, metadata


def differences(database: WorkerDatabase) -> list[str]:
    """Between the tables that are there and those that the code knows. Comments are for who reads the code."""
    options = {"version_table": VERSION_TABLE, "compare_type": True}
    found = database.run(lambda one: compare_metadata(MigrationContext.configure(one, opts=options), metadata))
    return [text for one in found if "modify_comment" not in (text := str(one))]


def test_the_migrations_make_the_tables_that_the_code_knows(database: WorkerDatabase) -> None:
    """Whoever changes one of both changes the other."""
    assert differences(database) == []


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
