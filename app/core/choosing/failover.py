"""Told what became of each attempt, says who is next: another url, another key, another channel, nobody."""

from __future__ import annotations

from enum import Enum

from app.core.choosing.repeats import attempts_for
from app.core.judging.outcome import Blame, Verdict
from app.core.settings import Settings


class Next(Enum):
    """Who is tried next."""

    URL = "url"
    """The same key at the channel's next url; the next channel where there is none."""
    KEY = "key"
    CHANNEL = "channel"
    STOP = "stop"
    """Nobody: the client gets what there is."""


class Failover:
    """The decisions of one call."""

    def __init__(self, settings: Settings, *, is_lasting: bool, repeats: int = 0) -> None:
        """`is_lasting`: doing it twice would make two of something, so it is repeated only where it was never begun.

        `repeats`: how often the client has tried before; so all of its tries make not many more than one.
        """
        self._max_attempts = attempts_for(settings.max_attempts, repeats)
        self._max_keys = settings.max_keys_per_channel
        self._is_lasting = is_lasting
        self._attempts = 0
        self._keys = 0

    def begin_channel(self) -> None:
        self._keys = 0

    @property
    def is_spent(self) -> bool:
        """True when the call has had as many attempts as it may."""
        return self._attempts >= self._max_attempts

    @property
    def may_try_key(self) -> bool:
        """False when the call, or its present channel, has had as many as it may."""
        return not self.is_spent and self._keys < self._max_keys

    def after(self, verdict: Verdict, *, was_written: bool) -> Next:
        """`was_written`: the upstream may have the request."""
        self._attempts += 1
        if not verdict.again or self._attempts >= self._max_attempts or (self._is_lasting and was_written):
            return Next.STOP
        if verdict.blame is Blame.URL:
            return Next.URL
        self._keys += 1
        return Next.KEY if verdict.blame in (Blame.KEY, Blame.NOBODY) else Next.CHANNEL
