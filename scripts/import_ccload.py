"""Takes over what a ccLoad has: channels with keys, models, redirects and rests, and API tokens.

    python scripts/import_ccload.py ccload.db             its SQLite file; it may be running
    python scripts/import_ccload.py ccload.db --dry-run   says what would be taken, and changes nothing
    python scripts/import_ccload.py ccload.db --update    gives channels that are here already what the file says, too
    python scripts/import_ccload.py ccload.db --url redis://...   another Redis than API_PROXY_REDIS_URL or REDIS_URL

Without any URL it is the embedded Redis of a gateway that runs here. Safe to run twice: what is here is left alone.
Ends with 0 when all is well, 1 when Redis does not answer, 2 when the file cannot be read; nothing is written then.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.config import Config, ConfigError, load_config
from app.core.callers import ccload_tokens
from app.core.channels import ccload_rows
from app.core.channels.csv_reading import ChannelRow
from app.core.channels.definition import comparable
from app.core.channels.urls import AddressGuard
from app.core.model import Channel
from app.core.network.addresses import mask_url
from app.core.network.egress import EgressPolicy
from app.core.snapshot import ACCESS_TOKENS, CHANNELS
from app.core.wording import counted
from app.proxy.upstream.dialing import Dialer, OwnAddress
from app.storage.catalog import access_tokens
from app.storage.catalog.catalog import Catalog
from app.storage.channel_import import ChannelImport, LineChange
from app.storage.connections import Redis, RedisError, open_redis
from app.storage.embedded import embedded_url
from app.storage.health.resting import SubjectRest, store_rests
from app.storage.health.stored import StoredHealth
from app.storage.health.subjects import CHANNEL, KEY, MODEL
from app.storage.keys.encryption import check
from app.storage.keys.pools import KeyPools
from app.storage.refusals import describe
from app.storage.secrets import Secrets
from app.wire.ccload import SETTINGS
from app.wire.csv_files import nothing
from scripts.ccload_database import CcloadDatabase, CcloadFileError, read_database


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit code."""
    options = _options(arguments)
    try:
        found = read_database(options.file)
        config = load_config()
        config = replace(config, redis_url=_url(options.url, config))
        secrets = Secrets(config.encryption_keys)
    except (ConfigError, CcloadFileError) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        client = open_redis(str(config.redis_url), tls_verify=config.redis_tls_verify)
        check(client, secrets)
        Move(client, config, secrets, found, dry_run=options.dry_run, update=options.update).make()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except RedisError as error:
        print(f"Redis at {mask_url(str(config.redis_url))} {describe(error)}", file=sys.stderr)
        if config.redis_url == embedded_url(config.data_dir):
            print("Set REDIS_URL, or start the gateway first: it brings its own Redis.", file=sys.stderr)
        return 1
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="import_ccload.py", description="Takes over the channels of a ccLoad.")
    parser.add_argument("file", type=Path, help="its SQLite file, such as data/ccload.db")
    parser.add_argument("--url", help="of Redis; else API_PROXY_REDIS_URL, REDIS_URL, or the embedded one")
    parser.add_argument("--dry-run", action="store_true", help="change nothing, and say what would be taken")
    parser.add_argument("--update", action="store_true", help="change channels that are here already, too")
    return parser.parse_args(arguments)


def _url(given: str | None, config: Config) -> str:
    if given is not None:
        return load_config({"REDIS_URL": given}).redis_url or given
    return config.redis_url or embedded_url(config.data_dir)


