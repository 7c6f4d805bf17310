"""How events travel from a web process to the worker: packed into envelopes, on a list in Redis.

An envelope bears its sender and a number that only grows. Whoever is not sure that an envelope arrived sends
the same one again, and whoever opens it skips what it has seen before: so each event counts exactly once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol

import orjson

from app.core.statistics.events import ApiUse, FailedAttempt, RequestEvent
from app.core.usage import Usage
from app.storage.connections import STATS_BACKLOG, STATS_EVENTS

VERSION = 1
_FIELDS = len(RequestEvent._fields)
_API = RequestEvent._fields.index("api")
_FAILED_USAGE = FailedAttempt._fields.index("usage")
_LATER: Final[tuple[Any, ...]] = ("", "", False, "", None, "", "", None, None, False, "", (), 0)
"""What an ApiUse of an older version lacks, from its channel's id on."""
_FIRST: Final = 9
"""So many values of it came first."""

_PUSH: Final = "redis.call('RPUSH', KEYS[1], ARGV[1]) return redis.call('INCRBY', KEYS[2], ARGV[2])"
"""One reply where a transaction has four."""


class Commands(Protocol):
    """A client of Redis, or a connection that its owner keeps."""

    def execute_command(self, *words: Any) -> Any:
        """The reply. Raises redis.RedisError."""


class Envelope(NamedTuple):
    """What one process sends at once."""

    process_id: str
    seq: int
    """1, 2, 3, ... within a process."""
    dropped: int
    """Events that were given up since the process's last envelope."""
    events: list[RequestEvent]


def encode(event: RequestEvent) -> bytes:
    """An event as it stands in an envelope.

    Raises TypeError for what JSON cannot express: a text that is not Unicode, a number beyond 64 bits.
    """
    api = event.api
    if api is None:
        return orjson.dumps(tuple(event))
    return orjson.dumps((*event[:_API], _values_of(api)))


def _values_of(api: ApiUse) -> tuple[Any, ...]:
    """Values are only ever added at the end; `_api_of` is the reverse."""
    usage = api.usage
    return (
        api.channel, api.key_hint, api.model, api.upstream_model, api.outcome, api.dialect, api.mapping, api.path,
        api.user_agent, api.channel_id, api.key_id, api.is_stream, api.reason, api.first_content_ms, api.token_id,
        api.token, None if usage is None else tuple(usage), api.cost_nano, api.unpriced, api.price_version,
        [_values_of_failed(one) for one in api.failed] if api.failed else (), api.seen_attempt,
    )  # fmt: skip


def _values_of_failed(attempt: FailedAttempt) -> tuple[Any, ...]:
    return tuple(
        attempt if attempt.usage is None else [tuple(one) if isinstance(one, Usage) else one for one in attempt]
    )


def pack(process_id: str, seq: int, dropped: int, events: Sequence[bytes]) -> bytes:
    """An envelope of encoded events."""
    return b"[%d,%b,%d,%d,[%b]]" % (VERSION, orjson.dumps(process_id), seq, dropped, b",".join(events))


def repack(envelope: Envelope) -> bytes:
    """An envelope of which some events were left out."""
    return pack(envelope.process_id, envelope.seq, envelope.dropped, [encode(event) for event in envelope.events])


def unpack(packed: bytes) -> Envelope | None:
    """The reverse of pack(); None for bytes that are no envelope. Fields we do not know yet are left out."""
    try:
        return envelope_of(orjson.loads(packed))
    except ValueError:
        return None


def envelope_of(values: Any) -> Envelope | None:
    """An envelope of its JSON; None for what is none."""
    try:
        version, process_id, seq, dropped, rows = values[:5]
        if version != VERSION or not isinstance(process_id, str):
            return None
        events = events_of(rows)
        return Envelope(process_id, int(seq), int(dropped) + len(rows) - len(events), events)
    except (LookupError, TypeError, ValueError):  # LookupError: what a JSON object says to a slice, from Python 3.12 on
        return None


def events_of(rows: Iterable[Any]) -> list[RequestEvent]:
    """Those of encoded events that are some; `rows`: the JSON of each."""
    return [event for event in map(_event, rows) if event is not None]


def _event(fields: Any) -> RequestEvent | None:
    try:
        values = fields[:_FIELDS]
        if len(values) > _API and values[_API] is not None:  # compiled code reads no list where an ApiUse should stand
            values[_API] = _api_of(values[_API])
        if len(values) == _FIELDS and type(values) is list:
            return tuple.__new__(RequestEvent, values)  # as of nearly all: it costs a third
        return RequestEvent(*values)
    except (LookupError, TypeError, ValueError):
        return None


def _api_of(values: Any) -> ApiUse:
    """Of this version or another: what an older one lacks keeps its default."""
    api = ApiUse(*values[:_FIRST])
    later = [*values[_FIRST:], *_LATER[max(0, len(values) - _FIRST) :]][: len(_LATER)]
    first_content_ms, usage, failed = later[4], later[7], later[11]
    api.channel_id, api.key_id, api.is_stream, api.reason = later[0], later[1], later[2], later[3]
    api.first_content_ms = None if first_content_ms is None else float(first_content_ms)
    api.token_id, api.token = later[5], later[6]
    api.usage = _usage_of(usage)
    api.cost_nano, api.unpriced, api.price_version = later[8], later[9], later[10]
    api.failed = [_failed_of(one) for one in failed]
    api.seen_attempt = later[12]
    return api


def _usage_of(values: Any) -> Usage | None:
    return None if values is None else Usage(*values[: len(Usage._fields)])


def _failed_of(values: Any) -> FailedAttempt:
    known = values[: len(FailedAttempt._fields)]
    if len(known) > _FAILED_USAGE:
        known[_FAILED_USAGE] = _usage_of(known[_FAILED_USAGE])
    return FailedAttempt(*known)


def push(client: Commands, packed: bytes, events: int) -> int:
    """Appends an envelope for the worker. Returns how many events wait there now. Raises redis.RedisError."""
    return int(client.execute_command("EVAL", _PUSH, 2, STATS_EVENTS, STATS_BACKLOG, packed, events))


def backlog(client: Commands) -> int:
    """How many events wait for the worker. Raises redis.RedisError."""
    return int(client.execute_command("GET", STATS_BACKLOG) or 0)
