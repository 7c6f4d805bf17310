"""Warnings about the parts that a gateway stands on: Redis, what it holds, the worker and its tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingOf
from typing import Any, Final, NamedTuple

from app.core.warnings.warning import KINDS, GatewayWarning, listed, warning

FAILED_LATELY_MS: Final = 86_400_000


class EndedTask(NamedTuple):
    id: str
    kind: str
    channel_id: str
    failed: bool
    ended_at_ms: int


class Service(NamedTuple):
    """What is looked at."""

    refusals: Iterable[str]
    """What Redis refuses, to follow its name; empty ones are none."""
    doubt: str
    """Why what the operator said may not be all; empty: it is."""
    copy_trouble: str
    """Why the copy in the database does not follow; empty: it does."""
    worker_is_alive: bool
    has_prices: bool
    """The worker has stored the built-in ones."""
    keys_file_trouble: str
    """Why the keys file does not count as it stands; empty: it does."""
    ended_tasks: Iterable[EndedTask]
    """The latest first."""
    log_trouble: str = ""
    """Why the request log is not written; empty: it is."""
    log_waiting: int = 0
    """So many of its rows wait to be."""
    log_dropped: int = 0
    """So many found no room to wait lately."""


def of_service(seen: Service, now_ms: int) -> Iterator[GatewayWarning]:
    if refusals := sorted(set(seen.refusals) - {""}):
        yield warning("redis_refuses", "; ".join(f"it {refusal}" for refusal in refusals))
    if seen.doubt:
        yield warning("catalog_in_doubt", seen.doubt)
    if seen.copy_trouble:
        yield warning("copy_behind", seen.copy_trouble)
    if not seen.worker_is_alive:
        yield warning("worker_silent")
    if seen.log_trouble:
        waiting = f"{seen.log_waiting:,} rows wait" if seen.log_waiting != 1 else "1 row waits"
        yield warning("database_away", f"{seen.log_trouble} ({waiting})")
    if seen.log_dropped:
        yield warning("log_rows_dropped", f"{seen.log_dropped:,}")
    if seen.keys_file_trouble:
        yield warning("keys_file_not_taken", seen.keys_file_trouble)
    if not seen.has_prices:
        yield warning("prices_missing")
    if failed := _failed_lately(seen.ended_tasks, now_ms):
        yield warning("tasks_failed", listed(f"{task.id} ({task.kind})" for task in failed))


def _failed_lately(ended: Iterable[EndedTask], now_ms: int) -> list[EndedTask]:
    """Those after which none of their kind did better for their channel."""
    latest: dict[tuple[str, str], EndedTask] = {}
    for task in ended:
        latest.setdefault((task.kind, task.channel_id), task)
    return [task for task in latest.values() if task.failed and now_ms - task.ended_at_ms <= FAILED_LATELY_MS]


def of_rejected(parts: MappingOf[str, Any]) -> Iterator[GatewayWarning]:
    """About what is stored and makes no sense, by the names of nouns."""
    for name, part in parts.items():
        if part.rejected and f"{name}_rejected" in KINDS:
            yield warning(f"{name}_rejected", listed(f"{one} ({reason})" for one, reason in part.rejected.items()))
