"""How often something may be done, over all processes that share one Redis; nearly without asking it.

Each key has one token bucket in Redis. A process fetches tokens in blocks, twice as many as last time when those were
spent, and spends them by itself; they expire after `HOLD_S`, and what was not spent goes back with the next question.
A refusal is remembered until the next token is due.

The bound: in any span of T seconds no more than `burst + rate * T` are granted, over all processes, while Redis
answers. There is no slack for the blocks, only the time that an answer of Redis travels: the bucket never fills beyond
`burst` less what processes may still hold. Hence blocks are small beside the burst, and a burst under 8 means one
question for each token. A burst of 1 moreover means that a token not taken the moment it is due is lost.
Without Redis each process has a bucket of its own with the same rate and burst.

There is no thread here: whoever finds no token asks, and others who need one meanwhile wait for the answer, so at
most for the client's socket timeout, once.
"""

from __future__ import annotations

import logging
import threading
import time

from app.storage.connections import RATES, Redis, RedisError
from app.storage.refusals import describe

log = logging.getLogger(__name__)

HOLD_S = 0.1
"""How long a fetched token is good, and so how far ahead tokens are fetched."""
HOLD_SHARE = 0.25
"""Part of the burst that tokens fetched ahead may make up; with a small burst they are good for a shorter time."""
PAUSE_SHARE = 0.25
"""Part of the hold time for which a refused process waits at least: tokens then come in blocks under overload too."""
CLOCK_SHARE = 0.05
"""Part of the hold time that is given away, for clocks that differ in speed."""
FORGET_S = 60.0
"""A key that was asked for neither in this span nor in the one before is forgotten. All that a process knows of it has
expired long before, but the bucket of its own, so nothing is forgotten while that counts."""
AWAY_S = 1.0
"""Pause between two tries to reach a Redis that did not answer."""

# KEYS: the bucket. ARGV: rate per s, burst, tokens wanted, hold time in us; then of the last block: its span, how many
# tokens were held of it, how many of those come back unspent. A span is named by its end (us), when all its tokens
# expire. Returns tokens granted, the span, us until its end, and us until a token is due when none was granted.
# `out` is how many tokens of this span may still be held; one that is spent at once is not among them.
_FETCH = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local rate, burst, wanted, hold = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local span, held, returned = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local kept = redis.call('HMGET', KEYS[1], 'level', 'at', 'out', 'ends')
local level, at = tonumber(kept[1]) or burst, tonumber(kept[2]) or now
local out, ends = tonumber(kept[3]) or 0, tonumber(kept[4]) or 0
if now >= ends or ends > now + 1000000 then -- the latter: the clock was put back
  out, ends = 0, now + hold
elseif span == ends then
  out = math.max(0, out - held)
end
level = level + returned + math.max(0, now - at) * rate / 1000000
level = math.min(level, burst - out)
local granted = math.min(wanted, math.floor(level))
local due = 0
if granted < 1 then
  granted, due = 0, math.ceil((1 - level) / rate * 1000000)
else
  level, out = level - granted, out + granted - 1
