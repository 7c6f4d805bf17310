"""What the operator has set, as the worker's threads know it: read anew every few seconds."""

from __future__ import annotations

import time
from typing import Final

from app.config import Config
from app.core.settings import Settings
from app.core.snapshot import SETTINGS, Stored, build_snapshot
from app.storage.catalog.stored import StoredCatalog
from app.storage.connections import Redis

READ_S: Final = 5.0


class SaidSettings:
    """For one thread."""

    def __init__(self, client: Redis, config: Config) -> None:
        self._stored = StoredCatalog(client, SETTINGS.tables)
        self._config = config
        self._settings = config.settings
        self._read_s = -READ_S

    def read(self) -> Settings:
        """At most READ_S old. Raises RedisError."""
        if time.monotonic() - self._read_s >= READ_S:
            stored: Stored = self._stored.read(SETTINGS.tables).stored
            self._settings = build_snapshot(stored, limits=self._config.limits, settings=self._config.settings).settings
            self._read_s = time.monotonic()
        return self._settings
