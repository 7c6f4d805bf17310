"""What one process knows of one channel: the troubles of its parts, how its attempts went, what waits to be stored.

Bookkeeping only: it talks to nobody, and `Health.lock` is held around every call.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from app.core.channels.keys import Key
from app.core.judging.outcome import Blame
from app.core.judging.troubles import Trouble
from app.core.model import Channel
from app.storage.health.subjects import CHANNEL, KEY, MODEL, URL, Subjects

SLICE_MS: Final = 30_000
"""The window of successes moves by so much at a time."""
ALPHA: Final = 0.3
"""What a new time to the first byte weighs in the average."""
MOST_KEYS: Final = 2000
"""So many keys' uses are stored by one command, in a few milliseconds."""


class Attempt:
    """Who was tried, and when it began."""

    __slots__ = ("began_ms", "channel", "key", "model", "url")

    def __init__(self, channel: Channel, url: str, key: Key | None, model: str, began_ms: int) -> None:
        self.channel = channel
        self.url = url
        """As in `ChannelUrl.url`."""
        self.key = key
        self.model = model
        """As the upstream is asked for it; empty where none is named."""
        self.began_ms = began_ms


class LastError(NamedTuple):
    """As the API tells it."""

    at_ms: int
    outcome: str
    status: int
    """0: there was no answer."""
    text: str


class Tally:
    """Successes and failures."""

    __slots__ = ("bad", "good")

    def __init__(self, good: int = 0, bad: int = 0) -> None:
        self.good = good
        self.bad = bad


class Window:
    """Successes and failures of the last slices of time, over all processes."""

    __slots__ = ("_first", "_slices", "_total")

    def __init__(self) -> None:
        self._first = 0
        self._slices: dict[int, Tally] = {}
        self._total = Tally()

    def add(self, slice: int, good: int, bad: int) -> None:
        tally = self._slices.get(slice)
        if tally is None:
            tally = self._slices[slice] = Tally()
        tally.good += good
        tally.bad += bad
        self._total.good += good
        self._total.bad += bad

    def total(self, first_slice: int) -> Tally:
        """From that slice on; what is older is forgotten."""
        if first_slice == self._first:
            return self._total
        self._first = first_slice
        for slice in [slice for slice in self._slices if slice < first_slice]:
            tally = self._slices.pop(slice)
            self._total.good -= tally.good
            self._total.bad -= tally.bad
        return self._total


class Average:
    """The moving average of times to the first byte, and of how many."""

    __slots__ = ("ms", "samples")

    def __init__(self) -> None:
        self.ms = 0.0
        self.samples = 0

    def add(self, ms: float) -> None:
        self.ms = ms if not self.samples else self.ms + ALPHA * (ms - self.ms)
        self.samples += 1


class ChannelHealth:
    """One channel."""

    __slots__ = ("average", "id", "subjects", "urls", "window")

    def __init__(self, id: str) -> None:
        self.id = id
        self.subjects = Subjects()
        """Those that have or had trouble, by kind and name."""
        self.window = Window()
        self.average = Average()
        self.urls: dict[str, Average] = {}

    def trouble(self, name: str) -> Trouble:
        return self.subjects.trouble(name)

    def url_average(self, url: str) -> Average:
        average = self.urls.get(url)
        if average is None:
            average = self.urls[url] = Average()
        return average


class Batch:
    """What was seen and is not stored yet, as sums: it does not grow with the number of attempts."""

    __slots__ = ("averages", "key_errors", "keys_used", "last_errors", "last_oks_ms", "tallies", "uses")

    def __init__(self) -> None:
        self.tallies: dict[tuple[int, str], Tally] = {}
        """By slice and channel."""
        self.averages: dict[tuple[str, str], Average] = {}
        """By channel and url; the url is empty for the channel's own."""
        self.uses: dict[str, dict[str, list[int]]] = {}
        """By channel and key: how many attempts, and when the last was. As it is written: there may be thousands."""
        self.keys_used = 0
        self.key_errors: dict[tuple[str, str], tuple[int, LastError]] = {}
        """By channel and key: how many, and the last."""
        self.last_oks_ms: dict[str, int] = {}
        self.last_errors: dict[str, LastError] = {}
        """By channel."""

    def __bool__(self) -> bool:
        return bool(self.tallies or self.averages or self.uses)

    @property
    def is_large(self) -> bool:
        """To store more at once would hold up others."""
        return self.keys_used >= MOST_KEYS

    def tally(self, slice: int, channel_id: str, good: int, bad: int) -> None:
        key = (slice, channel_id)
        tally = self.tallies.get(key)
        if tally is None:
            tally = self.tallies[key] = Tally()
        tally.good += good
        tally.bad += bad

    def use(self, channel_id: str, key_id: str, now_ms: int, error: LastError | None) -> None:
        uses = self.uses.get(channel_id)
        if uses is None:
            uses = self.uses[channel_id] = {}
        use = uses.get(key_id)
        if use is None:
            uses[key_id] = [1, now_ms]
            self.keys_used += 1
        else:
            use[0] += 1
            use[1] = now_ms
        if error is not None:
            known = self.key_errors.get((channel_id, key_id))
            self.key_errors[channel_id, key_id] = (known[0] + 1 if known is not None else 1, error)


def all_of(attempt: Attempt) -> tuple[str, ...]:
    """The names of all subjects that took part."""
    key = (KEY + attempt.key.id,) if attempt.key is not None else ()
    return (CHANNEL, URL + attempt.url, MODEL + attempt.model, *key)


def blamed(attempt: Attempt, blame: Blame) -> str:
    """The name of the subject that did wrong."""
    if blame is Blame.KEY and attempt.key is not None:
        return KEY + attempt.key.id
    if blame is Blame.MODEL:
        return MODEL + attempt.model
    return URL + attempt.url if blame is Blame.URL else CHANNEL