end
span = string.format('%.0f', ends)
redis.call('HSET', KEYS[1], 'level', string.format('%.9f', level), 'at', string.format('%.0f', now),
  'out', string.format('%.0f', out), 'ends', span)
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000 + hold / 1000) + 1000)
return {granted, span, string.format('%.0f', ends - now), due}
"""


class Rates:
    """One for each process; nothing to start or stop."""

    def __init__(self, redis_client: Redis) -> None:
        self._redis = redis_client
        self._accounts: dict[str, _Account] = {}
        """Of this span of `FORGET_S`."""
        self._before: dict[str, _Account] = {}
        """Of the span before, and not asked for since."""
        self._span_ends_s = 0.0
        self._alone = False
        self._try_at_s = 0.0

    def take(self, key: str, rate: float, burst: int) -> float:
        """0.0: granted. Else the seconds until it is worth asking again.

        `rate` is in tokens per second and above 0; `burst`, at least 1, is how many may be granted at once.
        """
        now_s = time.monotonic()
        if now_s >= self._span_ends_s:
            self._begin_span(now_s)
        account = self._accounts.get(key)
        if account is None:
            before = self._before.pop(key) if key in self._before else _Account(rate, burst)
            account = self._accounts.setdefault(key, before)
        with account.lock:
            verdict = account.spend(rate, burst, now_s)
        return self._take_slowly(key, account, rate, burst) if verdict is None else verdict

    def _begin_span(self, now_s: float) -> None:
        self._span_ends_s = now_s + FORGET_S
        if not self._alone:
            self._before, self._accounts = self._accounts, {}

    def _take_slowly(self, key: str, account: _Account, rate: float, burst: int) -> float:
        with account.fetching:  # one question at a time: its answer is likely to do for all
            now_s = time.monotonic()
            with account.lock:
                verdict = account.spend(rate, burst, now_s)
            if verdict is not None:
                return verdict
            if now_s >= self._try_at_s:
                try:
                    return self._fetch(key, account, now_s)
                except RedisError as error:
                    self._go_alone(error)
            with account.lock:
                return account.spend_alone(time.monotonic())

    def _fetch(self, key: str, account: _Account, now_s: float) -> float:
        """Raises RedisError."""
        with account.lock:
            arguments = account.ask()
        granted, span, left_us, due_us = self._redis.eval(_FETCH, 1, RATES + key, *arguments)
        if self._alone:
            self._alone = False
            log.warning("Redis answers again; rate limits hold over all processes")
        with account.lock:
            return account.learn(granted, span, int(left_us) / 1e6, due_us / 1e6, now_s)

    def _go_alone(self, error: RedisError) -> None:
        if not self._alone:
            log.warning("Redis %s; each process keeps rate limits by itself", describe(error))
        self._alone = True
        self._try_at_s = time.monotonic() + AWAY_S


class _Account:
    """One key's tokens in this process. Bookkeeping only; `lock` is held around every call."""

    def __init__(self, rate: float, burst: int) -> None:
        self.lock = threading.Lock()
        self.fetching = threading.Lock()
        self._rate = rate
        self._burst = burst
        self._hold_s = _hold_s(rate, burst)
        self._credit = 0
        self._credit_until_s = 0.0
        self._held = 0
        """What the credit was at first."""
        self._span: bytes = b"0"
        self._refused_until_s = 0.0
        self._block = 0
        """Tokens asked for last time."""
        self._own_level = float(burst)
        self._own_level_at_s = 0.0

    def spend(self, rate: float, burst: int, now_s: float) -> float | None:
        """A token of the credit, or what is left of a refusal; None when neither is there."""
        if rate != self._rate or burst != self._burst:
            self._change(rate, burst)
        if self._credit > 0 and now_s < self._credit_until_s:
            self._credit -= 1
            return 0.0
        if now_s < self._refused_until_s:
            return self._refused_until_s - now_s
        return None

    def _change(self, rate: float, burst: int) -> None:
        self._rate, self._burst, self._hold_s = rate, burst, _hold_s(rate, burst)
        self._credit_until_s = self._refused_until_s = 0.0
        self._own_level = min(self._own_level, float(burst))

    def ask(self) -> tuple[float, int, int, int, bytes, int, int]:
        """The script's arguments. The credit is given up with them: were the answer lost, it must not be spent."""
        held, self._held, returned, self._credit = self._held, 0, self._credit, 0
        most = max(1, int(self._rate * self._hold_s))
        self._block = min(most, max(1, self._block - returned if returned else 2 * self._block))
        return self._rate, self._burst, self._block, int(self._hold_s * 1e6), self._span, held, returned

    def learn(self, granted: int, span: bytes, left_s: float, due_s: float, asked_at_s: float) -> float:
        if granted == 0:
            pause_s = max(due_s, self._hold_s * PAUSE_SHARE)
            self._refused_until_s = asked_at_s + pause_s
            return pause_s
        self._credit = self._held = granted - 1
        self._span = span
        self._credit_until_s = asked_at_s + left_s * (1 - CLOCK_SHARE)
        return 0.0

    def spend_alone(self, now_s: float) -> float:
        """From this process's own bucket."""
        grown = (now_s - self._own_level_at_s) * self._rate
        self._own_level = min(float(self._burst), self._own_level + grown)
        self._own_level_at_s = now_s
        if self._own_level < 1:
            return (1 - self._own_level) / self._rate
        self._own_level -= 1
        return 0.0


def _hold_s(rate: float, burst: int) -> float:
    return min(HOLD_S, HOLD_SHARE * burst / rate)
