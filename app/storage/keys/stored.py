"""Keys of channels as Redis keeps them: read in pieces, changed by one script, written back by one script.

All changes share one version, and each channel has that of its last change. Who knows a version hears from the log
what changed since; a look at one number tells that nothing did.
A change says which version it was decided on, and is not made when Redis has lost that meanwhile. Whoever reads says
it, too: what a Redis that was emptied just now no longer holds, nobody has removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any
from uuid import uuid4

from app.core.channels.keys import StoredKey
from app.storage.connections import (
    CHANNEL_KEY_DIGESTS,
    CHANNEL_KEYS,
    CHANNEL_KEYS_LAST_ID,
    CHANNEL_KEYS_LOG,
    CHANNEL_KEYS_NEWS,
    CHANNEL_KEYS_VERSION,
    CHANNEL_KEYS_VERSIONS,
    VERSIONS,
    Pipeline,
    Redis,
)
from app.storage.keys import scripts
from app.storage.keys.encryption import note
from app.storage.keys.form import (
    ALL,
    HISTORY,
    Aside,
    Edit,
    KeysLost,
    Known,
    Look,
    News,
    read_change,
    read_key,
    read_number,
    read_version,
    written,
)
from app.storage.secrets import CannotOpen, Secrets

ASIDE_S = 60
"""How long keys that are written aside are kept, should their process die."""
_LINES = 1000
"""Of the log that are read at once."""
_SHARED = (
    CHANNEL_KEYS_VERSION,
    CHANNEL_KEYS_NEWS,
    CHANNEL_KEYS_VERSIONS,
    CHANNEL_KEYS_LAST_ID,
    CHANNEL_KEYS_LOG,
)


class StoredKeys:
    """Raises RedisError, whatever it is asked."""

    def __init__(self, client: Redis, secrets: Secrets) -> None:
        self.secrets = secrets
        self._redis = client

    # --- reading ---

    def look(self) -> Look:
        pipe = self._redis.pipeline()
        pipe.mget(CHANNEL_KEYS_VERSION, CHANNEL_KEYS_LAST_ID)
        pipe.hgetall(CHANNEL_KEYS_VERSIONS)
        (version, last_id), versions = pipe.execute()
        history = versions.pop(HISTORY.encode(), b"").decode()
        found = {channel.decode(): read_version(stored) for channel, stored in versions.items()}
        return Look(Known(read_number(version), history), read_number(last_id), found)

    def since(self, known: Known, most: int) -> News:
        """At most so many changes."""
        version, history, is_lost, text = self._eval(scripts.SINCE, "", known.text, most)
        now = Known(int(version), history.decode())
        if is_lost:
            return News(now, None, is_lost=True)
        changes = [change for line in text.splitlines() if (change := read_change(line)) is not None]
        expected = range(known.version + 1, min(now.version, known.version + most) + 1)
        is_whole = [change.version for change in changes] == list(expected)
        return News(now, changes if is_whole else None, is_lost=False)

    def version_of(self, channel_id: str) -> int:
        return read_version(self._redis.hget(CHANNEL_KEYS_VERSIONS, channel_id))

    def ids(self, channel_id: str, known: Known, most: int) -> Iterator[list[int]]:
        """Of all keys that are there from begin to end, each once, about so many at a time. Raises KeysLost.

        A Redis that starts anew does not know where we were, and leaves some out; so once more, where some are missing.
        """
        seen: set[int] = set()
        for _ in range(2):
            least, cursor = -1, -1
            while cursor:
                cursor, there, found = self._some_ids(channel_id, known, max(cursor, 0), most)
                ids = [id for id in dict.fromkeys(found) if id not in seen]
                seen.update(ids)
                least = there if least < 0 else min(least, there)
                yield ids
            if len(seen) >= least:
                break

    def _some_ids(self, channel_id: str, known: Known, cursor: int, most: int) -> tuple[int, int, list[int]]:
        """The cursor for more (0: these are the last), how many keys there are, and some ids."""
        following, count, *text = self._eval(scripts.IDS, channel_id, known.text, cursor, most)
        if not text:
            raise KeysLost
        ids = [int(one) for one in text[0].split() if one.isdigit() and len(one) < 20]
        return int(following), int(count), ids

    def read(self, channel_id: str, known: Known, ids: Sequence[int]) -> list[StoredKey]:
        """Those of these keys that are there. What makes no sense is left out. Raises KeysLost."""
        if not ids:
            return []
        pipe = self._redis.pipeline()
        pipe.get(CHANNEL_KEYS_VERSION)
        pipe.hget(CHANNEL_KEYS_VERSIONS, HISTORY)
        pipe.hmget(CHANNEL_KEYS + channel_id, [str(id) for id in ids])
        version, history, found = pipe.execute()
        if known.is_lost_in(Known(read_number(version), (history or b"").decode())):
            raise KeysLost
        pairs = zip(ids, found, strict=True)
        return [key for id, stored in pairs if stored is not None and (key := read_key(id, stored)) is not None]

    def find(self, channel_id: str, secret: str) -> int:
        """The id of the key with this text; 0: there is none."""
        found = self._redis.hmget(CHANNEL_KEY_DIGESTS + channel_id, list(self.secrets.digests(secret)))
        return next((read_number(id) for id in found if id is not None), 0)

    def find_all(self, channel_id: str, secrets: Sequence[str]) -> list[int]:
        """The same of many: the id of each."""
        digests = [self.secrets.digests(secret) for secret in secrets]
        each = len(digests[0]) if digests else 0
        wanted = [one for found in digests for one in found]
        ids = [read_number(id) for id in self._redis.hmget(CHANNEL_KEY_DIGESTS + channel_id, wanted)] if wanted else []
        return [max(ids[begin : begin + each]) for begin in range(0, len(ids), each)] if each else []

    # --- changing ---

    def note_encryption(self) -> None:
        """Says with which key secrets are sealed from now on."""
        note(self._redis, self.secrets)

    def add(self, channel_id: str, known: Known, keys: Iterable[tuple[str, StoredKey]]) -> tuple[int, int]:
        """How many were added, of those that were not there, and how many there are now. Ids are given here.

        `keys` with their secrets, which need not be sealed yet. (-1, 0): Redis has lost what is known.
        """
        arguments: list[str | bytes | int] = []
        each = 0
        for secret, key in keys:
            digests = self.secrets.digests(secret)
            each = len(digests)
            sealed = key if key.sealed else key._replace(sealed=self.secrets.seal(secret, channel_id))
            arguments += written(sealed), *digests
        added, total = self._eval(scripts.ADD, channel_id, known.text, channel_id, each, *arguments)
        return int(added), int(total)

    def change(self, channel_id: str, known: Known, edits: Sequence[Edit]) -> int:
        """1: all were made; 0: none, as one is no longer what it was; -1: Redis has lost what is known."""
        arguments: list[str | bytes | int] = []
        goes = any(after is None for _, after in edits)
        each = len(self.secrets.digests("")) if goes else 0
        for before, after in edits:
            arguments += before.id, written(before), written(after) if after is not None else b""
            arguments += self._digests(channel_id, before, each) if after is None else [""] * each
        return int(self._eval(scripts.CHANGE, channel_id, known.text, channel_id, each, *arguments)[0])

    def reseal(self, channel_id: str, known: Known, keys: Iterable[tuple[str, StoredKey]]) -> int:
        """Stores secrets as they are sealed now, of keys that are still so. How many were. Raises KeysLost."""
        arguments: list[str | bytes | int] = []
        each = 0
        for secret, key in keys:
            digest, *others = self.secrets.digests(secret)
            each = len(others)
            anew = key._replace(sealed=self.secrets.seal(secret, channel_id))
            arguments += key.id, written(key), written(anew), digest, *others
        done = int(self._eval(scripts.RESEAL, channel_id, known.text, channel_id, each, *arguments)[0])
        if done < 0:
            raise KeysLost
        return done

    def drop_stale_digests(self, channel_id: str) -> None:
        """Those of keys that are no longer there."""
        cursor = -1
        while cursor:
            found: Any
            cursor, found = self._redis.hscan(CHANNEL_KEY_DIGESTS + channel_id, max(cursor, 0), count=1000)
            pipe = self._redis.pipeline(transaction=False)
            for id in found.values():
                pipe.hexists(CHANNEL_KEYS + channel_id, id)
            stale = [digest for digest, is_there in zip(found, pipe.execute(), strict=True) if not is_there]
            if stale:
                self._redis.hdel(CHANNEL_KEY_DIGESTS + channel_id, *stale)

    def drop(self, channel_id: str, known: Known) -> int:
        """All keys of a channel. -1: Redis has lost what is known."""
        return int(self._eval(scripts.DROP, channel_id, known.text, channel_id)[0])

    # --- replacing ---

    def new_ids(self, count: int) -> range:
        """Of keys that are to be."""
        last = int(self._redis.incrby(CHANNEL_KEYS_LAST_ID, count))
        return range(last - count + 1, last + 1)

    def give_no_id_up_to(self, id: int) -> None:
        """Keys that come later have larger ones."""
        self._redis.eval(scripts.RAISE_LAST_ID, 1, CHANNEL_KEYS_LAST_ID, id)

    def still_holds(self, pipe: Pipeline, known: Known, asides: Mapping[str, Aside]) -> bool:
        """Whether no key was changed since, and all that was written aside, by channel, is there.

        From now on `pipe` does nothing where any of that changes before it does.
        """
        places = {aside: _asides(channel_id, aside.name) for channel_id, aside in asides.items()}
        pipe.watch(CHANNEL_KEYS_VERSION, CHANNEL_KEYS_VERSIONS, *chain.from_iterable(places.values()))  # type: ignore[no-untyped-call]
        history: Any = pipe.hget(CHANNEL_KEYS_VERSIONS, HISTORY)
        now = Known(read_number(pipe.get(CHANNEL_KEYS_VERSION)), (history or b"").decode())
        if now.version != known.version or known.is_lost_in(now):
            return False
        return all(pipe.hlen(keys) == aside.count and pipe.exists(digests) for aside, (keys, digests) in places.items())

    def replace(self, pipe: Pipeline, asides: Mapping[str, Aside], mark: str) -> None:
        """Those that were written aside are the channels' keys, where the catalogue's last change has this mark."""
        keys = [*_SHARED, VERSIONS]
        for channel_id, aside in asides.items():
            keys += *_places(channel_id), *_asides(channel_id, aside.name)
        pipe.eval(scripts.REPLACE, len(keys), *keys, mark, *asides)

    def remove(self, pipe: Pipeline, known: Known, channel_ids: Sequence[str], mark: str) -> None:
        """All keys of these channels go, where the catalogue's last change has this mark."""
        keys = [*_SHARED, VERSIONS, *(place for channel_id in channel_ids for place in _places(channel_id))]
        pipe.eval(scripts.REMOVE, len(keys), *keys, known.text, mark, *channel_ids)

    def forget_asides(self, asides: Mapping[str, Aside]) -> None:
        """What was written aside for these channels."""
        places = [place for channel_id, aside in asides.items() for place in _asides(channel_id, aside.name)]
        if places:
            self._redis.unlink(*places)

    # --- writing back ---

    def gone_from(self, look: Look, versions: Mapping[str, int]) -> set[str]:
        """Channels that somebody dropped after that version, as far as the log tells: Redis has not lost them."""
        absent = {id: version for id, version in versions.items() if version and id not in look.versions}
        if not absent:
            return set()
        dropped: dict[str, int] = {}
        known = look.known.begin
        while (news := self.since(known, _LINES)).changes:
            dropped |= {change.channel_id: change.version for change in news.changes if change.key_id == ALL}
            known = known._replace(version=news.changes[-1].version)
        return {id for id, version in absent.items() if dropped.get(id, 0) > version}

    def is_lost(self, channel_id: str, version: float) -> bool:
        """Whether what was there at that version is missing, and nothing newer is there."""
        return bool(self._eval(scripts.LOST + "return {1}", channel_id, version, channel_id)[0])

    def write_aside(self, channel_id: str, aside: Aside, keys: Iterable[StoredKey], keep_s: int = ASIDE_S) -> None:
        """Some more of a channel's keys, not to be seen yet."""
        said, digests = {}, {}
        for key in keys:
            said[key.id] = written(key)
            for digest in self._digests(channel_id, key, 1):
                digests[digest] = key.id
        if not said:
            return
        pipe = self._redis.pipeline()
        for place, mapping in zip(_asides(channel_id, aside.name), (said, digests), strict=True):
            pipe.hset(place, mapping=mapping)  # type: ignore[arg-type]
            pipe.expire(place, keep_s)
        pipe.execute()
        aside.count += len(said)

    def write_back(self, channel_id: str, version: float, aside: Aside, known_version: int, last_id: int) -> bool:
        """Puts those in place that were written aside, as they were at the channel's `version`.

        False: nothing is missing. Raises KeysLost where not all are there any more.
        """
        places = _asides(channel_id, aside.name)
        said = (version, channel_id, aside.count, known_version, last_id)
        done = int(self._eval(scripts.WRITE_BACK, channel_id, *said, more_keys=places)[0])
        self._redis.unlink(*places)
        if done < 0:
            raise KeysLost
        return bool(done)

    def end_write_back(
        self, known_version: int, last_id: int, found: Known, channels: Mapping[str, float]
    ) -> tuple[bool, str]:
        """Says that nothing is missing any more of what was `found` before. False: somebody else did. And the history.

        Raises KeysLost where one of `channels`, whose versions are known, is missing still or again.
        """
        pairs = [one for channel in channels.items() for one in channel]
        said = (known_version, last_id, found.version, found.history, uuid4().hex)
        done, history = self._eval(scripts.WRITTEN_BACK, "", *said, *pairs)
        if int(done) < 0:
            raise KeysLost
        return bool(done), history.decode()

    def _digests(self, channel_id: str, key: StoredKey, count: int) -> Sequence[str]:
        """The first of those under which it may be found; as many empty ones where nobody can open it."""
        try:
            return self.secrets.digests(self.secrets.open(key.sealed, channel_id))[:count]
        except CannotOpen:
            return [""] * count

    def _eval(
        self, script: str, channel_id: str, *arguments: str | bytes | float, more_keys: Sequence[str] = ()
    ) -> list[bytes]:
        keys = (*_SHARED, *_places(channel_id), *more_keys)
        return self._redis.eval(script, len(keys), *keys, *arguments)  # type: ignore[no-any-return]


def _places(channel_id: str) -> tuple[str, str]:
    return CHANNEL_KEYS + channel_id, CHANNEL_KEY_DIGESTS + channel_id


def _asides(channel_id: str, name: str) -> tuple[str, str]:
    return f"{CHANNEL_KEYS}{channel_id}:{name}", f"{CHANNEL_KEY_DIGESTS}{channel_id}:{name}"
