"""Who of one channel may rest: the channel itself, its urls, models and keys, each with its trouble.

Very many keys may be in trouble. Of those of whom nothing waits to be stored only what is stored is kept, as it is
written, and read when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.core.judging.troubles import NONE, Event, Trouble, apply, read

EVENTS_KEPT: Final = 64
"""Of each subject while Redis is away, the latest; long before so many its rest is the longest."""

CHANNEL: Final = ""
URL: Final = "u"
MODEL: Final = "m"
KEY: Final = "k"
"""Before the name of a subject: what it is."""


class Subject:
    """What may rest: a channel, or one of its urls, models and keys."""

    __slots__ = ("forced", "pending", "raw", "stored", "trouble")

    def __init__(self, raw: bytes = b"") -> None:
        self.stored: Trouble = read(raw) if raw else NONE
        self.trouble: Trouble = self.stored
        """As it stands here: what is stored, and what happened since."""
        self.raw = raw
        """What is stored, as it is written; empty: nothing is."""
        self.pending: list[Event] = []
        """What happened that is not stored yet."""
        self.forced = False
        """Redis has lost it: it is stored though nothing happened."""

    def happen(self, event: Event) -> bool:
        """True when it changes something, which is then to be stored."""
        trouble = apply(self.trouble, event)
        if trouble is self.trouble:
            return False
        self.trouble = trouble
        self.pending.append(event)
        del self.pending[:-EVENTS_KEPT]
        return True

    def learn(self, raw: bytes, done: int = 0) -> None:
        """Takes what is stored, in which the first `done` pending events are."""
        self.raw, self.stored = raw, read(raw)
        self.forced = False
        del self.pending[:done]
        self.trouble = self.stored
        for event in self.pending:
            self.trouble = apply(self.trouble, event)


class Subjects:
    """By their names."""

    def __init__(self) -> None:
        self._others: dict[str, Subject] = {}
        self._keys: dict[str, bytes | Subject] = {}

    def __len__(self) -> int:
        return len(self._others) + len(self._keys)

    def __contains__(self, name: str) -> bool:
        return name in self._keys if name.startswith(KEY) else name in self._others

    def names(self) -> list[str]:
        return [*self._others, *self._keys]

    def key_names(self) -> list[str]:
        return list(self._keys)

    def models(self) -> list[tuple[str, Trouble]]:
        """The names of models as the upstream is asked for them."""
        return [(name[1:], subject.trouble) for name, subject in self._others.items() if name.startswith(MODEL)]

    def trouble(self, name: str) -> Trouble:
        subject = self.look(name)
        return subject.trouble if subject is not None else NONE

    def look(self, name: str) -> Subject | None:
        """Not to be changed."""
        if not name.startswith(KEY):
            return self._others.get(name)
        kept = self._keys.get(name)
        return Subject(kept) if isinstance(kept, bytes) else kept

    def get(self, name: str) -> Subject | None:
        """To be changed; then it is to be `put_away`."""
        subject = self.look(name)
        if subject is not None and name.startswith(KEY):
            self._keys[name] = subject
        return subject

    def add(self, name: str) -> Subject:
        """One of whom nothing is known."""
        subject = Subject()
        if name.startswith(KEY):
            self._keys[name] = subject
        else:
            self._others[name] = subject
        return subject

    def put_away(self, name: str) -> None:
        """Keeps of a key what is stored of it, where nothing waits to be stored; and nothing where nothing is."""
        subject = self._keys.get(name)
        if isinstance(subject, Subject) and not subject.pending and not subject.forced:
            self._keys[name] = subject.raw

    def drop(self, name: str) -> None:
        if name.startswith(KEY):
            self._keys.pop(name, None)
        else:
            self._others.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())
