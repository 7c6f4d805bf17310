"""Tries one key of a channel by one small call, which goes the way of all calls and is judged like any.

It is none of a client's, so no statistics count it and no limit of the channel holds it up.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Final, NamedTuple

from app.core.channels.keys import Key, KeyState
from app.core.channels.urls import urls_in_order
from app.core.choosing.matching import Candidate
from app.core.errors import ApiError, GatewayError, UpstreamFault
from app.core.failures import Failure
from app.core.judging.outcome import GOOD, Blame, Facts, Flaw, Outcome, Verdict, judge
from app.core.model import Channel, ChannelUrl, Snapshot
from app.core.money.cost import NO_COST, Cost
from app.core.usage import ABSENT, Usage
from app.proxy.api.attempts import JUDGED_BYTES, Attempts, Chosen, Failed, Try
from app.proxy.api.choices import Choosing, KeyTurn, charged, noted, now_ms
from app.proxy.api.read_request import read_request
from app.proxy.call import Call, Calls
from app.proxy.engine import Engine
from app.proxy.metering import usage_seen
from app.proxy.own_request import own_inbound
from app.storage.keys.pools import KeyPools
from app.wire.dialects.asked import dialect_of
from app.wire.dialects.samples import said_text, sample
from app.wire.error_bodies import plain
from app.wire.http.caller_deadlines import CallerDeadlines
from app.wire.http.headers import Headers, by_name, find, lower

LONGEST_S: Final = 120.0
"""So long an admin waits for what came back."""
READ_BYTES: Final = 256 * 1024
"""So much of an answer is looked at."""
SHOWN: Final = 4000
"""Characters of what came back."""
TEXT: Final = "Say hi, in one word."
ENABLED: Final = (KeyState.ACTIVE, KeyState.RESTING, KeyState.BLACKLISTED)


class Probe(NamedTuple):
    """What is to be tried."""

    channel: Channel
    key: Key
    dialect: str
    model: str
    """As clients ask for it."""
    is_stream: bool = False
    text: str = TEXT
    patience_s: float = 0.0
    """Who takes longer is to blame for nothing; 0: the limits of its channel count, as for any call."""


class Probed(NamedTuple):
    """What came of it. The key stands nowhere in it."""

    outcome: str
    status: int
    """0: no answer came."""
    duration_ms: float
    first_byte_ms: float | None
    first_content_ms: float | None
    text: str
    error: str
    headers: dict[str, str]
    usage: Usage = ABSENT
    cost: Cost = NO_COST
    blame: Blame = Blame.NOBODY


class Prober:
    """One for each process."""

    def __init__(self, engine: Engine, choosing: Choosing) -> None:
        self._transport = engine.transport
        self._choosing = choosing

    def probe(self, probe: Probe, snapshot: Snapshot, request_id: str, client: str) -> Probed:
        """Waits for the whole answer. Raises only what ends the admin's own request."""
        asked_for = sample(probe.dialect, probe.model, probe.text, probe.is_stream)
        asked = dialect_of("POST", asked_for.path, by_name(asked_for.fields))
        assert asked is not None  # noqa: S101 - a sample has the path of its dialect
        fields = [("User-Agent", "ai-api-gateway"), ("Accept", "*/*"), *asked_for.fields]
        inbound = own_inbound("POST", fields, asked_for.body, request_id, client)
        call = Call(Calls(), inbound, asked.endpoint, LONGEST_S)
        call.bound(0.0, CallerDeadlines(0.0, probe.patience_s))
        choices = _OneChoice(self._choosing, probe, snapshot)
        began_s = time.monotonic()
        tried: Try | None = None
        try:
            request = read_request(inbound, asked, asked_for.query, inbound.headers, snapshot.settings, "")
            attempts = Attempts(call, request, choices, snapshot, self._transport, 0)
            chosen = attempts.run("drop")
            tried = chosen.of if chosen is not None else attempts.failed[-1].of
            found = (
                _read(probe, chosen, choices, snapshot) if chosen is not None else _failed(probe, attempts.failed[-1])
            )
        except GatewayError as error:  # such as the egress guard's
            found = _refused(error)
        finally:
            call.end(0, "")
        first_byte_s = tried.first_byte_s if tried is not None else 0.0
        return found._replace(
            duration_ms=round((time.monotonic() - began_s) * 1000, 1),
            first_byte_ms=round((first_byte_s - began_s) * 1000, 1) if first_byte_s else None,
            first_content_ms=round((choices.first_content_s - began_s) * 1000, 1) if choices.first_content_s else None,
        )


class _OneChoice:
    """One channel, one url, one key: see proxy.attempts.Choices."""

    def __init__(self, choosing: Choosing, probe: Probe, snapshot: Snapshot) -> None:
        self._choosing = choosing
        self._probe = probe
        self._settings = snapshot.settings
        self._prices = snapshot.prices
        self._is_asked = False
        self._key: Key | None = probe.key
        self.first_content_s = 0.0
        """By time.monotonic(); 0: nothing useful has come."""

    def next_channel(self) -> Candidate | None:
        if self._is_asked:
            return None
        self._is_asked = True
        channel, model = self._probe.channel, self._probe.model
        return Candidate(channel, upstream_model(channel, model), (model,))

    def next_key(self) -> KeyTurn | None:
        key, self._key = self._key, None
        return KeyTurn(key) if key is not None else None

    def urls(self, candidate: Candidate) -> list[ChannelUrl]:
        """The one that calls would try first, though all rest."""
        of, dialect, health = candidate.channel, self._probe.dialect, self._choosing.health
        fit = urls_in_order(of, dialect, health, now_ms(), lambda: 0.5, falls_back=True)
        return (fit or [url for url in of.urls if dialect in url.dialects])[:1]

    def chose(self, tried: Try, first_byte_ms: float) -> None:
        self.first_content_s = time.monotonic()
        self._choosing.health.measured(tried.candidate.channel.id, tried.url.url, first_byte_ms)

    def note(self, tried: Try, verdict: Verdict, status: int, usage: Usage) -> Cost:
        noted(self._choosing.health, self._settings, tried, verdict, status)
        return charged(self._choosing.costs, self._prices, tried, verdict, usage)

    def refused(self) -> ApiError:
        return ApiError(503, "no_fit_key", "nobody was tried")

    def back_s(self) -> int | None:
        return None


