"""Keys that are too many for a request are left to a task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from app.gateway import Gateway
from app.storage.tasks.task import Task

AT_ONCE: Final = 1_000
"""So many keys are added, changed or deleted while the client waits."""
PIECE: Final = 1_000


def order_import(gateway: Gateway, channel_id: str, keys: Sequence[str]) -> Task:
    """Raises TaskRunning."""
    return gateway.tasks.order("import_keys", channel_id, {}, len(keys), _pieces(keys))


def _pieces(keys: Sequence[str]) -> Iterator[bytes]:
    for begin in range(0, len(keys), PIECE):
        yield "".join(f"{key}\n" for key in keys[begin : begin + PIECE]).encode()
