"""Whether `ENCRYPTION_KEY` opens the keys of channels that Redis holds: asked before a process begins to serve.

Redis knows the ids of all encryption keys that were at work; should it have lost them, some keys of each channel show
theirs. A start that knows all of these need not look further. An id that it does not know may be one with which
nothing is stored any more; only then all keys are looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import orjson

from app.config import ConfigError
from app.storage.connections import CHANNEL_KEYS, CHANNEL_KEYS_SEALED_BY, CHANNEL_KEYS_VERSIONS, CHANNELS_SET, Redis
from app.storage.keys.form import HISTORY
from app.storage.secrets import Secrets, id_of

CHUNK = 1000
"""Keys that are looked at by one command, so that Redis is busy for a millisecond."""


class KeysUnreadable(ConfigError):
    """ENCRYPTION_KEY is not that with which keys were encrypted. Its text says which, and what would do."""

    def __init__(self, counts: dict[str, int], is_set: bool) -> None:
        """`counts`: how many of a channel, by its name."""
        self.counts = counts
        which = ", ".join(f"{name} ({count:,})" for name, count in counts.items())
        said = (
            f"ENCRYPTION_KEY does not open the keys of these channels: {which}. They are encrypted with another one; "
            "put that behind a comma: ENCRYPTION_KEY=<the new one>,<the old one>."
            if is_set
            else f"ENCRYPTION_KEY is not set, and the keys of these channels are encrypted: {which}. Set it as it was."
        )
        lost = "If it is lost, so are they: `python scripts/encrypt_keys.py --delete-unreadable` deletes them."
        super().__init__(f"{said} {lost}")


def check(client: Redis, secrets: Secrets) -> None:
    """Raises KeysUnreadable, or RedisError where Redis does not answer."""
    if others := (noted(client) | _sampled(client)) - secrets.ids:
        counts = {name: sum(of.values()) for name, of in sealed_by(client, others).items()}
        if counts:
            raise KeysUnreadable(counts, bool(secrets.ids))
    note(client, secrets)


def note(client: Redis, secrets: Secrets) -> None:
    """Says with which key this process encrypts, before it does. One that is known is asked for only: a Redis that is
    full takes no word, and keys can be read from it all the same.
    """
    if secrets.encrypts and not client.sismember(CHANNEL_KEYS_SEALED_BY, secrets.first_id):
        client.sadd(CHANNEL_KEYS_SEALED_BY, secrets.first_id)


def noted(client: Redis) -> set[str]:
    """Ids of encryption keys."""
    return set(map(_text, client.smembers(CHANNEL_KEYS_SEALED_BY)))


def forget_others(client: Redis, secrets: Secrets) -> None:
    """All that is stored is sealed by the key that encrypts now, or plain."""
    if others := noted(client) - {secrets.first_id}:
        client.srem(CHANNEL_KEYS_SEALED_BY, *others)


def holds_keys(client: Redis) -> bool:
    """Whether any channel has a key."""
    return any(client.hlen(CHANNEL_KEYS + channel_id) for channel_id in channel_ids(client))


def channel_ids(client: Redis) -> list[str]:
    """Of channels that have keys, or had some."""
    return sorted(set(map(_text, client.hkeys(CHANNEL_KEYS_VERSIONS))) - {HISTORY})


def sealed_by(client: Redis, ids: Collection[str]) -> dict[str, dict[str, int]]:
    """How many keys each of these encryption keys has sealed, by the names of channels."""
    names = channel_names(client)
    counts: dict[str, dict[str, int]] = {}
    for channel_id in channel_ids(client):
        for stored in _stored_texts(client, channel_id):
            if (id := id_of(stored)) in ids:
                of = counts.setdefault(names.get(channel_id, channel_id), {})
                of[id] = of.get(id, 0) + 1
    return counts


def _sampled(client: Redis) -> set[str]:
    """Ids of encryption keys with which a few keys of each channel are sealed."""
    pipe = client.pipeline(transaction=False)
    for channel_id in channel_ids(client):
        pipe.hscan(CHANNEL_KEYS + channel_id, count=1)
    texts = [text for _, found in pipe.execute() for text in found.values()]
    return {id for text in texts if (id := id_of(_secret_in(text)))}


def _stored_texts(client: Redis, channel_id: str) -> Iterator[str]:
    for _, text in client.hscan_iter(CHANNEL_KEYS + channel_id, count=CHUNK):
        yield _secret_in(text)


def _secret_in(text: bytes) -> str:
    """Empty where it is no key for anybody."""
    try:
        return str(orjson.loads(text)["value"])
    except (ValueError, TypeError, KeyError):
        return ""


def channel_names(client: Redis) -> dict[str, str]:
    """By their ids."""
    names = {}
    for channel_id, text in client.hgetall(CHANNELS_SET).items():
        try:
            names[_text(channel_id)] = str(orjson.loads(text)["said"]["name"])
        except (ValueError, TypeError, KeyError):
            pass
    return names


def _text(reply: bytes | str) -> str:
    return reply.decode() if isinstance(reply, bytes) else reply