def usual_model(channel: Channel, kept_for: tuple[str, ...] = ()) -> str:
    """What a key is tried with: what checks ask for, else the first model that is named; empty where none is.

    `kept_for`: the models that the key is kept for; empty: all.
    """
    named = [channel.check_model, *(entry.name for entry in channel.models if entry.name != "*"), *kept_for]
    return next((model for model in named if model and (not kept_for or model in kept_for)), "")


def usual_key(pools: KeyPools, channel: Channel, states: Collection[KeyState] = ENABLED) -> Key | None:
    """The next fit one; where none is, the first in one of these states."""
    pool = pools.of(channel.id)
    names = tuple({name: None for entry in channel.models for name in entry if name})
    key = pool.turn(channel.key_strategy, names).next()
    if key is not None:
        return key
    marks = pool.marks(states)
    place = marks.find(1)
    while place >= 0 and (key := pool.key_at(place)) is None:
        place = marks.find(1, place + 1)
    return key


def upstream_model(channel: Channel, model: str) -> str:
    """As the upstream is asked for it; a model that the channel does not list under its own name."""
    return next((entry.upstream_name for entry in channel.models if entry.name == model and entry.upstream_name), model)


def _read(probe: Probe, chosen: Chosen, choices: _OneChoice, snapshot: Snapshot) -> Probed:
    """The rest of an answer that began well. What breaks it counts against the channel."""
    answer, observer, fault = chosen.exchange.answer, chosen.observer, None
    body = chosen.held
    try:
        while len(body) < READ_BYTES and (piece := chosen.exchange.read1()):
            body += piece
            if observer is not None:
                observer.feed(piece)
    except UpstreamFault as broken:
        fault = broken
    is_whole = chosen.exchange.is_complete
    flaw = None
    if observer is not None and is_whole:
        observer.finish()
        flaw = Flaw.TRUNCATED if observer.is_stream and not observer.is_ended else None
    if observer is not None and observer.error:
        flaw = Flaw.SOFT_ERROR
    is_stream = observer is not None and observer.is_stream
    text = said_text(probe.dialect, plain(body, find(answer.headers, "content-encoding") or ""), is_stream=is_stream)
    found = Probed(Outcome.OK.value, answer.status, 0.0, None, None, text, "", answer_fields(probe.key, answer.headers))
    usage = usage_seen(observer, lambda: len(probe.text))
    if fault is None and flaw is None:
        cost = choices.note(chosen.of, GOOD, answer.status, usage)
    else:
        facts = Facts(
            probe.dialect,
            status=answer.status,
            headers=by_name(answer.headers),
            body=observer.error if observer is not None else b"",
            failure=fault.failure if fault is not None else None,
            flaw=flaw,
            model=upstream_model(probe.channel, probe.model),
        )
        verdict = judge(facts, snapshot.outcome_rules, time.time())
        cost = choices.note(chosen.of, verdict, answer.status, usage)
        error = verdict.text or (fault.message if fault is not None else "the stream ended without its end marker")
        found = found._replace(outcome=_outcome(verdict, fault), error=error, blame=verdict.blame)
    return _masked(probe.key, found._replace(usage=usage, cost=cost))


def _failed(probe: Probe, failed: Failed) -> Probed:
    outcome, fault = _outcome(failed.verdict, failed.fault), failed.fault
    error = failed.verdict.text or (fault.message if fault is not None else f"it was judged {outcome}")
    is_stream = (find(failed.headers, "content-type") or "").startswith("text/event-stream")
    text = said_text(probe.dialect, failed.body, is_stream=True) if is_stream else ""
    text = text or failed.body[:JUDGED_BYTES].decode("utf-8", "replace")
    fields = answer_fields(probe.key, failed.headers)
    seen = (failed.usage, failed.cost, failed.verdict.blame)
    return _masked(probe.key, Probed(outcome, failed.status, 0.0, None, None, text, error, fields, *seen))


def _outcome(verdict: Verdict, fault: UpstreamFault | None) -> str:
    """Its name, as whoever tries a key is told."""
    is_late = fault is not None and fault.failure is Failure.CALLER_TIMEOUT
    return (Outcome.TIMEOUT if is_late else verdict.outcome).value


def _refused(error: GatewayError) -> Probed:
    return Probed(Outcome.REFUSED.value, 0, 0.0, None, None, "", error.message, {})


def _masked(key: Key, probed: Probed) -> Probed:
    """An upstream may repeat the key."""
    return probed._replace(text=key.masked(probed.text)[:SHOWN], error=key.masked(probed.error))


def answer_fields(key: Key, headers: Headers) -> dict[str, str]:
    """An answer's fields as they may be shown."""
    return {name: key.masked(value) for name, value in headers if lower(name) != "set-cookie"}
