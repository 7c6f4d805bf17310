"""Asks all processes at once which calls they have, or to end one.

Who does not answer in time is busy, frozen or dead: of those what they last told is shown, for as long as it stands.
"""

from __future__ import annotations

import time
from typing import Any, Final, NamedTuple
from uuid import uuid4

import orjson

from app.core.request_log.running import started_at_ms
from app.core.statistics.events import RequestEvent
from app.storage.active.keeper import Place
from app.storage.active.stored import id_and_name
from app.storage.connections import ACTIVE, ACTIVE_ANSWERS, ACTIVE_NEWS, ACTIVE_OF, Redis
from app.storage.statistics.envelopes import events_of

ANSWERED_S: Final = 1.0
"""How long processes may take to answer."""
NEWEST: Final[Place] = (10**13, "")


class ProcessSilent(Exception):
    """The process that has the call does not answer."""


class KnownCall(NamedTuple):
    event: RequestEvent
    """As it would be if the call ended now."""
    process: str

    @property
    def place(self) -> Place:
        return started_at_ms(self.event), self.event.request_id


class ActivePage(NamedTuple):
    calls: list[KnownCall]
    total: int
    """Of all that go on."""
    following: Place | None
    """Before which the next page stands; None: this was the last."""


class ActiveCalls:
    """Of all processes that share one Redis."""

    def __init__(self, redis_client: Redis) -> None:
        self._redis: Any = redis_client

    def page(self, before: Place, most: int) -> ActivePage:
        """The newest that stand before a place. Raises RedisError."""
        answered, total, calls = set(), 0, list[KnownCall]()
        for process_id, name, its_count, entries in self._ask("list", *before, most + 1):
            answered.add(process_id)
            total += its_count
            calls += [KnownCall(event, name) for event in events_of(entries)]
        for process_id, name in self._others(answered):
            stored = self._redis.hvals(ACTIVE_OF + process_id)
            total += len(stored)
            calls += [KnownCall(event, name) for event in events_of(map(orjson.loads, stored))]
        calls = sorted((call for call in calls if call.place < before), key=lambda call: call.place, reverse=True)
        shown = calls[:most]
        return ActivePage(shown, total, shown[-1].place if len(calls) > most else None)

    def end(self, request_id: str) -> KnownCall | None:
        """Ends a call, wherever it is. None: there is none of this id. Raises ProcessSilent and RedisError."""
        answered = set()
        for process_id, name, entry in self._ask("end", request_id):
            for event in events_of([entry] if entry is not None else []):
                return KnownCall(event, name)
            answered.add(process_id)
        if any(self._redis.hexists(ACTIVE_OF + process_id, request_id) for process_id, _ in self._others(answered)):
            raise ProcessSilent
        return None

    def _ask(self, *question: Any) -> Any:
        """The answers as they come."""
        kind, *asked = question
        key = ACTIVE_ANSWERS + uuid4().hex
        waits_for = self._redis.publish(ACTIVE_NEWS, orjson.dumps([kind, key, *asked]))
        until_s = time.monotonic() + ANSWERED_S
        while waits_for > 0 and (left_s := until_s - time.monotonic()) > 0:
            answer = self._redis.blpop([key], timeout=max(0.01, round(left_s, 3)))
            if answer is None:
                return
            waits_for -= 1
            yield orjson.loads(answer[1])

    def _others(self, answered: set[str]) -> list[tuple[str, str]]:
        """Processes that have told of calls, and have not answered."""
        known = [id_and_name(member) for member in self._redis.zrange(ACTIVE, 0, -1)]
        return [one for one in known if one[0] not in answered]
