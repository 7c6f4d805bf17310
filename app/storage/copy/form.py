"""What the operator said as it stands in the copy: secrets are sealed with `ENCRYPTION_KEY`, or left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

import orjson

from app.core.backup.form import NAMES, TABLES, BackupRefused, Tables, entries_of, ids_by_name, text_of, value_of
from app.core.backup.secret_values import Seal, leave_out, seal, unseal
from app.core.snapshot import CHANNELS, Table
from app.storage.secrets import Secrets

ALL_TABLES = (*TABLES, NAMES)


def written(tables: Mapping[str, Table], secrets: Secrets) -> list[tuple[str, str, str]]:
    """Table, field and value as JSON."""
    fields = []
    for table, field, text in entries_of(tables):
        value = value_of(text)
        if secrets.encrypts:
            seal(table, field, value, secrets.seal)
        else:
            leave_out(table, value)
        fields.append((table, field, orjson.dumps(value).decode()))
    return fields


def read(fields: Iterable[tuple[str, str, str]], opening: Seal) -> Tables:
    """The reverse, with what is worked out of it. Raises what `opening` does."""
    tables: Tables = {table: {} for table in ALL_TABLES}
    for table, field, text in fields:
        value = orjson.loads(text)
        unseal(table, field, value, opening)
        tables.setdefault(table, {})[field] = text_of(value)
    with suppress(BackupRefused):
        tables[NAMES] = ids_by_name(tables[CHANNELS.tables[0]])
    return tables
