"""Keys of a channel are tried, each by one small call that is judged like any: a good one ends what befell the key."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Final

from app.core.wording import counted
from app.proxy.probing import Probed
from worker.asking import HOPELESS, Asking, MayNotAsk, says_of_key
from worker.tasks.at_once import for_each
from worker.tasks.key_batches import meant_ids, wait_until_stored
from worker.tasks.running import Running, TaskFailed

SAVE_S: Final = 1.0
NO_KEY: Final = "no_key"
"""Told among the outcomes: keys that were deleted meanwhile, or that no ENCRYPTION_KEY of this process opens."""


def validate_keys(running: Running) -> dict[str, Any]:
    """Begun anew it goes on behind the last key before which all are through.

    Raises RedisError, TaskFailed, TaskLost.
    """
    return _Validation(running).run()


class _Validation:
    def __init__(self, running: Running) -> None:
        self._running = running
        self._asking = Asking(running.gateway)
        settings, said = running.gateway.catalog.snapshot.settings, running.arguments
        self._at_once = int(said.get("concurrency") or settings.validate_concurrency)
        self._patience_s = float(said.get("timeout_s") or settings.validate_timeout_s)
        self._after = int(running.place.get("after", 0))
        """All keys up to this one are through."""
        self._outcomes = Counter[str](running.place.get("outcomes", {}))
        """Of those."""
        self._found: dict[int, str] = {}
        """Outcomes of others that are through, too, by key."""
        self._ids: list[int] = []
        """Those that are still to be tried, ascending."""
        self._settled = 0
        """So many of them are among `_outcomes`."""
        self._in_a_row = 0
        self._place: dict[str, Any] = {}
        """Where another process would go on, once all that was observed until there is stored."""
        self._not_stored: set[tuple[str, str]] = set()
        self._placed_at_s = time.monotonic()

    def run(self) -> dict[str, Any]:
        self._asking.catch_up()
        self._ids = sorted(id for id in map(int, meant_ids(self._running)) if id > self._after)
        self._running.tell(self._done, self._done + len(self._ids))
        try:
            for_each(self._running, self._ids, self._try, self._at_once, self._look)
        except MayNotAsk as why:
            left = counted(self._running.total - self._done, "key")
            raise TaskFailed("; ".join(filter(None, [self._text(), f"{left} not tried: {why}"]))) from None
        wait_until_stored(self._running)
        return {"tried": self._done, "outcomes": self._counts()}

    def _try(self, id: int) -> None:
        probed = self._asking.try_key(self._running.channel_id, str(id), self._patience_s)
        self._found[id] = probed.outcome if probed is not None else NO_KEY
        if probed is not None:
            self._judge(probed)

    def _judge(self, probed: Probed) -> None:
        """Raises MayNotAsk."""
        self._in_a_row = 0 if says_of_key(probed) else self._in_a_row + 1
        if self._in_a_row >= HOPELESS:
            raise MayNotAsk(f"the last {HOPELESS} answers say nothing of keys ({probed.outcome}: {probed.error})")

    def _look(self) -> None:
        """Raises RedisError, TaskLost."""
        while self._settled < len(self._ids) and self._ids[self._settled] in self._found:
            self._after = self._ids[self._settled]
            self._outcomes[self._found.pop(self._after)] += 1
            self._settled += 1
        self._running.tell(self._done, message=self._text())
        self._save()

    def _save(self) -> None:
        """A key counts as tried when a kill does not undo what followed. Raises RedisError, TaskLost."""
        dirty = self._running.gateway.choosing.health.dirty
        if self._place and not self._not_stored & dirty.keys():
            self._running.save(self._place)
            self._place = {}
        if not self._place and time.monotonic() - self._placed_at_s >= SAVE_S:
            self._placed_at_s = time.monotonic()
            self._place, self._not_stored = {"after": self._after, "outcomes": dict(self._outcomes)}, set(dirty)

    @property
    def _done(self) -> int:
        return self._outcomes.total() + len(self._found)

    def _counts(self) -> dict[str, int]:
        """The most frequent outcome first."""
        return dict((self._outcomes + Counter(self._found.values())).most_common())

    def _text(self) -> str:
        return ", ".join(f"{outcome} {count:,}" for outcome, count in self._counts().items())
