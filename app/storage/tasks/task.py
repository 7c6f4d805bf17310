"""A task: work that is longer than a request, ordered by an operator or by the clock and done by the tasks process."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple


class TaskState(Enum):
    QUEUED = "queued"
    """Nobody has begun it, or whoever had died; it begins, or goes on, as soon as somebody can."""
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (TaskState.QUEUED, TaskState.RUNNING)


class Task(NamedTuple):
    """As it is told."""

    id: str
    kind: str
    channel_id: str
    """Empty: it is for no channel alone."""
    state: TaskState
    done: int
    total: int
    """0: not known yet."""
    message: str
    result: Mapping[str, Any] | None
    """Once it is done."""
    ordered_at_ms: int
    started_at_ms: int | None
    ended_at_ms: int | None


class TaskNotFound(ValueError):
    """There is no such task, or it ended long ago."""


class TaskRunning(ValueError):
    """One of that kind waits or runs for that channel already."""
