"""What a killed process leaves of its journal, within a process that lives."""

from __future__ import annotations

import os

from app.storage.journal import Journal


def die(journal: Journal) -> None:
    """What a kill does: the memory stays in the file, the lock goes."""
    assert journal._memory is not None
    journal._memory.close()
    os.close(journal._fd)
