"""Keys that channels shall have in place of those that they have: written aside, and put there by one change, or never.

The change is one of the catalogue, so channels and their keys change at the same instant. What is written aside is seen
by nobody, and goes by itself where its process dies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from app.core.channels.keys import StoredKey
from app.storage.connections import Pipeline, RedisError
from app.storage.keys.form import Aside, Known
from app.storage.keys.stored import StoredKeys

KEPT_S: Final = 3600
"""How long what is written aside is kept: longer than the longest file takes."""


class Replacement:
    """Raises RedisError, whatever it is asked. Is what goes along with a change (storage/catalog/changes.py)."""

    def __init__(self, stored: StoredKeys, known: Known) -> None:
        """`known`: that on which it is decided what they shall be."""
        self._stored = stored
        self._known = known
        self._asides: dict[str, Aside] = {}

    def keep(self, channel_id: str, keys: Iterable[StoredKey]) -> None:
        """Some of those that the channel shall have, which are there already; what is said of them may be another."""
        self._stored.write_aside(channel_id, self._aside(channel_id), keys, KEPT_S)

    def add(self, channel_id: str, keys: Sequence[tuple[str, StoredKey]]) -> None:
        """Some that are new, with their secrets."""
        seal, ids = self._stored.secrets.seal, self._stored.new_ids(len(keys))
        new = [
            key._replace(id=id, sealed=seal(secret, channel_id)) for id, (secret, key) in zip(ids, keys, strict=True)
        ]
        self._stored.write_aside(channel_id, self._aside(channel_id), new, KEPT_S)

    def still_holds(self, pipe: Pipeline) -> bool:
        return self._stored.still_holds(pipe, self._known, self._asides)

    def queue(self, pipe: Pipeline, mark: str) -> None:
        self._stored.replace(pipe, self._asides, mark)

    def forget(self) -> None:
        """What was written aside in vain. Raises nothing."""
        with suppress(RedisError):
            self._stored.forget_asides(self._asides)

    def _aside(self, channel_id: str) -> Aside:
        return self._asides.setdefault(channel_id, Aside())


class Together:
    """Several things that go along with one change."""

    def __init__(self, *parts: Replacement | Removal) -> None:
        self._parts = parts

    def still_holds(self, pipe: Pipeline) -> bool:
        return all(part.still_holds(pipe) for part in self._parts)

    def queue(self, pipe: Pipeline, mark: str) -> None:
        for part in self._parts:
            part.queue(pipe, mark)


class Removal:
    """All keys of channels go, in the same change as the channels: so a kill leaves no key that belongs to nobody."""

    def __init__(self, stored: StoredKeys, known: Known, channel_ids: Sequence[str], *, must: bool = False) -> None:
        """Where Redis has lost what is `known` the keys stay, and are to be dropped; or, if they `must` go, nothing
        changes.
        """
        self._must = must
        self._stored = stored
        self._known = known
        self._channel_ids = channel_ids

    def still_holds(self, pipe: Pipeline) -> bool:
        return not self._must or self._stored.still_holds(pipe, self._known, {})

    def queue(self, pipe: Pipeline, mark: str) -> None:
        self._stored.remove(pipe, self._known, self._channel_ids, mark)