class Move:
    """Of one ccLoad, into the Redis of one gateway. Says what it does on standard output."""

    def __init__(
        self,
        client: Redis,
        config: Config,
        secrets: Secrets,
        found: CcloadDatabase,
        *,
        dry_run: bool,
        update: bool,
    ) -> None:
        self._catalog = Catalog(client, config.limits, config.settings)
        self._health = StoredHealth(client, "")
        self._found = found
        self._dry_run = dry_run
        self._update = update
        self._now_ms = time.time_ns() // 1_000_000
        egress = EgressPolicy(config.egress_allow, config.egress_deny, config.egress_ports)
        dialer = Dialer(egress, OwnAddress(config.host, config.port), proxies=config.forward_proxies)
        guard = AddressGuard(dialer.check)
        self._import = ChannelImport(self._catalog, KeyPools(client, secrets), self._health, guard.refuse, nothing)

    def make(self) -> None:
        """Raises RedisError."""
        self._catalog.load()
        meant = self._channels()
        changes = self._take_channels([one.row for one in meant])
        taken = {change.line for change in changes}
        rests = self._take_rests([one for one in meant if one.row.line in taken])
        tokens = self._take_tokens()
        self._tell_what_is_left_out()
        acts = [change.action for change in changes]
        keys = sum(change.keys_added for change in changes)
        counts = f"{counted(acts.count('created'), 'channel')} added, {acts.count('updated')} updated"
        came = f"{counted(keys, 'key')}, {counted(rests, 'rest')} and {counted(tokens, 'token')}"
        begin = "Would be taken" if self._dry_run else "Taken"
        print(f"{begin}: {counts}; {came} added")

    def _channels(self) -> list[ccload_rows.Meant]:
        """All that can be taken; the others are told."""
        found = []
        for one in self._found.channels:
            try:
                found.append(ccload_rows.meaning_of(one, self._now_ms))
            except ValueError as error:
                print(f"  not taken   channel {one.row['name']!r}: {error}")
        return found

    def _take_channels(self, rows: list[ChannelRow]) -> list[LineChange]:
        """Those that were taken."""
        decision = self._import.decide(rows)
        chosen = {change.line for change in decision.changes if self._is_wanted(change)}
        for change in decision.changes:
            _tell(change, change.line in chosen)
        names = {row.line: row.name for row in rows}
        for error in decision.errors:
            print(f"  not taken   channel {names[error.line]!r}: {error.message}")
        if not self._dry_run:
            decision = self._import.take([row for row in rows if row.line in chosen])
        return [change for change in decision.changes if change.line in chosen]

    def _is_wanted(self, change: LineChange) -> bool:
        return change.action == "created" or (self._update and change.action == "updated")

    def _take_rests(self, meant: list[ccload_rows.Meant]) -> int:
        if self._dry_run:
            return sum(len(one.rests) for one in meant)
        by_name = CHANNELS.of(self._catalog.look()).by_name
        rests: list[SubjectRest] = []
        for one in meant:
            channel_id = by_name[comparable(one.row.name)].id
            for rest in one.rests:
                name = MODEL + rest.model if rest.model else CHANNEL
                if rest.secret:
                    key_id = self._import.key_id(channel_id, rest.secret)
                    if not key_id:  # it cannot be one here
                        continue
                    name = KEY + key_id
                rests.append(SubjectRest(channel_id, name, rest.until_ms))
        store_rests(self._health, rests, self._now_ms)
        return len(rests)

    def _take_tokens(self) -> int:
        snapshot = self._catalog.look()
        ids, there = self._ids(CHANNELS.of(snapshot).by_name), ACCESS_TOKENS.of(snapshot).by_digest
        new: list[ccload_tokens.Meant] = []
        for row in self._found.tokens:
            try:
                token = ccload_tokens.meaning_of(row, ids, self._now_ms)
            except ValueError as error:
                print(f"  not taken   token {row['id']} {str(row.get('description'))[:60]!r}: {error}")
                continue
            if token.digest in there:
                print(f"  left alone  token {token.said['name']!r}, which is here")
                continue
            print(f"  added       token {token.said['name']!r}", *token.notes, sep="\n              ")
            new.append(token)
        if not self._dry_run:
            access_tokens.take(self._catalog, [(one.said, one.digest, one.hint) for one in new])
        return len(new)

    def _ids(self, by_name: Mapping[str, Channel]) -> dict[int, str]:
        """Ids here by ccLoad's; on a dry run channels that would be added have their names instead."""
        ids, names = dict[int, str](), set[str]()
        for one in self._found.channels:
            name = comparable(str(one.row["name"]))
            if name in names:  # names of two that differ in capitals alone: the second one is not here
                continue
            names.add(name)
            if name in by_name:
                ids[one.row["id"]] = by_name[name].id
            elif self._dry_run:
                ids[one.row["id"]] = name
        return ids

    def _tell_what_is_left_out(self) -> None:
        for name, value in sorted(self._found.settings.items()):
            nearest = SETTINGS.get(name)
            here = f" (see {nearest} here)" if nearest else ""
            print(f"  not taken   setting {_shown(name)} = {_shown(value[:100])}{here}")
        for table, rows in self._found.left_out.items():
            if rows:
                print(f"  not taken   {counted(rows, 'row')} of {table}")


def _tell(change: LineChange, is_taken: bool) -> None:
    name = f"channel {change.name!r}"
    if change.action == "unchanged":
        print(f"  left alone  {name}, which is the same here")
        return
    if change.action == "created":
        print(f"  added       {name}, {counted(change.keys_added, 'key')}")
    elif is_taken:
        print(f"  updated     {name}: {_differences(change)}")
    else:
        print(f"  left alone  {name}, which is another here: {_differences(change)} (--update takes it)")
        return
    for note in change.notes:
        print(f"              {_shown(note)}")


def _shown(text: str) -> str:
    """A terminal does what some characters say."""
    return text if text.isprintable() else repr(text)


def _differences(change: LineChange) -> str:
    counts = ((change.keys_added, "added"), (change.keys_changed, "changed"), (change.keys_removed, "removed"))
    return ", ".join([*change.fields, *(f"{counted(count, 'key')} {what}" for count, what in counts if count)])


if __name__ == "__main__":
    sys.exit(main())
