"""The worker's hand on the statistics in Redis: takes envelopes off the list and books their events, exactly once.

One batch is one optimistic transaction: WATCH the cursor, read, add up in Python, then one MULTI that writes
the sums, removes the envelopes and changes the cursor. Whoever dies before EXEC has changed nothing; whoever
was overtaken by another worker, or lost the reply, gets an error, forgets what it knew and reads afresh.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple
from uuid import uuid4

import orjson
import redis

from app.core.statistics.events import VALUE_FAULTS
from app.core.statistics.problems import encode, latest, problems_of
from app.core.statistics.tallies import Tally
from app.core.statistics.token_use import uses_of
from app.core.statistics.windows import DAY_MS, HOUR_MS, MINUTE_MS, Deltas, fold
from app.core.wording import counted
from app.storage.active.stored import ids_with_entries, told_already, write_ended
from app.storage.connections import (
    STATS_BACKLOG,
    STATS_CURSOR,
    STATS_DAYS,
    STATS_DROPPED,
    STATS_EVENTS,
    STATS_HOUR,
    STATS_MINUTE,
    STATS_PROBLEMS,
    STATS_PROCESSES,
    STATS_RECENT,
    STATS_ROLLED_AT,
    STATS_SEQ,
    STATS_TOTAL,
    Redis,
)
from app.storage.request_log.booking import LogBook
from app.storage.statistics import token_uses
from app.storage.statistics.accounts import HOURS_KEPT_MS, MINUTES_KEPT_MS, Account, Accounts
from app.storage.statistics.envelopes import Envelope, repack, unpack

log = logging.getLogger(__name__)

BATCH_ENVELOPES = 10
RECENT_REQUESTS = 500
TRUSTED_PAUSE_MS = 30 * MINUTE_MS
"""After a longer pause (a laptop that slept) a bucket to subtract may be gone, and all is read afresh."""
TRUSTED_SETBACK_MS = MINUTE_MS
"""The same when the clock was put back by more than this."""
SENDER_KEPT_MS = 7 * DAY_MS
"""How long the last number of a silent web process is remembered."""
SWEEP_MS = HOUR_MS
"""How often the traces of processes that are gone are swept away."""


BAD_VALUES = (redis.DataError, *VALUE_FAULTS)
"""What is raised where an event, or what stands around it, is not what it should be."""

Publish = Callable[[Account], Callable[[Any], None] | None]
"""Puts an account into words; what it returns writes them in an open MULTI. None: nothing has changed."""


@dataclass(slots=True)
class _Batch:
    """Envelopes off the list, opened."""

    envelopes: int = 0
    waiting: int = 0
    """By how many events the backlog shrinks: duplicates included."""
    dropped: int = 0
    seqs: dict[str, int] = field(default_factory=dict)
    """Process id → the last number that is rolled up with this batch."""
    opened: list[tuple[bytes, Envelope]] = field(default_factory=list)
    """Those that count, each as it is packed and what it holds."""
    ended: dict[str, list[str]] = field(default_factory=dict)
    """Process id → ids of its calls that have ended, and may have an entry among the active ones."""


class Ledger:
    """Books events. One thread at a time; any number of processes."""

    def __init__(self, redis_client: Redis) -> None:
        self._redis = redis_client
        self._account: Account | None = None
        self._accounts = Accounts(redis_client)
        self._log_book = LogBook(redis_client)
        self._swept_ms = 0

    def roll_up(self, now_ms: int) -> int:
        """Books one batch. Returns the number of envelopes it took; 0 when none wait. Raises redis.RedisError."""
        try:
            return self._with_account(now_ms, partial(self._roll_up, BATCH_ENVELOPES))
        except BAD_VALUES:
            return self._one_by_one(now_ms)

    def _one_by_one(self, now_ms: int) -> int:
        """Books what cannot be booked as one batch, and removes what cannot be booked at all."""
        taken = 0
        for _ in range(BATCH_ENVELOPES):
            try:
                taken += self._with_account(now_ms, partial(self._roll_up, 1))
            except BAD_VALUES:
                if not (removed := self._with_account(now_ms, self._remove_what_is_to_blame)):
                    raise  # what is stored is: its events wait until somebody has mended that
                log.exception("An envelope of %s makes no sense and was removed", STATS_EVENTS)
                taken += removed
        return taken

    def _remove_what_is_to_blame(self, pipe: Any, account: Account, now_ms: int) -> int:
        """Removes the oldest envelope, if by itself it makes no sense."""
        envelope = unpack(b"".join(pipe.lrange(STATS_EVENTS, 0, 0)))
        if envelope is None or _makes_sense(envelope, now_ms):
            return 0
        events = len(envelope.events)
        account.cursor = _next_cursor(account.cursor, 1)
        pipe.multi()
        pipe.ltrim(STATS_EVENTS, 1, -1)
        pipe.decrby(STATS_BACKLOG, events)
        pipe.incrby(STATS_DROPPED, max(events, 1))
        pipe.set(STATS_CURSOR, account.cursor)
        pipe.execute()
        account.dropped += max(events, 1)
        return 1

    def publish(self, now_ms: int, describe: Publish) -> None:
        """Stores what `describe` makes of the account, how many calls are in flight, and that we are alive.

        Raises redis.RedisError; WatchError means that another worker has booked meanwhile and will publish.
        """

        def store(pipe: Any, account: Account, now_ms: int) -> int:
            seconds, microseconds = pipe.time()
            server_ms = seconds * 1000 + microseconds // 1000
            self._accounts.complete(account)
            account.in_flight.look(self._redis, server_ms, now_ms)
            write = describe(account)
            pipe.multi()
            if write is not None:
                write(pipe)
            account.in_flight.write(pipe, now_ms)
            pipe.set(STATS_ROLLED_AT, server_ms)
            self._sweep(pipe, now_ms)
            pipe.execute()
            return 0

        self._with_account(now_ms, store)

    def _with_account(self, now_ms: int, act: Callable[[Any, Account, int], int]) -> int:
        """Runs `act` on a pipeline that WATCHes the cursor and on an account that agrees with it."""
        account, self._account = self._account, None  # whatever fails on the way leaves nothing half-changed
        pipe: Any
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.watch(STATS_CURSOR)
            account = self._caught_up(account, pipe.get(STATS_CURSOR), now_ms)
            outcome = act(pipe, account, now_ms)
        self._account = account
        return outcome

    def _caught_up(self, account: Account | None, cursor: bytes | None, now_ms: int) -> Account:
        if account is None or account.cursor != cursor:
            return self._accounts.read(cursor, now_ms)
        pause_ms = now_ms - account.windows.now_ms
        if not -TRUSTED_SETBACK_MS <= pause_ms <= TRUSTED_PAUSE_MS:
            return self._accounts.read(cursor, now_ms)
        self._accounts.slide(account, now_ms)
        return account

    # Booking. ---------------------------------------------------------------------------------------------------

    def _roll_up(self, most: int, pipe: Any, account: Account, now_ms: int) -> int:
        packed = pipe.lrange(STATS_EVENTS, 0, most - 1)
        if not packed:
            self._mend_backlog(pipe)
            return 0
        batch = self._open(packed)
        events = [event for _, envelope in batch.opened for event in envelope.events]
        deltas = fold(events, now_ms)
        batch.dropped += deltas.rejected
        if batch.dropped:
            log.debug("dropped on the way: %s", counted(batch.dropped, "event"))
        sums = self._summed(deltas, now_ms)
        uses = token_uses.added(self._redis, uses_of(events))
        booking = self._log_book.prepare(batch.opened, now_ms)
        problems = problems_of(events, now_ms) if deltas.has_errors else []
        known_problems = latest([*account.problems, *problems]) if problems else account.problems
        account.cursor = _next_cursor(account.cursor, batch.envelopes)
        pipe.multi()
        self._write_sums(pipe, sums, deltas)
        token_uses.write(pipe, uses)
        self._log_book.write(pipe, booking)
        if problems:
            pipe.set(STATS_PROBLEMS, encode(known_problems))
        self._write_batch(pipe, batch, account.cursor, now_ms)
        pipe.execute()
        if log.isEnabledFor(logging.DEBUG):
            for event in events:
                log.debug("Counted request_id=%s trace_id=%s", event.request_id, event.trace_id)
        account.windows.add(deltas)
        account.panels.add(deltas)
        account.problems = known_problems
        account.dropped += batch.dropped
        account.recent = (account.recent + deltas.recent)[-RECENT_REQUESTS:]
        return batch.envelopes

    def _open(self, packed: list[bytes]) -> _Batch:
        """Opens envelopes in their order and leaves out those that were rolled up before."""
        envelopes = [(one, unpack(one)) for one in packed]
        senders = sorted({envelope.process_id for _, envelope in envelopes if envelope})
        known: Any = self._redis.hmget(STATS_SEQ, senders) if senders else []
        seqs = {name: _count(seq) for name, seq in zip(senders, known, strict=True)}
        batch = _Batch(envelopes=len(packed), seqs=seqs)
        for one, envelope in envelopes:
            if envelope is None:
                batch.dropped += 1
                log.warning("An entry of %s is no envelope and was removed", STATS_EVENTS)
                continue
            batch.waiting += len(envelope.events)
            if envelope.seq > seqs[envelope.process_id]:
                seqs[envelope.process_id] = envelope.seq
                batch.dropped += envelope.dropped
                batch.opened.append((one, envelope))
        self._leave_out_told(batch)
        return batch

    def _leave_out_told(self, batch: _Batch) -> None:
        """The events of calls that were booked as interrupted when their process seemed dead."""
        for _, envelope in batch.opened:
            batch.ended.setdefault(envelope.process_id, []).extend(ids_with_entries(envelope.events))
        if not (told := told_already(self._redis, batch.ended)):
            return
        for place, (_, envelope) in enumerate(batch.opened):
            events = [event for event in envelope.events if (envelope.process_id, event.request_id) not in told]
            if len(events) < len(envelope.events):
                rest = envelope._replace(events=events)
                batch.opened[place] = repack(rest), rest

    def _summed(self, deltas: Deltas, now_ms: int) -> list[_Sums]:
        """What the touched keys hold from now on. A bucket so old that Redis would drop it at once is left out."""
        touched = [_Sums(STATS_TOTAL, None, deltas.total)]
        for name, bucket_ms, kept_ms, buckets in (
            (STATS_MINUTE, MINUTE_MS, MINUTES_KEPT_MS, deltas.minutes),
            (STATS_HOUR, HOUR_MS, HOURS_KEPT_MS, deltas.hours),
        ):
            for number, tallies in buckets.items():
                life_ms = (number + 1) * bucket_ms + kept_ms - now_ms
                if life_ms > 0:
                    touched.append(_Sums(f"{name}{number}", life_ms, tallies))
        touched = [sums for sums in touched if sums.tallies]
        with self._redis.pipeline(transaction=False) as pipe:
            for sums in touched:
                pipe.hmget(sums.key, list(sums.tallies))
            return [
                sums._replace(tallies=_added(before, sums.tallies))
                for sums, before in zip(touched, pipe.execute() if touched else [], strict=True)
            ]

    @staticmethod
    def _write_sums(pipe: Any, touched: list[_Sums], deltas: Deltas) -> None:
        for sums in touched:
            pipe.hset(sums.key, mapping={name: tally.encode() for name, tally in sums.tallies.items()})
            if sums.life_ms is not None:
                pipe.pexpire(sums.key, sums.life_ms)
        for day, tallies in deltas.days.items():
            for endpoint, tally in tallies.items():
                pipe.hincrby(STATS_DAYS, f"{day} r {endpoint}", tally.requests)
                if tally.errors:
                    pipe.hincrby(STATS_DAYS, f"{day} e {endpoint}", tally.errors)
        if deltas.recent:
            pipe.rpush(STATS_RECENT, *(orjson.dumps(entry) for entry in deltas.recent[-RECENT_REQUESTS:]))
            pipe.ltrim(STATS_RECENT, -RECENT_REQUESTS, -1)

    @staticmethod
    def _write_batch(pipe: Any, batch: _Batch, cursor: bytes, now_ms: int) -> None:
        if batch.dropped:
            pipe.incrby(STATS_DROPPED, batch.dropped)
        if batch.seqs:
            pipe.hset(STATS_SEQ, mapping={name: f"{seq}:{now_ms}" for name, seq in batch.seqs.items()})
        write_ended(pipe, batch.ended)
        pipe.decrby(STATS_BACKLOG, batch.waiting)
        pipe.ltrim(STATS_EVENTS, batch.envelopes, -1)
        pipe.set(STATS_CURSOR, cursor)

    # Tidying up. ------------------------------------------------------------------------------------------------

    @staticmethod
    def _mend_backlog(pipe: Any) -> None:
        """An empty list holds no events, whatever the counter says (somebody may have deleted keys by hand)."""
        if int(pipe.get(STATS_BACKLOG) or 0) == 0:
            return
        pipe.watch(STATS_EVENTS)
        if pipe.llen(STATS_EVENTS) == 0:
            pipe.multi()
            pipe.delete(STATS_BACKLOG)
            pipe.execute()

    def _sweep(self, pipe: Any, now_ms: int) -> None:
        """Forgets, inside an open MULTI, web processes that have been silent for long."""
        if abs(now_ms - self._swept_ms) < SWEEP_MS:
            return
        self._swept_ms = now_ms
        for key in (STATS_SEQ, STATS_PROCESSES):
            marks: Any = self._redis.hgetall(key)
            for name, text in marks.items():
                seen_ms = text.rpartition(b":")[2]
                if not seen_ms.isdigit() or now_ms - int(seen_ms) > SENDER_KEPT_MS:
                    pipe.hdel(key, name)


class _Sums(NamedTuple):
    key: str
    life_ms: int | None
    """How long the key is to live from now on; None: for ever."""
    tallies: dict[str, Tally]


def _added(before: list[bytes | None], tallies: Mapping[str, Tally]) -> dict[str, Tally]:
    """New tallies: what was stored plus what is new."""
    sums = {}
    for encoded, (endpoint, tally) in zip(before, tallies.items(), strict=True):
        sums[endpoint] = Tally() if encoded is None else Tally.decode(encoded)
        sums[endpoint].merge(tally)
    return sums


def _makes_sense(envelope: Envelope, now_ms: int) -> bool:
    """Whether all that is made of it can be made, whatever is stored."""
    try:
        fold(envelope.events, now_ms)
        latest(problems_of(envelope.events, now_ms))
        repack(envelope)
        return all(isinstance(one, str) for one in (*ids_with_entries(envelope.events), *uses_of(envelope.events)))
    except VALUE_FAULTS:
        return False


def _next_cursor(cursor: bytes | None, envelopes: int) -> bytes:
    return f"{_count(cursor) + envelopes}:{uuid4().hex[:12]}".encode()


def _count(text: bytes | None) -> int:
    """The number before the colon of a cursor or of a sender's last number; 0 for nothing."""
    return int(text.partition(b":")[0]) if text else 0
