"""What Redis keeps of one token's money, and the one script that changes it.

A hash for each token, in nano-dollars and ms:

    total, day, month                what is spent, for good and in the running day and month
    day_ends, month_ends             when those are over, by Redis's own clock
    seq                              grows with every command
    starved                          until when somebody lacks money: then nobody takes more than he needs
    p:<process>                      what a process has leased: "leased in_use ends number batch seq"; seq: that of its
                                     last command that left it nothing which no call holds

A process leases money and gives it to its calls by itself. What calls cost comes in numbered batches, so a batch that
is told twice counts once; the rest of a command is absolute and numbered, so a late one does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha1
from typing import Final, NamedTuple

from app.core.money.budget import Budget, Resets, Spent
from app.core.money.periods import Edges
from app.storage.connections import BUDGETS, BUDGETS_NEWS

TTL_S: Final = 20.0
"""How long the lease of a process that is silent holds; then what it had in flight is given back."""
KEYS: Final = 2
UNLIMITED_ARGUMENT: Final = -1

SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me, ttl, number, batch = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local kept, needed, block, using = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local function around(first)
  for i = first, first + 2 do
    if tonumber(ARGV[i]) <= now and now < tonumber(ARGV[i + 1]) then return tonumber(ARGV[i]), ARGV[i + 1] end
  end
end
local day_begins, day_ends = around(14)
local month_begins, month_ends = around(18)
if not day_ends or not month_ends then return {-2, now} end
local raw, stored = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #raw, 2 do stored[raw[i]] = raw[i + 1] end
local mine, others, reserved, holders, answered = nil, 0, 0, 1, -1
for field, value in pairs(stored) do
  if string.sub(field, 1, 2) == 'p:' then
    local leased, in_use, ends, last, told, seq = string.match(value, '(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)')
    ends = tonumber(ends)
    if field == 'p:' .. me then
      mine = {leased = tonumber(leased), last = tonumber(last), told = tonumber(told), seq = tonumber(seq)}
    elseif ends + 600000 < now then
      redis.call('HDEL', KEYS[1], field)
    elseif ends > now and leased ~= '0' then
      others, reserved, holders = others + leased, reserved + in_use, holders + 1
      if answered < 0 or tonumber(seq) < answered then answered = tonumber(seq) end
    end
  end
end
if mine and mine.last >= number then return {-1, now} end
local function turn(name, ends, known)
  local spent = stored[name] or '0'
  if now >= tonumber(stored[name .. '_ends'] or 0) then
    spent = '0'
    redis.call('HSET', KEYS[1], name, '0')
  end
  if tonumber(known) > tonumber(spent) then
    spent = known
    redis.call('HSET', KEYS[1], name, known)
  end
  if stored[name .. '_ends'] ~= ends then redis.call('HSET', KEYS[1], name .. '_ends', ends) end
  return tonumber(spent)
end
local total = tonumber(stored['total'] or 0)
if tonumber(ARGV[12]) > total then
  total = tonumber(ARGV[12])
  redis.call('HSET', KEYS[1], 'total', ARGV[12])
end
local day = turn('day', day_ends, ARGV[13] == day_ends and ARGV[23] or '0')
local month = turn('month', month_ends, ARGV[22] == month_ends and ARGV[24] or '0')
if batch > (mine and mine.told or 0) then
  for i = 28, #ARGV, 2 do
    local at, cost = tonumber(ARGV[i]), ARGV[i + 1]
    redis.call('HINCRBY', KEYS[1], 'total', cost)
    total = total + cost
    if at >= day_begins then day = day + cost redis.call('HINCRBY', KEYS[1], 'day', cost) end
    if at >= month_begins then month = month + cost redis.call('HINCRBY', KEYS[1], 'month', cost) end
  end
end
local room = 9e18
local function bound(limit, spent)
  if tonumber(limit) >= 0 then room = math.min(room, limit - spent) end
end
bound(ARGV[9], total)
bound(ARGV[10], day)
bound(ARGV[11], month)
local free = room - others - kept
local granted = math.min(needed, free)
if granted < tonumber(ARGV[27]) then granted = 0 end
local leased = kept + granted
local lacks = leased < kept + needed
local starved = tonumber(stored['starved'] or 0) > now
local far = not lacks and not starved and free - needed >= holders * math.max(block, needed, 1)
local spare = tonumber(ARGV[26])
if far and block > spare then leased, spare = leased + block - spare, block end
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
local has_idle = spare > 0 or (lacks and granted > 0)
local last_without = has_idle and (mine and mine.seq or 0) or seq
redis.call('HSET', KEYS[1], 'p:' .. me, string.format('%.0f %s %.0f %.0f %.0f %.0f',
  leased, using, now + ttl, number, math.max(batch, mine and mine.told or 0), last_without))
if lacks and others > 0 then
  redis.call('HSET', KEYS[1], 'starved', string.format('%.0f', now + 200))
  redis.call('PUBLISH', KEYS[2], 'starved ' .. me .. ' ' .. ARGV[25])
elseif starved and mine and leased < mine.leased then
  redis.call('PUBLISH', KEYS[2], 'freed ' .. me .. ' ' .. ARGV[25])
end
local function text(nano) return string.format('%.0f', nano) end
return {text(leased), now, far and 1 or 0, seq, answered, text(others), text(reserved),
  text(total), text(day), text(month), day_ends, month_ends}
"""

