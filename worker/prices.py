"""The built-in table of prices: a process of its own makes it (`price_table.py`), the worker keeps it in Redis."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from importlib.metadata import version
from typing import Final

import redis

from app.core.money.table import FORMAT, NAME, PriceTable
from app.storage.connections import MAPPINGS_UPDATES, TABLE, Redis

log = logging.getLogger(__name__)

PACKAGE: Final = "genai-prices"
BEGIN_S: Final = 0.5
"""Roll-ups begin first."""
LOOK_S: Final = 60.0
"""How often it is looked whether the table is still there."""


class PriceTableKeeper(threading.Thread):
    """A thread of the worker: stores the table where another one, or none, is stored. Redis may be away."""

    def __init__(self, redis_client: Redis) -> None:
        super().__init__(name="prices", daemon=True)
        self._redis = redis_client
        self._stopping = threading.Event()
        self._maker: subprocess.Popen[str] | None = None

    def run(self) -> None:
        wait_s = BEGIN_S
        while not self._stopping.wait(wait_s):
            wait_s = LOOK_S
            try:
                self.keep()
            except redis.RedisError:
                pass  # the ticker says so
            except (ImportError, OSError, subprocess.SubprocessError) as error:
                if not self._stopping.is_set():
                    log.warning("The table of prices could not be made: %s", error)

    def stop(self) -> None:
        """Ends the thread, and the process that makes a table."""
        self._stopping.set()
        if self._maker is not None:
            self._maker.kill()
        self.join(timeout=1)

    def keep(self) -> bool:
        """Stores the table that the installed package makes, unless that is stored; True when it was stored.

        It is no word of the operator's, so no version counts it. Raises redis.RedisError, SubprocessError, OSError.
        """
        key, named = TABLE + NAME, f"{PACKAGE} {version(PACKAGE)}"
        if self._redis.hmget(key, "version", "format") == [named.encode(), FORMAT.encode()]:
            return False
        text = self._make()
        self._redis.hset(key, mapping={"version": named, "format": FORMAT, "text": text})
        self._redis.publish(MAPPINGS_UPDATES, f"{NAME}_updated")
        log.info("The prices are those of %s: %d names", named, len(PriceTable(named, text)))
        return True

    def _make(self) -> str:
        """The table's text, made by a process that ends with us at the latest. Raises SubprocessError, OSError."""
        command = [sys.executable, "-c", "from worker.price_table import make; make()"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as maker:  # noqa: S603
            self._maker = maker
            if self._stopping.is_set():
                maker.kill()
            assert maker.stdout is not None  # noqa: S101 - it is a pipe
            text = maker.stdout.read()
        self._maker = None
        if maker.returncode:
            raise subprocess.SubprocessError(f"the process that makes it ended with {maker.returncode}")
        return text
