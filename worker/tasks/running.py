"""What a kind of task is given: what it is to do, and where it says how far it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from app.gateway import Gateway
from app.storage.secrets import CannotOpen
from app.storage.tasks.stored import StoredTasks

HOLD_MS: Final = 8_000
"""How long a claim holds without a word. A task whose process died is taken up by another after about this long."""


class TaskFailed(Exception):
    """Ends a task. Its text is told to the operator: what is wrong, and what would do."""


class TaskLost(Exception):
    """The task is no longer ours: another process took it up, as we were silent for too long, or Redis lost it."""


class Running:
    """One task, as its kind sees it. Its words are stored by the process's one teller, within half a second.

    A kind may be begun anew at any time: its process was killed, or Redis was away. What it did before that is known
    by what it has `save`d, so each kind must bear to do again what it did since.
    """

    def __init__(self, stored: StoredTasks, gateway: Gateway, id: str, fields: Mapping[str, str]) -> None:
        self.id = id
        self.kind = fields["kind"]
        self.channel_id = fields["channel_id"]
        self.arguments: dict[str, Any] = orjson.loads(fields["arguments"])
        self.gateway = gateway
        """Snapshot, pools and edits of keys, engine: all that a web process has of them."""
        self.place: dict[str, Any] = orjson.loads(fields.get("place", "{}"))
        """What was saved last, by whichever process; empty at the first beginning."""
        self.done = int(fields["done"])
        self.total = int(fields["total"])
        self.message = fields["message"]
        self.cancelled = False
        """It is to end soon, with what it has done so far: it was cancelled, or this process stops."""
        self.was_cancelled = False
        """The same, but by an operator alone."""
        self.is_lost = False
        self._stored = stored
        self._claim = fields["claim"]
        self._told = self._progress()

    def tell(self, done: int, total: int | None = None, message: str | None = None) -> None:
        """How far it is. Costs next to nothing."""
        self.done = done
        self.total = self.total if total is None else total
        self.message = self.message if message is None else message

    def save(self, place: Mapping[str, Any]) -> None:
        """Stores at once how far it is, and from where another process would go on. Raises RedisError, TaskLost."""
        got_on, self.place = self.place != place, dict(place)
        self._say({"place": orjson.dumps(place)}, got_on)
        if self.is_lost:
            raise TaskLost

    def input(self) -> Iterator[bytes]:
        """The pieces that came with the order. Raises RedisError, TaskFailed."""
        try:
            yield from self.gateway.tasks.input(self.id)
        except CannotOpen as error:
            raise TaskFailed(f"what came with the task cannot be read: {error}; order it again") from None

    # --- for the process that runs it ---

    def keep(self) -> None:
        """Stores what is new, and that somebody still does it. Raises RedisError."""
        self._say({}, got_on=False)

    def _say(self, fields: dict[str, object], got_on: bool) -> None:
        now = self._progress()
        new = {name: value for name, value in now.items() if self._told.get(name) != value}
        answer = self._stored.tell(self.id, self._claim, HOLD_MS, new | fields, got_on or "done" in new)
        self._told = now
        self.cancelled |= answer != 1
        self.was_cancelled |= answer == 2
        self.is_lost |= answer == 0

    def _progress(self) -> dict[str, object]:
        return {"done": self.done, "total": self.total, "message": self.message}

    def give_back(self, counts: bool = False) -> None:
        """Another process may take it up at once; `counts`: this beginning was in vain. Raises RedisError."""
        self._stored.give_back(self.id, self._claim, counts)

    def finish(self, state: Any, result: Mapping[str, Any] | None) -> None:
        """Raises RedisError."""
        if self._stored.finish(self.id, self._claim, state, self._progress(), result):
            self._stored.trim()
