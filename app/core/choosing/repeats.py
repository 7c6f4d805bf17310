"""Calls that failed here lately: by them a call is known that repeats one, though its client does not say so.

Clients try again whatever they are told, and each of their tries must not make all of ours anew.
"""

from __future__ import annotations

from hashlib import blake2b
from math import ceil
from typing import Final, NamedTuple

GAP_S: Final = 60.0
"""A call that comes later than that after the one before it failed is no repeat."""
MAX_KEPT: Final = 10_000
"""So many calls are remembered, the latest: one takes about 200 bytes."""
READ_BYTES: Final = 64 * 1024
"""So much of a long body's beginning and of its end is looked at, beside its length."""


class _Series(NamedTuple):
    """A call and its repeats, none of which went well."""

    failures: int
    latest_s: float


class FailedCalls:
    """One for each process. `now_s` is of any clock that never goes back."""

    def __init__(self) -> None:
        self._series: dict[bytes, _Series] = {}
        """By the call's name; the one that failed last comes last."""

    def any(self, now_s: float) -> bool:
        """False where no call can be a repeat, so that none needs a name."""
        series = self._series
        while series:
            oldest = next(iter(series))
            if now_s - series[oldest].latest_s <= GAP_S:
                return True
            del series[oldest]
        return False

    def repeats(self, name: bytes, now_s: float) -> int:
        """The how manyeth repeat of a failed call this is; 0: it is none."""
        series = self._series.get(name)
        return series.failures if series is not None and now_s - series.latest_s <= GAP_S else 0

    def failed(self, name: bytes, now_s: float) -> None:
        failures = self.repeats(name, now_s) + 1
        self._series.pop(name, None)
        self._series[name] = _Series(failures, now_s)
        if len(self._series) > MAX_KEPT:
            del self._series[next(iter(self._series))]

    def went_well(self, name: bytes) -> None:
        self._series.pop(name, None)


def name_of(caller: str, path: str, request_id: str, body_bytes: int, body: bytes) -> bytes:
    """By which the repeats of a call are known. `path` with its query; `request_id`: the client's own, which counts
    instead of the body. `body`: as far as it is in memory.
    """
    digest = blake2b(f"{caller}\0{path}\0{request_id}\0{body_bytes}\0".encode("utf-8", "surrogatepass"), digest_size=16)
    if not request_id:
        digest.update(body[:READ_BYTES])
        digest.update(body[max(READ_BYTES, len(body) - READ_BYTES) :])
    return digest.digest()


def attempts_for(max_attempts: int, repeats: int) -> int:
    """How many attempts the n-th repeat of a call may have."""
    return max(1, ceil(max_attempts / (repeats + 1)))
