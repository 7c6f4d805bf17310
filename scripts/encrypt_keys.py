"""Brings the keys of channels that Redis holds in line with ENCRYPTION_KEY: encrypted, encrypted anew, or plain.

    ENCRYPTION_KEY=<key>         all are encrypted with it
    ENCRYPTION_KEY=<new>,<old>   all are encrypted with the new one; then the old one may go
    ENCRYPTION_KEY=off,<old>     all are stored plain; then ENCRYPTION_KEY may go

Give web processes and workers the same value and restart them first. It works beside gateways that run, and without:
then an embedded Redis is started for the while. It may be killed at any moment and started again.
Ends with 0 when nothing is left to do, 1 when Redis does not answer or something is left, 2 when a setting is wrong.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.config import Config, ConfigError, load_config
from app.core.network.addresses import mask_url
from app.core.wording import counted
from app.storage.at_hand import redis_at_hand
from app.storage.connections import Redis, RedisError
from app.storage.embedded import EmbeddedRedisError, embedded_url
from app.storage.keys.encryption import KeysUnreadable, channel_ids, channel_names, forget_others, note
from app.storage.keys.form import KeysLost
from app.storage.keys.resealing import Resealed, delete_unreadable, reseal
from app.storage.keys.stored import StoredKeys
from app.storage.refusals import describe
from app.storage.secrets import Secrets

REWRITE_S = 60.0
TELL_S = 5.0
"""Between two words on a channel with many keys."""


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--delete-unreadable",
        action="store_true",
        help="deletes the keys that ENCRYPTION_KEY does not open, where the one that did is lost",
    )
    options = parser.parse_args(arguments)
    try:
        config = load_config()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        with redis_at_hand(config) as client:
            return _bring_in_line(client, Secrets(config.encryption_keys), options.delete_unreadable)
    except EmbeddedRedisError as error:
        print(error, file=sys.stderr)
    except KeysLost as error:
        print(f"Redis was emptied: {error}. Start this again when the gateway serves them.", file=sys.stderr)
    except RedisError as error:
        print(f"Redis at {_shown(config)} {describe(error)}. Start this again; what is done is done.", file=sys.stderr)
    return 1


def _bring_in_line(client: Redis, secrets: Secrets, deletes: bool) -> int:
    stored, names, found = StoredKeys(client, secrets), channel_names(client), {}
    known = stored.look().known
    note(client, secrets)
    for channel_id in channel_ids(client):
        name = names.get(channel_id, channel_id)
        if deletes and (deleted := delete_unreadable(stored, channel_id, known)):
            print(f"{name}: {counted(deleted, 'key')} deleted that nobody can read")
        counts = reseal(stored, channel_id, known, _Progress(name).tell)
        if counts.done or counts.in_line or counts.unreadable:
            print(f"{name}: {counted(counts.done, 'key')} rewritten, {counts.found_in_line:,} in line already")
            found[name] = counts
    if known.is_lost_in(stored.look().known):
        raise KeysLost
    return _conclude(client, secrets, found)


def _conclude(client: Redis, secrets: Secrets, found: dict[str, Resealed]) -> int:
    if unreadable := {name: counts.unreadable for name, counts in found.items() if counts.unreadable}:
        print(KeysUnreadable(unreadable, bool(secrets.ids)), file=sys.stderr)
        return 1
    if behind := [name for name, counts in found.items() if not counts.is_whole]:
        advice = "give every gateway the same ENCRYPTION_KEY, restart it, and start this again"
        print(f"Somebody stores keys of {', '.join(behind)} otherwise meanwhile: {advice}.", file=sys.stderr)
        return 1
    forget_others(client, secrets)
    if found and not _write_files_anew(client):  # also where nothing was done: one that was killed may have done all
        print("Redis's files, if it has any, may still hold what was stored before: see BGREWRITEAOF and BGSAVE.")
    all_keys = counted(sum(counts.in_line for counts in found.values()), "key")
    if secrets.encrypts:
        print(f"In all {all_keys}, encrypted with the first one of ENCRYPTION_KEY.")
    else:
        print(f"In all {all_keys}, stored plain, for ENCRYPTION_KEY {'says off' if secrets.ids else 'is not set'}.")
    return 0


def _write_files_anew(client: Redis) -> bool:
    """Redis's files hold keys as they were stored before: the append-only one until it is rewritten, the dump until the
    next is saved.

    False: it refuses, as some providers' do, or has not ended it.
    """
    try:
        if client.info("persistence").get("aof_enabled"):
            client.bgrewriteaof()
            if not _is_done(client, "aof_rewrite_in_progress", "aof_rewrite_scheduled", "aof_last_bgrewrite_status"):
                return False
        if client.config_get("save").get("save"):
            client.bgsave()
            return _is_done(client, "rdb_bgsave_in_progress", "rdb_bgsave_in_progress", "rdb_last_bgsave_status")
    except RedisError:
        return False
    return True


def _is_done(client: Redis, runs: str, waits: str, status: str) -> bool:
    """Waits for that. The names are of what Redis tells of it."""
    deadline = time.monotonic() + REWRITE_S
    while time.monotonic() < deadline:
        found = client.info("persistence")
        if not found.get(runs) and not found.get(waits):
            return bool(found.get(status) == "ok")
        time.sleep(0.05)
    return False


class _Progress:
    """Says now and then how far it is."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._told_at = time.monotonic()

    def tell(self, counts: Resealed) -> None:
        if time.monotonic() - self._told_at >= TELL_S:
            self._told_at = time.monotonic()
            print(f"{self._name}: {counted(counts.done, 'key')} rewritten so far", flush=True)


def _shown(config: Config) -> str:
    return mask_url(config.redis_url or embedded_url(config.data_dir))


if __name__ == "__main__":
    sys.exit(main())
