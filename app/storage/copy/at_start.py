"""Before anything is seeded: a Redis that holds nothing of ours gets what the database has a copy of.

A start of the web part asks this in a process of its own that ends then, so no SQLAlchemy stays with anybody. Where the
database does not answer in time the start goes on; the worker puts the copy in the place of the defaults later.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.config import Config
from app.core.snapshot import CHANNELS, Stored
from app.core.wording import counted
from app.storage.catalog.stored import StoredCatalog
from app.storage.connections import Redis
from app.storage.copy.form import ALL_TABLES
from app.storage.copy.restoring import Copy
from app.storage.keys.form import KeysLost
from app.storage.secrets import Secrets
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.errors import DatabaseError
from app.wire.database_url import DatabaseKind

PAUSE_S: Final = 1.0
"""Between two tries."""


def restore(client: Redis, config: Config, say: Callable[[str], object]) -> None:
    """Raises RedisError, and CopyUnreadable where ENCRYPTION_KEY does not open the copy."""
    url = config.database
    if not _is_empty(client) or (url.kind is DatabaseKind.SQLITE and not Path(url.name).is_file()):
        return None
    database = WorkerDatabase(url, config.certificate_files)
    deadline_s = time.monotonic() + config.redis_patience_s
    said = False
    try:
        while True:
            try:
                return _restore(client, database, Secrets(config.encryption_keys), say)
            except DatabaseError as error:
                if time.monotonic() >= deadline_s:
                    say(f"{error}; what it has a copy of comes back when it answers")
                    return None
                if not said:
                    say(f"{error}; trying for {config.redis_patience_s:.0f} s, as it may have what Redis lacks")
                    said = True
                time.sleep(PAUSE_S)
    finally:
        database.close()


def _is_empty(client: Redis) -> bool:
    stored = StoredCatalog(client, ALL_TABLES).read(ALL_TABLES).stored
    return not stored.version and not any(stored.tables.values())


def _restore(client: Redis, database: WorkerDatabase, secrets: Secrets, say: Callable[[str], object]) -> None:
    from app.storage.sql.catalogue import read_state

    state = database.run(read_state, writes=False)
    if state is None:
        return
    copy = Copy(client, database, secrets)
    tables = copy.tables()
    found = StoredCatalog(client, ALL_TABLES).read(ALL_TABLES).stored
    known = Stored(state.version, tables, state.origin, state.stamps)
    if not copy.put_back(known, found, gives_way=False):
        return
    channels = tables[CHANNELS.tables[0]]
    try:
        keys = copy.put_keys_back(state, channels).keys
    except KeysLost as error:
        say(f"Redis was filled from the database, but {error}: the worker restores them")
        return
    held = f"{counted(len(channels), 'channel')}, {counted(keys, 'key')}"
    say(f"Redis held nothing: {held} and all else were restored from the database")
