"""Web processes that have a file of keys, on machines of their own; nobody watches: tests look when they want to."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.errors import AddressRefused
from app.core.model import Channel
from app.core.settings import Limits, Settings
from app.core.snapshot import CHANNELS
from app.storage.catalog.catalog import Catalog
from app.storage.connections import Redis, open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.keys_file.channel import KeysFileChannel
from app.storage.keys_file.keeper import KeysFileKeeper
from app.storage.keys_file.record import KeysFileRecord
from app.storage.keys_file.taking import Taking
from app.storage.secrets import Secrets
from tests.support.keeping import PLAIN, KeepingProcess


def fine(channel: Channel) -> None:
    """No address is refused but this one."""
    if any(url.url == "https://refused.example" for url in channel.urls):
        raise AddressRefused(403, "address_refused", "refused.example may not be dialled: see EGRESS_ALLOW")


class Machine(KeepingProcess):
    """One web process of a machine."""

    def __init__(self, redis_url: str, file: Path, urls: tuple[str, ...], source: str, secrets: Secrets) -> None:
        super().__init__(redis_url, secrets=secrets)
        self.file = file
        self.catalog = Catalog(open_redis(redis_url), Limits(), Settings())
        channel = KeysFileChannel(self.catalog, urls, fine)
        self.taking = Taking(KeysFileRecord(self.redis, source), channel, self.pools, self.edits)
        self.keeper_of_file = KeysFileKeeper(file, self.taking, must_be_there=False)

    def write(self, *lines: str, age_s: float = 60.0) -> None:
        """As it was left `age_s` ago."""
        self.file.write_text("".join(f"{line}\n" for line in lines))
        at_s = time.time() - age_s
        os.utime(self.file, (at_s, at_s))

    def look(self) -> bool:
        return self.keeper_of_file.look()

    @property
    def channels(self) -> dict[str, Channel]:
        """By their names."""
        return {channel.name: channel for channel in CHANNELS.of(self.catalog.look()).by_id.values()}

    def keys(self, name: str = "keys-file") -> list[str]:
        """As Redis has them now."""
        channel_id = self.channels[name].id
        return [key.secret for keys in self.edits.export(channel_id, self.edits.ids(channel_id)) for key in keys]

    def say(self, *lines: str, age_s: float = 60.0) -> list[str]:
        """The keys after a file of these lines was found."""
        self.write(*lines, age_s=age_s)
        self.look()
        return self.keys()


@pytest.fixture
def new_machine(own_server: EmbeddedRedis, own_redis: Redis, tmp_path: Path) -> Iterator[Callable[..., Machine]]:
    started: list[Machine] = []

    def start(name: str = "one", *urls: str, secrets: Secrets = PLAIN) -> Machine:
        """With a file of this name, which another process of the same machine has, too."""
        file = tmp_path / f"{name}.txt"
        machine = Machine(own_server.url, file, urls or ("https://one.example",), name, secrets)
        started.append(machine)
        machine.start()
        return machine

    yield start
    for machine in started:
        machine.catalog.stop()
        machine.end()
