"""Keys of channels as Redis keeps them: read in pieces, changed by one script, written back by one script.

All changes share one version, and each channel has that of its last change. Who knows a version hears from the log
what changed since; a look at one number tells that nothing did.
A change says which version it was decided on, and is not made when Redis has lost that meanwhile. Whoever reads says
it, too: what a Redis that was emptied just now no longer holds, nobody has removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

import orjson

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
    RedisError,
)
from app.storage.keys import scripts
from app.storage.keys.encryption import note
from app.storage.secrets import CannotOpen, Secrets

ALL = 0
"""In place of an id: all keys of the channel."""
ASIDE_S = 60
"""How long keys that are written aside are kept, should their process die."""
_SHARED = (
    CHANNEL_KEYS_VERSION,
    CHANNEL_KEYS_NEWS,
    CHANNEL_KEYS_VERSIONS,
    CHANNEL_KEYS_LAST_ID,
    CHANNEL_KEYS_LOG,
)


class KeysLost(RedisError):
    """Redis has fallen behind what was known of it."""

    def __init__(self) -> None:
        super().__init__("it lost keys of channels meanwhile")


class Look(NamedTuple):
    """What is there, without the keys themselves."""

    version: int
    last_id: int
    versions: dict[str, int]
    """By channel."""


class Change(NamedTuple):
    """A line of the log."""

    version: int
    channel_id: str
    key_id: int
    """ALL: every key of the channel."""


class Edit(NamedTuple):
    """Of one key: what it was, and what it becomes; None: it goes."""

    before: StoredKey
    after: StoredKey | None


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
        found = {channel.decode(): _number(stored) for channel, stored in versions.items()}
        return Look(_number(version), _number(last_id), found)

    def since(self, known: int, most: int) -> tuple[int, list[Change] | None]:
        """The version, and what changed first after the known one; None where nobody can tell that any more."""
        version, text = self._eval(scripts.SINCE, "", known, most)
        if int(version) <= known:
            return int(version), []
        changes = [change for line in text.splitlines() if (change := _change(line)) is not None]
        is_whole = [change.version for change in changes] == list(range(known + 1, known + 1 + len(changes)))
        return int(version), changes if changes and is_whole else None

    def ids(self, channel_id: str, known: int, cursor: int, most: int) -> tuple[int, list[int]]:
        """About so many ids of keys, and the cursor for more; 0: these were the last. One may come twice.

        Raises KeysLost where Redis has fallen behind the version `known`.
        """
        following, text = self._eval(scripts.IDS, channel_id, known, cursor, most)
        if int(following) < 0:
            raise KeysLost
        return int(following), [int(one) for one in text.split() if one.isdigit() and len(one) < 20]

    def read(self, channel_id: str, known: int, ids: Sequence[int]) -> list[StoredKey]:
        """Those of these keys that are there. What makes no sense is left out.

        Raises KeysLost where Redis has fallen behind the version `known`.
        """
        if not ids:
            return []
        pipe = self._redis.pipeline()
        pipe.get(CHANNEL_KEYS_VERSION)
        pipe.hmget(CHANNEL_KEYS + channel_id, [str(id) for id in ids])
        version, found = pipe.execute()
        if _number(version) < known:
            raise KeysLost
        pairs = zip(ids, found, strict=True)
        return [key for id, stored in pairs if stored is not None and (key := read_key(id, stored)) is not None]

    def find(self, channel_id: str, secret: str) -> int:
        """The id of the key with this text; 0: there is none."""
        found = self._redis.hmget(CHANNEL_KEY_DIGESTS + channel_id, list(self.secrets.digests(secret)))
        return next((_number(id) for id in found if id is not None), 0)

    def find_all(self, channel_id: str, secrets: Sequence[str]) -> list[int]:
        """The same of many: the id of each."""
        digests = [self.secrets.digests(secret) for secret in secrets]
        each = len(digests[0]) if digests else 0
        wanted = [one for found in digests for one in found]
        ids = [_number(id) for id in self._redis.hmget(CHANNEL_KEY_DIGESTS + channel_id, wanted)] if wanted else []
        return [max(ids[begin : begin + each]) for begin in range(0, len(ids), each)] if each else []

    # --- changing ---

    def note_encryption(self) -> None:
        """Says with which key secrets are sealed from now on."""
        note(self._redis, self.secrets)

    def add(self, channel_id: str, known: int, keys: Iterable[tuple[str, StoredKey]]) -> tuple[int, int]:
        """How many were added, of those that were not there, and how many there are now. Ids are given here.

        `keys` with their secrets, which need not be sealed yet. (-1, 0): Redis has fallen behind what is `known`.
        """
        arguments: list[str | bytes | int] = []
        each = 0
        for secret, key in keys:
            digests = self.secrets.digests(secret)
            each = len(digests)
            sealed = key if key.sealed else key._replace(sealed=self.secrets.seal(secret, channel_id))
            arguments += written(sealed), *digests
        added, total = self._eval(scripts.ADD, channel_id, known, channel_id, each, *arguments)
        return int(added), int(total)

    def change(self, channel_id: str, known: int, edits: Sequence[Edit]) -> int:
        """1: all were made; 0: none, as one is no longer what it was; -1: Redis has fallen behind."""
        arguments: list[str | bytes | int] = []
        goes = any(after is None for _, after in edits)
        each = len(self.secrets.digests("")) if goes else 0
        for before, after in edits:
            arguments += before.id, written(before), written(after) if after is not None else b""
            arguments += self._digests(channel_id, before, each) if after is None else [""] * each
        return int(self._eval(scripts.CHANGE, channel_id, known, channel_id, each, *arguments)[0])

    def reseal(self, channel_id: str, keys: Iterable[tuple[str, StoredKey]]) -> int:
        """Stores secrets as they are sealed now, of keys that are still so. How many were."""
        arguments: list[str | bytes | int] = []
        each = 0
        for secret, key in keys:
            digest, *others = self.secrets.digests(secret)
            each = len(others)
            anew = key._replace(sealed=self.secrets.seal(secret, channel_id))
            arguments += key.id, written(key), written(anew), digest, *others
        return int(self._eval(scripts.RESEAL, channel_id, "", channel_id, each, *arguments)[0])

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

    def drop(self, channel_id: str, known: int) -> int:
        """All keys of a channel."""
        return int(self._eval(scripts.DROP, channel_id, known, channel_id)[0])

    # --- replacing ---

    def new_ids(self, count: int) -> range:
        """Of keys that are to be."""
        last = int(self._redis.incrby(CHANNEL_KEYS_LAST_ID, count))
        return range(last - count + 1, last + 1)

    def give_no_id_up_to(self, id: int) -> None:
        """Keys that come later have larger ones."""
        self._redis.eval(scripts.RAISE_LAST_ID, 1, CHANNEL_KEYS_LAST_ID, id)

    def still_holds(self, pipe: Pipeline, known: int, names: Mapping[str, str]) -> bool:
        """Whether no key was changed since, and what was written aside is there: by channel, the name it has.

        From now on `pipe` does nothing where any of that changes before it does.
        """
        asides = [aside for channel_id, name in names.items() for aside in _asides(channel_id, name)]
        pipe.watch(CHANNEL_KEYS_VERSION, *asides)  # type: ignore[no-untyped-call]
        return _number(pipe.get(CHANNEL_KEYS_VERSION)) == known and pipe.exists(*asides) == len(asides)

    def replace(self, pipe: Pipeline, names: Mapping[str, str], mark: str) -> None:
        """Those that were written aside are the channels' keys, where the catalogue's last change has this mark."""
        keys = [*_SHARED, VERSIONS]
        for channel_id, name in names.items():
            keys += *_places(channel_id), *_asides(channel_id, name)
        pipe.eval(scripts.REPLACE, len(keys), *keys, mark, *names)

    def remove(self, pipe: Pipeline, known: int, channel_ids: Sequence[str], mark: str) -> None:
        """All keys of these channels go, where the catalogue's last change has this mark."""
        keys = [*_SHARED, VERSIONS, *(place for channel_id in channel_ids for place in _places(channel_id))]
        pipe.eval(scripts.REMOVE, len(keys), *keys, known, mark, *channel_ids)

    def forget_asides(self, names: Mapping[str, str]) -> None:
        """What was written aside for these channels."""
        asides = [aside for channel_id, name in names.items() for aside in _asides(channel_id, name)]
        if asides:
            self._redis.unlink(*asides)

    # --- writing back ---

    def is_lost(self, channel_id: str, version: int) -> bool:
        """Whether what was there at that version is missing, and nothing newer is there."""
        return bool(self._eval(scripts.LOST + "return {1}", channel_id, version, channel_id)[0])

    def write_aside(self, channel_id: str, name: str, keys: Iterable[StoredKey], keep_s: int = ASIDE_S) -> None:
        """Some of a channel's keys, not to be seen yet. `name` is of whoever writes."""
        said, digests = {}, {}
        for key in keys:
            said[key.id] = written(key)
            for digest in self._digests(channel_id, key, 1):
                digests[digest] = key.id
        pipe = self._redis.pipeline()
        for aside, mapping in zip(_asides(channel_id, name), (said, digests), strict=True):
            pipe.hset(aside, mapping=mapping)  # type: ignore[arg-type]
            pipe.expire(aside, keep_s)
        pipe.execute()

    def write_back(self, channel_id: str, version: int, name: str, count: int) -> bool:
        """Puts those in place that were written aside, as they were at `version`. False: nothing is missing.

        Raises KeysLost where these `count` keys are no longer there.
        """
        asides = _asides(channel_id, name)
        done = int(self._eval(scripts.WRITE_BACK, channel_id, version, channel_id, count, more_keys=asides)[0])
        self._redis.unlink(*asides)
        if done < 0:
            raise KeysLost
        return bool(done)

    def end_write_back(self, version: int, last_id: int, channels: Mapping[str, int]) -> bool:
        """Says that nothing is missing any more. False: somebody else did.

        Raises KeysLost where one of `channels`, whose versions are known, is missing still or again.
        """
        known = [one for channel in channels.items() for one in channel]
        done = int(self._eval(scripts.WRITTEN_BACK, "", version, last_id, *known)[0])
        if done < 0:
            raise KeysLost
        return bool(done)

    def _digests(self, channel_id: str, key: StoredKey, count: int) -> Sequence[str]:
        """The first of those under which it may be found; as many empty ones where nobody can open it."""
        try:
            return self.secrets.digests(self.secrets.open(key.sealed, channel_id))[:count]
        except CannotOpen:
            return [""] * count

    def _eval(
        self, script: str, channel_id: str, *arguments: str | bytes | int, more_keys: Sequence[str] = ()
    ) -> list[bytes]:
        keys = (*_SHARED, *_places(channel_id), *more_keys)
        return self._redis.eval(script, len(keys), *keys, *arguments)  # type: ignore[no-any-return]


