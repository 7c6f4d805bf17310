"""What an operator does with tasks: orders, is told of them, cancels. The worker does them: see worker/tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from app.storage.connections import TASKS_INPUT, TASKS_LAST_ID, Redis
from app.storage.secrets import Secrets
from app.storage.tasks.stored import StoredTasks
from app.storage.tasks.task import Task, TaskNotFound, TaskRunning

INPUT_S: Final = 600
"""How long an input is kept whose task was never ordered, because its process died in between."""
_LONGEST_ID: Final = 18


class Tasks:
    """Raises RedisError where Redis does not answer."""

    def __init__(self, client: Redis, secrets: Secrets) -> None:
        self._redis = client
        self._secrets = secrets
        self._stored = StoredTasks(client)

    def order(
        self,
        kind: str,
        channel_id: str,
        arguments: Mapping[str, Any],
        total: int = 0,
        pieces: Iterable[bytes] = (),
    ) -> Task:
        """Has it done by the tasks process, `arguments` being JSON.

        `pieces` are an input that is large or secret: sealed as keys at rest are, and removed when the task ends.
        Raises TaskRunning where one of that kind is open for that channel.
        """
        id = str(self._redis.incr(TASKS_LAST_ID))
        for piece in pieces:
            self._keep(id, piece)
        fields = {
            "kind": kind,
            "channel_id": channel_id,
            "total": total,
            "done": 0,
            "message": "",
            "arguments": orjson.dumps(arguments),
        }
        other = self._stored.order(id, f"{kind} {channel_id}", fields)
        if other:
            self._redis.unlink(TASKS_INPUT + id)
            where = f" for channel {channel_id}" if channel_id else ""
            raise TaskRunning(f"task {other} does the same{where}; wait for its end, or cancel it")
        return self.get(id)

    def list(self) -> list[Task]:
        """Those that are open, the oldest first; then those that ended, the latest first."""
        return self._stored.all()

    def get(self, id: str) -> Task:
        """Raises TaskNotFound."""
        task = self._stored.get(id) if _may_be(id) else None
        if task is None:
            raise TaskNotFound(f"there is no task {id if _may_be(id) else 'of that id'}; ended ones are kept for a day")
        return task

    def cancel(self, id: str) -> Task:
        """One that waits ends at once, one that runs within a second or two, and one that ended stays as it is.

        Raises TaskNotFound.
        """
        self.get(id)
        self._stored.cancel(id)
        return self.get(id)

    def input(self, id: str) -> Iterator[bytes]:
        """The pieces that came with the order."""
        place = 0
        while (sealed := self._redis.lindex(TASKS_INPUT + id, place)) is not None:
            yield self._secrets.open(sealed.decode(), _bound(id))[1:].encode("latin-1")  # type: ignore[union-attr]
            place += 1

    def _keep(self, id: str, piece: bytes) -> None:
        pipe = self._redis.pipeline()
        # The mark in front: whatever is given, it does not look like something sealed.
        pipe.rpush(TASKS_INPUT + id, self._secrets.seal("=" + piece.decode("latin-1"), _bound(id)))
        pipe.expire(TASKS_INPUT + id, INPUT_S)
        pipe.execute()


def _bound(id: str) -> str:
    return f"input of task {id}"


def _may_be(id: str) -> bool:
    return id.isascii() and id.isdecimal() and len(id) <= _LONGEST_ID
