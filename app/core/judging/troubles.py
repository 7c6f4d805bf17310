"""The trouble of a channel, url, key or model: how long it rests, how often it failed, whether it is blacklisted.

What happens to it is an event, and `apply` the only rule of what follows. Several processes see events of the same
subject; whoever stores its trouble applies its events to what is stored, so no failure is lost and none counts twice.
An attempt that began before the rest did knew nothing of it: it neither doubles nor ends it.
"""

from __future__ import annotations

from typing import NamedTuple

import orjson

from app.core.judging.outcome import Verdict
from app.core.judging.resting import rest_of
from app.core.settings import Settings

FORGET_MS = 24 * 3600 * 1000
"""What failed last so long ago, and does not rest, is as good as new."""


class Trouble(NamedTuple):
    """Times are Unix time in ms; 0: never."""

    version: int = 0
    """Grows with each event that is stored."""
    failures: int = 0
    """Since the last success, without those of attempts that began before the rest did."""
    changed_ms: int = 0
    """When the last failure or success that counted was noted; its rest began then."""
    told_until_ms: int = 0
    guessed_until_ms: int = 0
    refusals: int = 0
    """Failures that count towards the blacklist."""
    blacklisted_ms: int = 0
    """Since when."""
    outcome: str = ""
    text: str = ""
    """Of the last failure that counted."""
    began_ms: int = 0
    """When its attempt began."""
    before_ms: int = 0
    """When the failure that counted before it was noted."""

    @property
    def until_ms(self) -> int:
        return max(self.told_until_ms, self.guessed_until_ms)

    def is_told(self) -> bool:
        """Whether the upstream or the operator said the rest, so that no fallback cuts it short."""
        return self.told_until_ms >= self.guessed_until_ms

    def is_forgettable(self, now_ms: int) -> bool:
        return not self.blacklisted_ms and max(self.until_ms, self.changed_ms) + FORGET_MS < now_ms


NONE = Trouble()


class Failed(NamedTuple):
    """An attempt failed for which the subject is to blame."""

    began_ms: int
    at_ms: int
    verdict: Verdict
    settings: Settings
    text: str
    """Of the verdict, without the key."""


class Succeeded(NamedTuple):
    began_ms: int
    at_ms: int


class Rested(NamedTuple):
    """The operator rests it until then."""

    at_ms: int
    until_ms: int


class Restored(NamedTuple):
    """The operator takes back its rest, its failures and its place on the blacklist."""

    at_ms: int


Event = Failed | Succeeded | Rested | Restored


def apply(trouble: Trouble, event: Event) -> Trouble:
    """How it stands after the event; the same object when it changes nothing."""
    if isinstance(event, Failed):
        return _failed(trouble, event)
    if isinstance(event, Rested):
        return trouble._replace(changed_ms=event.at_ms, told_until_ms=event.until_ms, guessed_until_ms=0)
    if isinstance(event, Succeeded) and event.began_ms < trouble.changed_ms:
        return trouble
    if not (trouble.failures or trouble.told_until_ms or trouble.guessed_until_ms or trouble.blacklisted_ms):
        return trouble  # refusals are failures
    return Trouble(version=trouble.version, changed_ms=event.at_ms)


def _failed(trouble: Trouble, event: Failed) -> Trouble:
    verdict = event.verdict
    blacklisted_ms = trouble.blacklisted_ms or (event.at_ms if verdict.blacklist else 0)
    if trouble.failures and event.began_ms <= trouble.changed_ms:
        return _failed_before(trouble, event, blacklisted_ms)
    told_ms, guessed_ms = _rest(event, event.at_ms, trouble.failures)
    refusals = trouble.refusals + verdict.counts_to_blacklist
    if 0 < event.settings.blacklist_threshold <= refusals:
        blacklisted_ms = blacklisted_ms or event.at_ms
    return Trouble(
        trouble.version,
        trouble.failures + 1,
        event.at_ms,
        max(trouble.told_until_ms, told_ms),
        0 if told_ms else max(trouble.guessed_until_ms, guessed_ms),
        refusals,
        blacklisted_ms,
        verdict.outcome.value,
        event.text,
        event.began_ms,
        trouble.changed_ms,
    )


def _failed_before(trouble: Trouble, event: Failed, blacklisted_ms: int) -> Trouble:
    """It began before the rest did. It counts only where it was over before the last one began: we heard of it late."""
    told_ms, _ = _rest(event, event.at_ms, trouble.failures)
    after = trouble._replace(told_until_ms=max(trouble.told_until_ms, told_ms), blacklisted_ms=blacklisted_ms)
    if trouble.before_ms < event.began_ms and event.at_ms < trouble.began_ms:
        _, guessed_ms = _rest(event, trouble.changed_ms, trouble.failures)
        refusals = trouble.refusals + event.verdict.counts_to_blacklist
        if 0 < event.settings.blacklist_threshold <= refusals:
            blacklisted_ms = blacklisted_ms or trouble.changed_ms
        after = after._replace(
            failures=trouble.failures + 1,
            guessed_until_ms=max(trouble.guessed_until_ms, guessed_ms) if trouble.guessed_until_ms else 0,
            refusals=refusals,
            blacklisted_ms=blacklisted_ms,
            before_ms=event.at_ms,
        )
    return trouble if after == trouble else after


def _rest(event: Failed, since_ms: int, failures_before: int) -> tuple[int, int]:
    """Until when it rests as was told, and as we guess; 0: that way not."""
    rest = rest_of(event.verdict, failures_before, event.settings)
    if rest is None:
        return 0, 0
    until_ms = since_ms + round(rest.seconds * 1000)
    return (until_ms, 0) if rest.told else (0, until_ms)


def written(trouble: Trouble) -> bytes:
    """As it is stored. A copy of what orjson gives, which would take 4 KB for as long as somebody keeps it."""
    return bytes(bytearray(orjson.dumps(list(trouble))))


def read(stored: bytes | None) -> Trouble:
    """What nobody wrote as it should be counts as new."""
    try:
        return Trouble(*orjson.loads(stored or b"[]"))
    except (ValueError, TypeError):
        return NONE
