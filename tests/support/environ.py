"""The environment of processes that tests start: nothing of the tester's own settings, and no `.env`."""

from __future__ import annotations

import os
import tempfile
from hashlib import sha256
from pathlib import Path

KEPT = ("PATH", "HOME", "LANG", "TMPDIR")
NO_ENV_FILE = {"GATEWAY_ENV_FILE": os.devnull}
"""`make run` leaves an `.env` in the project, and processes that run its sources would read it."""
NO_KEYS_FILE = {"KEYS_FILE": "off"}
"""Nor do they serve the keys of somebody who has his `keys.txt` there."""
JOURNALS = {"JOURNAL_DIR": str(Path(tempfile.gettempdir()) / "gateway-test-journals")}
"""Not in shared memory, where what tests kill would stay."""


_DATABASE_NAMES = {"DATABASE_URL", "CCLOAD_MYSQL", "SQLITE_PATH", "DATA_DIR"}


def clean_environ(**more: str) -> dict[str, str]:
    """What a process needs of the tester's environment, with `more` over it. Give it to every process that is ours."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    redis_url = more.get("API_PROXY_REDIS_URL") or more.get("REDIS_URL")
    database = {"SQLITE_PATH": str(database_of(redis_url))} if redis_url and not _DATABASE_NAMES & more.keys() else {}
    return kept | NO_ENV_FILE | NO_KEYS_FILE | JOURNALS | database | more


def database_of(redis_url: str) -> Path:
    """The file of SQLite of gateways on this Redis: beside it, or in the system's folder of temporary files."""
    folder = Path(redis_url.removeprefix("unix://").partition("?")[0]).parent
    if not redis_url.startswith("unix://") or not folder.is_dir():
        folder = Path(tempfile.gettempdir()) / "gateway-test-databases"
    return folder / f"{sha256(redis_url.encode()).hexdigest()[:12]}.db"
