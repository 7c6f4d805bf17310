"""What became of an attempt, and what follows from it: one table, data and not code.

The rows are tried from the top, and the first that fits counts; so a 429 is never `too_long`, and a 401 that is a
page (HTML) fits no row that asks for what a provider says. What the operator says (`core.rules`) goes before the table
and replaces what follows, never the label.

Providers repeat what callers send, so texts are looked for with care (`wire.error_bodies`): in the fields that name an
error, without what stands in quotes and without the model's name that the caller chose. Else whoever may call could
take keys out of the pool by what he asks for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from app.core.failures import Failure
from app.core.judging.error_texts import (
    ACCOUNT_LIMIT,
    CREDENTIAL,
    FILTER,
    KEY,
    LENGTH,
    MODEL,
    OVERLOAD,
    QUOTA,
    RATE_LIMIT,
    SUSPENDED,
    Wording,
)
from app.wire.error_bodies import ErrorBody, Form, plain, read_error
from app.wire.reset_times import told

if TYPE_CHECKING:
    from app.core.judging.rules import OutcomeRule


class Outcome(Enum):
    """The label of what became of an attempt, as logs, statistics and the API have it."""

    OK = "ok"
    QUOTA_EXHAUSTED = "quota_exhausted"
    RATE_LIMITED_ACCOUNT = "rate_limited_account"
    RATE_LIMITED = "rate_limited"
    ACCOUNT_SUSPENDED = "account_suspended"
    INVALID_KEY = "invalid_key"
    REFUSED_KEY = "refused_key"
    TOO_LONG = "too_long"
    CONTENT_FILTERED = "content_filtered"
    MODEL_UNAVAILABLE = "model_unavailable"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    SOFT_ERROR = "soft_error"
    EMPTY = "empty"
    MALFORMED = "malformed"
    STALLED = "stalled"
    TRUNCATED = "truncated"
    TRY_AGAIN = "try_again"
    BAD_REQUEST = "bad_request"
    CLIENT_GONE = "client_gone"
    REFUSED = "refused"
    ENDED = "ended"
    INTERRUPTED = "interrupted"
    ANSWERED_HERE = "answered_here"


class Blame(Enum):
    """On whom an outcome rests."""

    KEY = "key"
    MODEL = "model"
    URL = "url"
    """The url; the channel when all its urls rest."""
    CHANNEL = "channel"
    CLIENT = "client"
    NOBODY = "nobody"

    @property
    def ours(self) -> bool:
        """True where it counts as a failure: something of the channel is to blame and rests."""
        return self not in (Blame.CLIENT, Blame.NOBODY)


class Flaw(Enum):
    """What is wrong with an answer whose status is good, as who reads it sees."""

    SOFT_ERROR = "soft_error"
    """It says error: `Facts.body` is that body, or that event."""
    HTML = "html"
    """A page where JSON was asked."""
    EMPTY = "empty"
    """No bytes."""
    NOTHING_SAID = "nothing_said"
    """Whole, but without text, tool call, refusal or reasoning, and it claims to have stopped by itself.

    A flaw only where the operator's `empty_is_error` says so, which who reads the answer knows.
    """
    MALFORMED = "malformed"
    """An event or a JSON body that is none."""
    TRUNCATED = "truncated"
    """A stream that ended without its end marker."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen of an attempt."""

    dialect: str
    status: int = 0
    """Of the answer; 0 where none came. From 400 on it says more than `failure` and `flaw`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The answer's, names in lower case."""
    body: bytes = b""
    """What the answer or the event says, in its content coding; more than its first 64 KiB is not looked at."""
    failure: Failure | None = None
    flaw: Flaw | None = None
    committed: bool = False
    """True: some of it has reached the client."""
    model: str = ""
    """As the upstream was asked for it."""


class Verdict(NamedTuple):
    """What follows."""

    outcome: Outcome
    blame: Blame = Blame.NOBODY
    again: bool = False
    """True: another candidate may be tried. Nobody is once something has reached the client."""
    told_rest_s: float | None = None
    """The rest that the upstream told, or the operator by a rule; neither doubled nor clamped. None: `core.resting`."""
    blacklist: bool = False
    """True: the key leaves the pool at once."""
    counts_to_blacklist: bool = False
    rule: int | None = None
    """The place of the operator's rule that decided; None: the table did."""
    text: str = ""
    """What the upstream said, short and on one line. It may repeat the key: mask it."""


class Cooldown(Enum):
    """Which setting says how long the first rest is that nobody told."""

    AUTH = "cooldown_auth_s"
    RATE_LIMIT = "cooldown_rate_limit_s"
    TIMEOUT = "cooldown_timeout_s"
    SERVER = "cooldown_server_s"


class Traits(NamedTuple):
    """What follows from a label, where the operator says nothing else."""

    blame: Blame
    again: bool
    """Before anything has reached the client."""
    cooldown: Cooldown | None = None


