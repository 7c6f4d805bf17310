"""Makes of the bodies of finished calls what is kept of them for a while (`log_bodies_minutes`): text without secrets.

One greenlet, which begins with the first that is kept. What comes faster than it works is given up.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final
from weakref import WeakSet

from app.core.request_log.redacting import redacted
from app.storage.connections import RedisError
from app.storage.request_log.bodies import StoredBodies
from app.telemetry.bodies.kept import MARGIN_BYTES, MOST_BYTES, Copied, KeptBodies
from app.waiting import give_way
from app.wire.http.codings import CodingError, decoder_for
from app.wire.http.headers import Headers, find, find_all

log = logging.getLogger(__name__)

MOST_COPIED: Final = 300
"""Calls at once, which may take 45 MB; those beyond keep none."""
MOST_WAITING: Final = 100
MINUTE_MS: Final = 60_000
_COPIED_BYTES: Final = MOST_BYTES + MARGIN_BYTES
_TEXTS: Final = ("text/", "application/json", "application/x-ndjson", "application/x-www-form-urlencoded")
_TEXT_ENDS: Final = ("+json", "+xml", "/xml")


class BodiesKeeper:
    """Of one web process."""

    def __init__(self, stored: StoredBodies, minutes: Callable[[], int]) -> None:
        """`minutes`: for how long bodies are kept now."""
        self.stored = stored
        self._minutes = minutes
        self._copied: WeakSet[KeptBodies] = WeakSet()
        """Also of calls that end in a way that nobody tells."""
        self._waiting: deque[KeptBodies] = deque(maxlen=MOST_WAITING)
        self._wake = threading.Event()
        self._runner: threading.Thread | None = None
        self._is_away = False

    def begin(self, request_id: str, headers: Headers, secrets: Iterable[str]) -> KeptBodies | None:
        """Of a call whose bodies are to be kept; None where too many are copied already."""
        if len(self._copied) >= MOST_COPIED:
            return None
        bodies = KeptBodies(request_id, headers, secrets, self)
        self._copied.add(bodies)
        return bodies

    def keep(self, bodies: KeptBodies) -> None:
        """The call is over. Waits for nobody, never fails; of too many the oldest are given up."""
        self._waiting.append(bodies)
        if self._runner is None:
            self._runner = threading.Thread(target=self._run, name="bodies", daemon=True)
            self._runner.start()
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._waiting:
                self._store(self._waiting.popleft())
                give_way()

    def _store(self, bodies: KeptBodies) -> None:
        try:
            kept_ms = self._minutes() * MINUTE_MS
            if kept_ms > 0:
                now_ms = time.time_ns() // 1_000_000
                told = told_of(bodies) | {"kept_until_ms": now_ms + kept_ms}
                self.stored.put(bodies.request_id, told, now_ms, kept_ms)
            self._is_away = False
        except RedisError:  # they are not worth waiting for
            if not self._is_away:
                log.warning("bodies of calls are not kept while Redis is away")
            self._is_away = True
        except Exception:
            log.exception("the bodies of a call could not be kept")


def told_of(bodies: KeptBodies) -> dict[str, Any]:
    """What is told of a call's bodies; a text only of what is one."""
    return {
        "request": _told_of(bodies.request, bodies.secrets),
        "answer": _told_of(bodies.answer, bodies.secrets),
    }


def _told_of(copied: Copied, secrets: Iterable[str]) -> dict[str, Any]:
    type = find(copied.headers, "content-type") or ""
    told: dict[str, Any] = {"content_type": type, "bytes": copied.bytes, "text": None, "is_cut": False}
    data = _read(copied) if is_text(type) else None
    if data is None:
        return told
    give_way()
    text = redacted(data.decode("utf-8", "replace"), secrets, give_way)
    give_way()
    if len(data) >= _COPIED_BYTES:
        text = text[: max(0, len(text) - MARGIN_BYTES)]  # in the rest there may be the beginning of a secret
    cut = text.encode()[:MOST_BYTES].decode("utf-8", "ignore")
    return told | {"text": cut, "is_cut": len(data) >= _COPIED_BYTES or len(cut) < len(text)}


def is_text(type: str) -> bool:
    """Whether bodies of a content type are shown; one that is not told may be anything."""
    media_type = type.partition(";")[0].strip().lower()
    return media_type.startswith(_TEXTS) or media_type.endswith(_TEXT_ENDS)


def _read(copied: Copied) -> bytes | None:
    """The beginning, out of its coding; None where nobody can read that."""
    coding = ",".join(find_all(copied.headers, "content-encoding"))
    if not coding:
        return b"".join(copied.pieces)
    decoder = decoder_for(coding)
    if decoder is None:
        return None
    found: list[bytes] = []
    size = 0
    try:
        for piece in copied.pieces:
            for part in decoder.feed(piece):
                found.append(part)
                size += len(part)
                if size >= _COPIED_BYTES:
                    return b"".join(found)[:_COPIED_BYTES]
    except CodingError:
        if not found:
            return None
    return b"".join(found)