DIGEST: Final = sha1(SCRIPT.encode()).hexdigest()  # noqa: S324 - by which Redis knows a script


class Plan(NamedTuple):
    """What a process says of one token."""

    number: int
    batch: int
    costs: list[tuple[int, int]]
    """Of calls that have ended: when they began, and nano-dollars."""
    kept: int
    """What it has in any case, once `costs` are spent: its calls in flight, and what it does not give back."""
    spare: int
    """The latter alone."""
    needed: int
    """More, for calls that wait."""
    least: int
    """For the cheapest of those; less is of no use."""
    block: int
    """What it would like to have to spare, where there is plenty."""
    in_use: int
    budget: Budget
    edges: Edges
    known: Known


class Known(NamedTuple):
    """What a process was told last: a Redis that has lost it is told."""

    spent: Spent
    resets: Resets


NOTHING_KNOWN: Final = Known(Spent(), Resets(0, 0))


class Reply(NamedTuple):
    """What Redis said."""

    leased: int
    """-1: a later command has overtaken this one. -2: its clock stands in none of the days that were named."""
    now_ms: int
    is_far: bool = False
    """There was plenty, so a block may have been leased."""
    seq: int = 0
    """The number of the command."""
    answered_seq: int = -1
    """All others that hold money had nothing left that no call holds in a command since this one; -1: none has any."""
    others: int = 0
    """What others have leased."""
    known: Known = NOTHING_KNOWN


def arguments(plan: Plan, process_id: str, token_id: str, ttl_s: float = TTL_S) -> list[str | int]:
    """For EVAL, after the script and the number of its keys, which is KEYS."""
    budget, known, spent = plan.budget, plan.known, plan.known.spent
    said: list[str | int] = [BUDGETS + token_id, BUDGETS_NEWS]
    said += [process_id, round(ttl_s * 1000), plan.number, plan.batch, plan.kept, plan.needed, plan.block, plan.in_use]
    said += [UNLIMITED_ARGUMENT if limit is None else limit for limit in budget[:3]]
    said += [spent.total_nano, known.resets.day_at_ms, *plan.edges.days, *plan.edges.months]
    said += [known.resets.month_at_ms, spent.day_nano, spent.month_nano, token_id, plan.spare, plan.least]
    for at_ms, nano in plan.costs:
        said += [at_ms, nano]
    return said


def reply_of(raw: list[bytes | int]) -> Reply:
    leased, now_ms = int(raw[0]), int(raw[1])
    if leased < 0:
        return Reply(leased, now_ms)
    far, seq, answered_seq, others, reserved, total, day, month, day_ends, month_ends = (int(one) for one in raw[2:])
    known = Known(Spent(total, day, month, reserved), Resets(day_ends, month_ends))
    return Reply(leased, now_ms, bool(far), seq, answered_seq, others, known)


def spent_of(stored: dict[bytes, bytes], now_ms: int, edges: Edges) -> Known:
    """What the hash of a token says, read and not changed. `now_ms`: by Redis's clock."""
    reserved = 0
    for record in processes_of(stored):
        reserved += record.in_use if record.ends_ms > now_ms else 0

    def running(name: bytes) -> int:
        return int(stored.get(name, 0)) if now_ms < int(stored.get(name + b"_ends", 0)) else 0

    spent = Spent(int(stored.get(b"total", 0)), running(b"day"), running(b"month"), reserved)
    return Known(spent, Resets(edges.days[2], edges.months[2]))


class Record(NamedTuple):
    """What a process has leased."""

    process_id: str
    leased: int
    in_use: int
    ends_ms: int


def processes_of(stored: dict[bytes, bytes]) -> Iterable[Record]:
    for field, value in stored.items():
        if field.startswith(b"p:"):
            leased, in_use, ends_ms, *_ = value.split()
            yield Record(field[2:].decode(), int(leased), int(in_use), int(ends_ms))
