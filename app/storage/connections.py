"""Opens Redis from its URL, and holds every Redis key name of the product."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.core.network.addresses import mask_url
from app.storage.refusals import describe, is_for_good
from app.storage.servers import is_given_up, open_pool
from app.tcp_keepalive import USUAL, TcpKeepalive

MAPPINGS = "apiproxy:mappings"
MAPPINGS_VERSION = "apiproxy:mappings:version"
MAPPINGS_UPDATES = "apiproxy:mappings:updates"
MAPPINGS_ORIGIN = "apiproxy:mappings:origin"  # who stored the catalogue, where that was no operator
MAPPINGS_NONE = "apiproxy:mappings:none"  # never exists
MAPPINGS_OPTIONS = "apiproxy:mappings:options"  # hash prefix -> JSON object of settings
SETTINGS_SET = "apiproxy:settings"  # hash name -> number: the general settings that the operator changed
CHANNELS_SET = "apiproxy:channels"  # hash channel id -> JSON of what was said of it
VERSIONS = "apiproxy:versions"  # when each part of the catalogue last changed; see core.readings.unread
FILLED = "apiproxy:filled"  # a version, and the hashes that held something then; see core.readings.missing
TABLE = "apiproxy:"  # + name: a hash of the catalogue, as core.snapshot names it; those above are among them

# The braces are a hash tag: what one MULTI touches must live in one slot of a Redis Cluster.
STATS = "apiproxy:{stats}:"
STATS_EVENTS = STATS + "events"  # list of envelopes that wait for the worker
STATS_BACKLOG = STATS + "backlog"  # how many events those envelopes hold
STATS_CURSOR = STATS + "cursor"  # changes with every roll-up; all writers WATCH it
STATS_SEQ = STATS + "seq"  # hash: process id -> "last seq rolled up, when"
STATS_MINUTE = STATS + "minute:"  # + minutes since the epoch: hash endpoint -> tally, kept 25 hours
STATS_HOUR = STATS + "hour:"  # + hours since the epoch: the same, kept 62 days
STATS_HOURS_FROM = STATS + "hours_from"  # ms since the epoch: all hours from then on are there, as far as they are kept
STATS_DAYS = STATS + "days"  # hash: "day endpoint" -> "requests errors", kept for ever
STATS_TOTAL = STATS + "total"  # hash endpoint -> tally, kept for ever
STATS_DROPPED = STATS + "dropped"  # events that were given up, ever
STATS_RECENT = STATS + "recent"  # list of the latest requests
STATS_SUMMARY = STATS + "summary"  # what /stats serves, prepared by the worker
STATS_PANEL = STATS + "panel:"  # + window: the same of /stats/<window>
STATS_PANEL_OF = STATS + "panel_of:"  # + window: hash endpoint -> its part of that
STATS_PROBLEMS = STATS + "problems"  # JSON list of the latest requests that failed
STATS_IN_FLIGHT = STATS + "in_flight"  # hash: "m" and a minute, "h" and an hour -> most calls in flight at once
STATS_ROLLED_AT = STATS + "rolled_at"  # Redis's own time of the last roll-up, ms
STATS_PROCESSES = STATS + "processes"  # hash: process id -> heartbeat
STATS_TOKENS = STATS + "tokens"  # hash: access token's id -> "requests errors last_used_ms"
STATS_LEASE = STATS + "lease"  # the worker whose turn it is
ACTIVE = STATS + "active"  # sorted set of "process id, host:pid": until when the entries of that process count, ms
ACTIVE_OF = STATS + "active:"  # + process id: hash request id -> event of a call that has not ended
ACTIVE_NEWS = STATS + "active_news"  # channel: what is asked of all processes
ACTIVE_ANSWERS = STATS + "active_answers:"  # + id of the question: list of their answers
INTERRUPTED = STATS + "interrupted:"  # + process id: hash request id -> 1: calls that were booked as interrupted
LOG_BODIES = "apiproxy:{bodies}:of:"  # + request id: what is kept of a call's bodies for a while
LOG_BODIES_INDEX = "apiproxy:{bodies}:index"  # list "request id, bytes, until ms", the oldest first
LOG_BODIES_BYTES = "apiproxy:{bodies}:bytes"  # of all of them
LOG_LAST_ID = STATS + "log_last_id"  # of any row; no id is given twice
LOG_WAITING = STATS + "log_waiting"  # list: bundles of events whose rows wait to be written into the SQL database
LOG_WAITING_ROWS = STATS + "log_waiting_rows"  # string: how many rows these have
LOG_DROPPED = STATS + "log_dropped"  # rows that were given up, ever
LOG_DROPPED_LATELY = STATS + "log_dropped_lately"  # the same, until none was for a day
LOG_DATABASE = STATS + "log_database"  # the id of the database that the worker writes
LOG_PRUNING = STATS + "log_pruning"  # list: orders to prune the log
LOG_PRUNED = STATS + "log_pruned:"  # + order: list with what came of it
LOG_TROUBLE = STATS + "log_trouble"  # why it writes nothing, while that is so

# One tag for all upstreams, so that one pipeline may serve many of them.
SLOTS = "apiproxy:{slots}:of:"  # + upstream: hash process id -> "slots number expiry_ms"
SLOTS_NEWS = "apiproxy:{slots}:news"  # channel: who lacks a slot, where one came free
MINUTES_OLDEST = "apiproxy:{slots}:oldest:"  # + name: hash process id -> when its oldest attempt leaves the minute, ms
# One tag for all tokens, so that one pipeline may serve many of them.
BUDGETS = "apiproxy:{budgets}:of:"  # + token id: hash, what it has spent and who holds how much; see budgets/script.py
BUDGETS_NEWS = "apiproxy:{budgets}:news"  # channel: who lacks money, where some came free
RATES = "apiproxy:rates:"  # + key: hash, the token bucket of that key

# One tag for all channels, so that one script may change several of these.
CHANNEL_KEYS = "apiproxy:{channels}:keys:"  # + channel id: hash key id -> JSON of the key
CHANNEL_KEY_DIGESTS = "apiproxy:{channels}:key_digests:"  # + channel id: hash digest of a key's text -> its id
CHANNEL_KEYS_VERSION = "apiproxy:{channels}:keys_version"  # grows with every change of any channel's keys
CHANNEL_KEYS_VERSIONS = "apiproxy:{channels}:keys_versions"  # hash channel id -> that of its last change
CHANNEL_KEYS_LOG = "apiproxy:{channels}:keys_log"  # list "version channel id": whose key changed
CHANNEL_KEYS_LAST_ID = "apiproxy:{channels}:keys_last_id"  # of any channel; no id is given twice
CHANNEL_KEYS_SEALED_BY = "apiproxy:{channels}:keys_sealed_by"  # set: ids of encryption keys that were at work
CHANNEL_KEYS_NEWS = "apiproxy:{channels}:keys_news"  # channel: whose keys changed
CHANNEL_KEYS_FILE = "apiproxy:{channels}:keys_file"  # hash: what files of keys said; see storage/keys_file/record.py
CHANNEL_KEYS_FILE_TURN = "apiproxy:{channels}:keys_file_turn"  # who takes one now
CHANNEL_TROUBLES = "apiproxy:{channels}:troubles"  # hash [channel id, kind and name] -> core.troubles.Trouble
CHANNEL_HEALTH_VERSION = "apiproxy:{channels}:health_version"  # grows with all that follows
CHANNEL_HEALTH_ORIGIN = "apiproxy:{channels}:health_origin"  # who counted that from the start: another one after a loss
CHANNEL_HEALTH_NEWS = "apiproxy:{channels}:health_news"  # channel: what was stored, for all processes
CHANNEL_FIRST_BYTES = "apiproxy:{channels}:first_bytes"  # hash "channel id, url" -> "average ms, samples"
CHANNEL_WINDOW = (
    "apiproxy:{channels}:window:"  # + number of the slice: hash channel id -> successes, "id !" -> failures
)
CHANNEL_SEEN = "apiproxy:{channels}:seen"  # hash "channel id ok" -> ms, "channel id error" -> JSON
CHANNEL_USAGE = "apiproxy:{channels}:usage:"  # + channel id: hash "key id requests" and the like
CHANNEL_TOLD = "apiproxy:{channels}:told:"  # + process id: number of the last batch of sums that was stored
DAY_COSTS = "apiproxy:{channels}:costs:"  # + begin of a day, ms: hash channel id -> nano-dollars of its attempts
COSTS_TOLD = "apiproxy:{channels}:costs_told:"  # + process id: number of the last batch of costs that was stored
COSTS_UNPRICED = "apiproxy:{channels}:unpriced"  # hash model without a price -> "calls, last at ms, version of prices"
CONVERSATIONS = "apiproxy:{channels}:conversations:"  # + number of the slice: hash conversation -> JSON of its key
CONVERSATIONS_NEWS = "apiproxy:{channels}:conversations_news"  # channel: what was stored of them, for all processes
GIVEN_ID = "apiproxy:{channels}:given_id:"  # + digest of a token and an id that it was given -> "channel id, key id"
CHECKS_TRIED = "apiproxy:{channels}:checks_tried"  # hash "key id", "channel id" -> when the clock had it tried, ms

# One tag for all tasks, so that one script may end any of them.
TASKS = "apiproxy:{tasks}:of:"  # + task id: hash, what is told of it and who does it; see storage/tasks/stored.py
TASKS_LAST_ID = "apiproxy:{tasks}:last_id"  # no id is given twice
TASKS_OPEN = "apiproxy:{tasks}:open"  # sorted set of the ids of those that wait or run
TASKS_BUSY = "apiproxy:{tasks}:busy"  # hash "kind channel id" -> id of the open task
TASKS_ENDED = "apiproxy:{tasks}:ended"  # list of ids, the latest first
TASKS_INPUT = "apiproxy:{tasks}:input:"  # + task id: list of sealed pieces, until it ends

COPY_TROUBLE = "apiproxy:{copy}:trouble"  # why the copy in the database does not follow, while that is so
AUDIT_WAITING = "apiproxy:{audit}:waiting"  # list of entries that are not in the database yet; see storage/audit
AUDIT_LOST = "apiproxy:{audit}:lost"  # how many were given up because too many waited, ever
ADMIN_SESSION = "apiproxy:admin:session:"
ADMIN_FAILURES = "apiproxy:admin:failures:"

SOCKET_TIMEOUT_S = 5.0
PING_S = 0.5
"""How long a channel may be silent before it is asked whether it lives, and how long the answer may take."""

Redis = redis.Redis
Pipeline = redis.client.Pipeline
NoScriptError = redis.exceptions.NoScriptError
WatchError = redis.WatchError
RedisError = redis.RedisError
"""Redis is away, or refused a command: `refusals.refusal_of` tells which. Other floors know no other word for it."""

Done = TypeVar("Done")

_DRIVER: Final = redis.DriverInfo("ai-api-gateway", lib_version=None)
"""As CLIENT LIST shows us. redis-py's own version would be read from its package's files for each connection: 4 ms."""


def open_redis(
    url: str,
    *,
    tls_verify: bool = True,
    tcp_keepalive: TcpKeepalive = USUAL,
    socket_timeout_s: float = SOCKET_TIMEOUT_S,
) -> Redis:
    """A client for `url` whose commands are never sent twice and never hang.

    redis-py 8 repeats a command up to ten times by default: with one lost reply an RPUSH is then applied twice
    and reported as done (redis/redis-py#4082). Replies are bytes.
    """
    options: dict[str, Any] = {"driver_info": _DRIVER}
    if not url.startswith("unix:"):
        options |= {"socket_keepalive": bool(tcp_keepalive.idle_s), "socket_keepalive_options": tcp_keepalive.options()}
    if url.startswith("rediss:") and not tls_verify:
        options |= {"ssl_cert_reqs": ssl.CERT_NONE, "ssl_check_hostname": False}
    pool = open_pool(
        url,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=socket_timeout_s,
        socket_connect_timeout=socket_timeout_s,
        max_connections=10_000,
        protocol=2,
        **options,
    )
    return redis.Redis.from_pool(pool)


def messages(channel: Any) -> Iterator[bytes | None]:
    """What is said on a subscribed channel; None now and then, so that a listener may look up. Raises RedisError.

    Ends when the connection is dead, or another server has taken over. That a firewall forgot it, say, nobody tells:
    in a silence Redis is asked.
    redis-py's own health checks ask too, but on a channel they never miss the answer.
    """
    asked = False
    while True:
        message = channel.get_message(timeout=PING_S)
        if (message is None and asked) or is_given_up(channel.connection):
            return
        asked = message is None
        if message is None:
            channel.ping()
        yield message["data"] if message is not None and message["type"] == "message" else None


def wait_for_redis(
    act: Callable[[], Done], url: str, say: Callable[[str], None], *, patience_s: float = 30.0, pause_s: float = 1.0
) -> Done:
    """What `act` returns as soon as Redis does it, such as a `ping`.

    Raises redis.RedisError when it has not within `patience_s`, and at once when waiting mends nothing.
    """
    deadline = time.monotonic() + patience_s
    said = False
    while True:
        try:
            return act()
        except redis.RedisError as error:
            if is_for_good(error) or time.monotonic() >= deadline:
                raise
            if not said:
                say(f"Redis at {mask_url(url)} {describe(error)}; trying for {patience_s:.0f} s")
                said = True
            time.sleep(pause_s)