TRAITS: Final = {
    Outcome.OK: Traits(Blame.NOBODY, again=False),
    Outcome.QUOTA_EXHAUSTED: Traits(Blame.KEY, True, Cooldown.AUTH),
    Outcome.RATE_LIMITED_ACCOUNT: Traits(Blame.CHANNEL, True, Cooldown.RATE_LIMIT),
    Outcome.RATE_LIMITED: Traits(Blame.KEY, True, Cooldown.RATE_LIMIT),
    Outcome.ACCOUNT_SUSPENDED: Traits(Blame.CHANNEL, True, Cooldown.AUTH),
    Outcome.INVALID_KEY: Traits(Blame.KEY, True),
    Outcome.REFUSED_KEY: Traits(Blame.KEY, True, Cooldown.AUTH),
    Outcome.TOO_LONG: Traits(Blame.CLIENT, again=False),
    Outcome.CONTENT_FILTERED: Traits(Blame.CLIENT, again=False),
    Outcome.MODEL_UNAVAILABLE: Traits(Blame.MODEL, True, Cooldown.RATE_LIMIT),
    Outcome.OVERLOADED: Traits(Blame.MODEL, True, Cooldown.RATE_LIMIT),
    Outcome.SERVER_ERROR: Traits(Blame.URL, True, Cooldown.SERVER),
    Outcome.UNREACHABLE: Traits(Blame.URL, True, Cooldown.SERVER),
    Outcome.TIMEOUT: Traits(Blame.URL, True, Cooldown.TIMEOUT),
    Outcome.SOFT_ERROR: Traits(Blame.CHANNEL, True, Cooldown.TIMEOUT),
    Outcome.EMPTY: Traits(Blame.CHANNEL, True, Cooldown.TIMEOUT),
    Outcome.MALFORMED: Traits(Blame.CHANNEL, True, Cooldown.TIMEOUT),
    Outcome.STALLED: Traits(Blame.CHANNEL, True, Cooldown.TIMEOUT),
    Outcome.TRUNCATED: Traits(Blame.CHANNEL, True, Cooldown.TIMEOUT),
    Outcome.TRY_AGAIN: Traits(Blame.NOBODY, again=True),
    Outcome.BAD_REQUEST: Traits(Blame.CLIENT, again=False),
    Outcome.CLIENT_GONE: Traits(Blame.NOBODY, again=False),
    Outcome.REFUSED: Traits(Blame.NOBODY, again=False),
    Outcome.ENDED: Traits(Blame.NOBODY, again=False),
    Outcome.INTERRUPTED: Traits(Blame.NOBODY, again=False),
    Outcome.ANSWERED_HERE: Traits(Blame.NOBODY, again=False),
}


class Row(NamedTuple):
    """When an outcome is one: by a status of 400 and more, or by what was wrong where the status is good.

    It fits a status that is among `statuses`, a flaw among `flaws`, a failure among `failures`; and besides, of what it
    names, all must hold.
    """

    outcome: Outcome
    statuses: Collection[int] = ()
    flaws: tuple[Flaw, ...] = ()
    failures: tuple[Failure, ...] = ()
    says: tuple[Wording, ...] = ()
    """One of them is heard."""
    first: bool = False
    """Heard in a first clause, as what comes later may be the caller's own words."""
    silent_on: tuple[Wording, ...] = ()
    """None of them is heard."""
    forms: tuple[Form, ...] = ()
    """Of the body."""
    scopes: frozenset[str] = frozenset()
    """Values of X-RateLimit-Scope."""


_ANY: Final = range(400, 1000)
_5XX: Final = range(500, 1000)
_SOFT: Final = (Flaw.SOFT_ERROR,)

