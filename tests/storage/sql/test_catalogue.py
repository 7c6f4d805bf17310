"""The copy of what the operator said, in each kind of database."""

from __future__ import annotations

from functools import partial

from app.storage.sql import catalogue
from app.storage.sql.catalogue import CopiedField, CopiedKey, CopyState
from app.storage.sql.database import WorkerDatabase


def test_what_is_copied_is_read_back_as_it_was(database: WorkerDatabase) -> None:
    """Long values, any text, names that differ by case only; and what is copied later stands in its place."""
    fields = [
        CopiedField("mappings", "/up", '"https://one.example"'),
        CopiedField("mappings", "/UP", '"模型 😀"'),
        CopiedField("channels", "1", '"' + "长" * 200_000 + '"'),
    ]
    keys = [CopiedKey(id, "1", f"sealed-{id}") for id in range(1, 1_202)]
    state = CopyState(7, "somebody", "{}", 1_790_000_000_000, 3, 1_201, {"1": 3})
    for wanted in (fields, fields[:2]):
        database.run(partial(catalogue.write_fields, fields=wanted))
        database.run(partial(catalogue.write_state, state=state))
        assert database.run(catalogue.read_fields, writes=False) == wanted
        assert database.run(catalogue.read_state, writes=False) == state
    database.run(partial(catalogue.write_keys, keys=keys))
    database.run(partial(catalogue.write_keys, keys=[CopiedKey(2, "1", "again")], gone=[3]))
    ids = database.run(lambda one: catalogue.key_ids(one, "1"), writes=False)
    assert sorted(ids) == [1, 2, *range(4, 1_202)]
    first = database.run(lambda one: catalogue.read_keys(one, "1", 0), writes=False)
    assert first[:2] == [CopiedKey(1, "1", "sealed-1"), CopiedKey(2, "1", "again")]
