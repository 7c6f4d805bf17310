"""All that a Redis holds, as bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.storage.connections import Redis


def dumped(client: Redis) -> bytes:
    """Names, fields and values of every key, whatever its type, in one order."""
    return b"\n".join(sorted(part if isinstance(part, bytes) else str(part).encode() for part in _parts(client)))


def _parts(client: Any) -> Iterator[Any]:
    for name in client.scan_iter(count=1000):
        yield name
        match client.type(name):
            case b"string":
                yield client.get(name)
            case b"hash":
                for field, value in client.hgetall(name).items():
                    yield from (field, value)
            case b"list":
                yield from client.lrange(name, 0, -1)
            case b"set":
                yield from client.smembers(name)
            case b"zset":
                yield from client.zrange(name, 0, -1)
            case other:
                raise AssertionError(f"{name} is a {other}: say here how it is read")
