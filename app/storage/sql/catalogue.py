"""The copy of what the operator said, as the database keeps it: the catalogue as a whole, keys one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, TypeVar

import orjson
from sqlalchemy import Connection, delete, inspect, select, update

from app.storage.sql.tables import catalogue, catalogue_keys, catalogue_state

Item = TypeVar("Item")

SOME: Final = 500
"""Rows that are asked for, or named, at once."""


class CopyState(NamedTuple):
    """Of what state the copy is."""

    version: int = 0
    origin: str = ""
    stamps: str = ""
    copied_at_ms: int = 0
    keys_version: int = 0
    keys_last_id: int = 0
    keys_versions: Mapping[str, int] = MappingProxyType({})
    """By channel."""
    keys_history: str = ""
    """In which these versions are some: `storage/keys/scripts.py`. It is kept among them, by no name."""


class CopiedField(NamedTuple):
    table: str
    field: str
    value: str
    """JSON."""


class CopiedKey(NamedTuple):
    id: int
    channel_id: str
    stored: str
    """As Redis keeps it."""


def read_state(connection: Connection) -> CopyState | None:
    """None: there is no copy."""
    if not inspect(connection).has_table(catalogue_state.name):
        return None
    row = connection.execute(select(catalogue_state)).one_or_none()
    if row is None:
        return None
    found = orjson.loads(row.keys_versions)
    history = str(found.pop("", ""))
    versions = {str(channel): int(version) for channel, version in found.items()}
    return CopyState(
        row.version, row.origin, row.stamps, row.copied_at_ms, row.keys_version, row.keys_last_id, versions, history
    )


def read_fields(connection: Connection) -> list[CopiedField]:
    asked = select(catalogue.c.noun_table, catalogue.c.field, catalogue.c.value).order_by(catalogue.c.number)
    return [CopiedField(*row) for row in connection.execute(asked)]


def read_keys(connection: Connection, channel_id: str, after: int) -> list[CopiedKey]:
    """Some of a channel, by their ids."""
    of_channel = (catalogue_keys.c.channel_id == channel_id, catalogue_keys.c.id > after)
    asked = select(catalogue_keys).where(*of_channel).order_by(catalogue_keys.c.id).limit(SOME)
    return [CopiedKey(*row) for row in connection.execute(asked)]


def key_ids(connection: Connection, channel_id: str) -> list[int]:
    return list(
        connection.execute(select(catalogue_keys.c.id).where(catalogue_keys.c.channel_id == channel_id)).scalars()
    )


def write_fields(connection: Connection, fields: Iterable[CopiedField]) -> None:
    """In the place of what was there."""
    connection.execute(delete(catalogue))
    rows = [
        {"number": number, "noun_table": one.table, "field": one.field, "value": one.value}
        for number, one in enumerate(fields)
    ]
    for some in _pieces(rows):
        connection.execute(catalogue.insert(), some)


def write_state(connection: Connection, state: CopyState) -> None:
    values = state._asdict()
    versions = {**state.keys_versions, "": values.pop("keys_history")}
    values["keys_versions"] = orjson.dumps(versions).decode()
    if connection.execute(select(catalogue_state.c.id)).one_or_none() is None:
        connection.execute(catalogue_state.insert().values(id=1, **values))
    else:
        connection.execute(update(catalogue_state).values(**values))


def write_keys(connection: Connection, keys: Sequence[CopiedKey], gone: Iterable[int] = ()) -> None:
    """Of each what is said now; those that are `gone` go."""
    for some in _pieces([*gone, *(key.id for key in keys)]):
        connection.execute(delete(catalogue_keys).where(catalogue_keys.c.id.in_(some)))
    for rows in _pieces([key._asdict() for key in keys]):
        connection.execute(catalogue_keys.insert(), rows)


def drop_channels(connection: Connection, channel_ids: Iterable[str]) -> None:
    """All their keys."""
    for some in _pieces(list(channel_ids)):
        connection.execute(delete(catalogue_keys).where(catalogue_keys.c.channel_id.in_(some)))


def drop_keys(connection: Connection) -> None:
    """Those of all channels."""
    connection.execute(delete(catalogue_keys))


def _pieces(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for begin in range(0, len(items), SOME):
        yield items[begin : begin + SOME]