def new_name() -> str:
    """Of whoever writes keys aside."""
    return uuid4().hex


def written(key: StoredKey) -> bytes:
    """As it is stored: always the same for the same key, for changes compare it."""
    said: dict[str, object] = {"value": key.sealed}
    if key.note:
        said["note"] = key.note
    if key.models:
        said["models"] = key.models
    if not key.enabled:
        said["enabled"] = False
    return orjson.dumps(said)


def _places(channel_id: str) -> tuple[str, str]:
    return CHANNEL_KEYS + channel_id, CHANNEL_KEY_DIGESTS + channel_id


def _asides(channel_id: str, name: str) -> tuple[str, str]:
    return f"{CHANNEL_KEYS}{channel_id}:{name}", f"{CHANNEL_KEY_DIGESTS}{channel_id}:{name}"


def read_key(id: int, stored: bytes) -> StoredKey | None:
    try:
        said = orjson.loads(stored)
        models = tuple(map(str, said.get("models", ())))
        return StoredKey(id, str(said["value"]), str(said.get("note", "")), models, bool(said.get("enabled", True)))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _change(line: bytes) -> Change | None:
    try:
        version, channel_id, key_id = line.split(b" ")
        return Change(int(version), channel_id.decode(), int(key_id))
    except ValueError:
        return None


def _number(stored: bytes | str | int | None) -> int:
    try:
        return int(stored or 0)
    except ValueError:
        return 0