ROWS: Final = (
    Row(Outcome.QUOTA_EXHAUSTED, (402,)),
    Row(Outcome.QUOTA_EXHAUSTED, (403, 429), _SOFT, says=(QUOTA,)),
    Row(Outcome.QUOTA_EXHAUSTED, (400,), says=(QUOTA,), first=True),
    Row(Outcome.RATE_LIMITED_ACCOUNT, (429,), scopes=frozenset(("global", "ip", "account"))),
    Row(Outcome.RATE_LIMITED_ACCOUNT, (429,), says=(ACCOUNT_LIMIT,)),
    Row(Outcome.RATE_LIMITED, (429,)),
    Row(Outcome.RATE_LIMITED, flaws=_SOFT, says=(RATE_LIMIT,)),
    Row(Outcome.ACCOUNT_SUSPENDED, (401, 403), says=(SUSPENDED,)),
    Row(Outcome.INVALID_KEY, (401, 403), says=(KEY, CREDENTIAL)),
    Row(Outcome.INVALID_KEY, (400,), says=(KEY,), first=True),
    # A refusal of what was asked is none of the key: else some filtered prompts would take every key out of the pool.
    Row(Outcome.REFUSED_KEY, (401,), forms=(Form.JSON, Form.NONE)),
    Row(Outcome.REFUSED_KEY, (403,), silent_on=(LENGTH, FILTER), forms=(Form.JSON, Form.NONE)),
    Row(Outcome.TOO_LONG, _ANY, _SOFT, says=(LENGTH,)),
    Row(Outcome.CONTENT_FILTERED, _ANY, _SOFT, says=(FILTER,)),
    Row(Outcome.MODEL_UNAVAILABLE, (404, 410), says=(MODEL,)),
    Row(Outcome.MODEL_UNAVAILABLE, (400,), says=(MODEL,), first=True),
    Row(Outcome.OVERLOADED, (529,)),
    Row(Outcome.OVERLOADED, _5XX, _SOFT, says=(OVERLOAD,)),
    Row(Outcome.SERVER_ERROR, (405, 444, 499, *_5XX), (Flaw.HTML,)),
    Row(Outcome.SERVER_ERROR, (401, 402, 403, 404), forms=(Form.HTML,)),
    Row(Outcome.SERVER_ERROR, (404,), forms=(Form.NONE,)),
    Row(Outcome.UNREACHABLE, failures=(Failure.UNREACHABLE, Failure.NO_ANSWER, Failure.HEAD_CUT_OFF)),
    Row(
        Outcome.TIMEOUT,
        failures=(Failure.FIRST_BYTE_TIMEOUT, Failure.NOTHING_USEFUL, Failure.NOT_TAKEN, Failure.TOTAL_TIMEOUT),
    ),
    Row(Outcome.SOFT_ERROR, flaws=_SOFT),
    Row(Outcome.EMPTY, flaws=(Flaw.EMPTY, Flaw.NOTHING_SAID)),
    Row(Outcome.MALFORMED, flaws=(Flaw.MALFORMED,), failures=(Failure.NO_HTTP, Failure.MALFORMED)),
    Row(Outcome.STALLED, failures=(Failure.SILENT,)),
    Row(Outcome.TRUNCATED, flaws=(Flaw.TRUNCATED,), failures=(Failure.CUT_OFF, Failure.NO_END_MARKER)),
    Row(Outcome.CLIENT_GONE, failures=(Failure.CALLER_TIMEOUT,)),
    # A kept connection that its upstream had closed meanwhile: what a server says of that, where it can, is 408.
    Row(Outcome.TRY_AGAIN, (408, 425), failures=(Failure.STALE, Failure.STALE_WRITTEN)),
    Row(Outcome.BAD_REQUEST, _ANY),
)

GOOD: Final = Verdict(Outcome.OK)
"""Of an answer of which nobody has anything bad to say; `judge` need not be asked."""


def judge(facts: Facts, rules: Sequence[OutcomeRule], now_s: float) -> Verdict:
    """What became of an attempt, and what follows from it. `now_s`: Unix time, for times that the upstream told."""
    if facts.status < 400 and facts.flaw is None and facts.failure is None:
        return GOOD
    body = plain(facts.body, facts.headers.get("content-encoding", ""))
    said = read_error(body, facts.headers.get("content-type", ""), facts.model)
    outcome = _outcome(facts, said)
    if facts.status >= 400 or facts.flaw is Flaw.SOFT_ERROR:  # the operator speaks of answers
        status = facts.status if facts.status >= 400 else 200
        for place, rule in enumerate(rules):
            if rule.fits(status, facts.dialect, body):
                return _ruled(rule, place, facts, outcome, said, now_s)
    traits = TRAITS[outcome]
    return Verdict(
        outcome,
        traits.blame,
        again=traits.again and not facts.committed,
        told_rest_s=told(facts.headers, said, now_s) if traits.cooldown is not None else None,
        blacklist=outcome is Outcome.INVALID_KEY,
        counts_to_blacklist=outcome is Outcome.REFUSED_KEY,
        text=said.shown,
    )


def _outcome(facts: Facts, said: ErrorBody) -> Outcome:
    for row in ROWS:
        if facts.status >= 400:
            fits = facts.status in row.statuses
        else:
            fits = facts.flaw in row.flaws if facts.flaw is not None else facts.failure in row.failures
        if fits and _holds(row, facts, said):
            return row.outcome
    raise AssertionError(f"no row fits {facts}")  # the last ones take every status, flaw and failure


def _holds(row: Row, facts: Facts, said: ErrorBody) -> bool:
    """True where all that the row names besides holds."""
    if row.forms and said.form not in row.forms:
        return False
    if row.scopes and facts.headers.get("x-ratelimit-scope", "").strip().lower() not in row.scopes:
        return False
    if row.says and not any(wording.heard(said, first=row.first) for wording in row.says):
        return False
    return not any(wording.heard(said) for wording in row.silent_on)


def _ruled(rule: OutcomeRule, place: int, facts: Facts, outcome: Outcome, said: ErrorBody, now_s: float) -> Verdict:
    """The operator's word: the label stays, what follows is his."""
    rests = rule.blame.ours
    return Verdict(
        outcome,
        rule.blame,
        again=rule.blame is not Blame.CLIENT and not facts.committed,
        told_rest_s=(told(facts.headers, said, now_s) if rule.rest_s is None else rule.rest_s) if rests else None,
        blacklist=rule.blacklist,
        rule=place,
        text=said.shown,
    )
