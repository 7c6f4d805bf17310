"""The environment of processes that tests start: nothing of the tester's own settings, and no `.env`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

KEPT = ("PATH", "HOME", "LANG", "TMPDIR")
NO_ENV_FILE = {"GATEWAY_ENV_FILE": os.devnull}
"""`make run` leaves an `.env` in the project, and processes that run its sources would read it."""
NO_KEYS_FILE = {"KEYS_FILE": "off"}
"""Nor do they serve the keys of somebody who has his `keys.txt` there."""
JOURNALS = {"JOURNAL_DIR": str(Path(tempfile.gettempdir()) / "gateway-test-journals")}
"""Not in shared memory, where what tests kill would stay."""


def clean_environ(**more: str) -> dict[str, str]:
    """What a process needs of the tester's environment, with `more` over it. Give it to every process that is ours."""
    return (
        {name: os.environ[name] for name in KEPT if name in os.environ} | NO_ENV_FILE | NO_KEYS_FILE | JOURNALS | more
    )
