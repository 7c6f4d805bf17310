"""The copy of what you said in the SQL database beside what Redis holds, and which of the two counts.

    python scripts/database_copy.py          shows both
    python scripts/database_copy.py --take   puts the copy into Redis, in the place of what is there
    python scripts/database_copy.py --keep   makes what Redis holds the newest; the worker copies it then

The worker copies by itself whatever is newer. It asks for this where Redis holds an older state than the copy: a dump
was restored, or somebody began anew while the database was away. Ends with 0 when all is well, else with 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.config import Config, ConfigError, load_config
from app.core.snapshot import CHANNELS, NOUNS, Stored
from app.core.wording import counted
from app.storage.catalog.changes import ALL, change
from app.storage.catalog.stored import StoredCatalog
from app.storage.connections import Redis, RedisError, open_redis
from app.storage.copy.form import ALL_TABLES
from app.storage.copy.restoring import Copy, CopyUnreadable
from app.storage.embedded import embedded_url
from app.storage.keys.form import KeysLost
from app.storage.keys.stored import StoredKeys
from app.storage.refusals import describe
from app.storage.secrets import Secrets
from app.storage.sql.catalogue import CopyState, read_state
from app.storage.sql.database import WorkerDatabase
from app.storage.sql.errors import DatabaseError

TABLES = [table for noun in NOUNS for table in noun.tables]


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--take", action="store_true", help="the copy counts")
    which.add_argument("--keep", action="store_true", help="what Redis holds counts")
    options = parser.parse_args(arguments)
    try:
        config = load_config()
        url = config.redis_url or embedded_url(config.data_dir)
        with open_redis(url, tls_verify=config.redis_tls_verify) as client:
            return _run(client, config, take=options.take, keep=options.keep)
    except RedisError as error:
        print(f"Redis {describe(error)}", file=sys.stderr)
    except (ConfigError, DatabaseError, CopyUnreadable) as error:
        print(error, file=sys.stderr)
    return 1


def _run(client: Redis, config: Config, *, take: bool, keep: bool) -> int:
    secrets = Secrets(config.encryption_keys)
    with closing(WorkerDatabase(config.database, config.certificate_files)) as database:
        state = database.run(read_state, writes=False)
        found = StoredCatalog(client, ALL_TABLES).read(ALL_TABLES).stored
        if state is None:
            print("The database has no copy.", file=sys.stderr)
            return 1
        copy = Copy(client, database, secrets)
        known = Stored(state.version, copy.tables() if take else copy.shown_tables(), state.origin, state.stamps)
        copied = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(state.copied_at_ms / 1000))
        print(f"Redis:    {_told(found)}")
        print(f"database: {_told(known)}, copied on {copied}")
        if keep:
            change(client, TABLES, ALL, "mappings_accepted", (), found.version, known.version)
            print("What Redis holds counts; the worker copies it within seconds.")
        if take:
            keys = _take(client, copy, known, found, state, secrets)
            print(f"The copy counts: it is in Redis now, with {counted(keys, 'key')} more than there.")
    return 0


def _take(client: Redis, copy: Copy, known: Stored, found: Stored, state: CopyState, secrets: Secrets) -> int:
    """How many keys came with it. Those that are there go first."""
    stored, channels = StoredKeys(client, secrets), known.tables[CHANNELS.tables[0]]
    look = stored.look()
    for channel_id in look.versions:
        if stored.drop(channel_id, look.known) < 0:
            raise KeysLost
    if not copy.put_back(known, found, gives_way=True):
        raise RedisError("was changed by others meanwhile; try again")
    return copy.put_keys_back(state, channels, even_dropped=True).keys


def _told(stored: Stored) -> str:
    def count(table: str) -> int:
        return len(stored.tables.get(table, {}))

    copied = (noun for noun in NOUNS if noun.tables[0] in ALL_TABLES)
    counts = (counted(count(noun.tables[0]), noun.name.removesuffix("s")) for noun in copied)
    return f"version {stored.version}, {', '.join(counts)}"


if __name__ == "__main__":
    sys.exit(main())
