"""Bodies are copied as they pass, of so many calls at once, and nobody waits for what is made of them."""

from __future__ import annotations

import gc
from collections.abc import Iterable

import pytest

from app.core.channels.keys import Key
from app.storage.connections import Redis
from app.storage.request_log.bodies import StoredBodies
from app.storage.secrets import Secrets
from app.telemetry.bodies import keeper as module
from app.telemetry.bodies.keeper import BodiesKeeper, told_of
from app.telemetry.bodies.kept import MARGIN_BYTES, MOST_BYTES, KeptBodies
from app.wire.http.headers import Headers
from tests.support.waiting import wait_until

TEXT: Headers = [("Content-Type", "text/plain; charset=utf-8")]


class Noted:
    """Whoever would keep them."""

    def __init__(self) -> None:
        self.kept: list[KeptBodies] = []

    def keep(self, bodies: KeptBodies) -> None:
        self.kept.append(bodies)


class Given:
    """A request's body in pieces."""

    length = -1

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = list(pieces)

    @property
    def at_end(self) -> bool:
        return not self._pieces

    def read1(self, size: int) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


def passed(bodies: KeptBodies, pieces: list[bytes], headers: Headers = TEXT) -> list[bytes]:
    """What comes out where an answer of these pieces goes in."""
    body = bodies.passed_on(headers, iter(pieces))
    found = list(body)
    body.close()  # type: ignore[attr-defined]
    return found


def test_what_passes_is_not_changed_and_kept_once() -> None:
    """Piece by piece, empty ones too; a body that is closed twice ends once."""
    noted = Noted()
    bodies = KeptBodies("id", TEXT, (), noted)
    reader = bodies.passing(Given([b"a", b"sk"]))
    assert (reader.read1(9), reader.at_end, reader.read1(9), reader.at_end) == (b"a", False, b"sk", True)
    body = bodies.passed_on(TEXT, iter([b"", b"one", b"two"]))
    assert list(body) == [b"", b"one", b"two"]
    for _ in range(2):
        body.close()  # type: ignore[attr-defined]
    assert noted.kept == [bodies]
    told = told_of(bodies)
    assert (told["request"]["text"], told["answer"]["text"]) == ("ask", "onetwo")


@pytest.mark.parametrize("begins_at", [MOST_BYTES - 20, MOST_BYTES - 5, MOST_BYTES + MARGIN_BYTES - 20])
def test_a_secret_at_the_bound_is_not_told_in_part(begins_at: int) -> None:
    """Neither where what is kept ends, nor where what is copied ends."""
    secret = "a-key-of-forty-characters-0123456789abcd"
    bodies = KeptBodies("id", TEXT, (), Noted())
    bodies.hide(Key("1", secret))
    text = ("." * begins_at + secret).ljust(MOST_BYTES + 2 * MARGIN_BYTES, ".").encode()
    passed(bodies, [text[at : at + 1000] for at in range(0, len(text), 1000)])
    told = told_of(bodies)["answer"]
    assert (told["bytes"], told["is_cut"]) == (len(text), True)
    assert len(told["text"]) <= MOST_BYTES
    assert set(told["text"].removesuffix("a-ke…abcd").replace("a-ke…abcd", "")) <= set(".a-ke…")
    assert secret[:8] not in told["text"]


def test_of_so_many_calls_at_once_bodies_are_copied(own_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others go without; a call that ends makes room, also where nobody told of its end."""
    monkeypatch.setattr(module, "MOST_COPIED", 2)
    keeper = BodiesKeeper(StoredBodies(own_redis, Secrets()), lambda: 1)
    one, two = (keeper.begin(id, TEXT, ()) for id in ("one", "two"))
    assert one is not None
    assert two is not None
    assert keeper.begin("three", TEXT, ()) is None
    del two
    gc.collect()
    four = keeper.begin("four", TEXT, ())
    assert four is not None
    passed(four, [b"said"])
    wait_until(lambda: keeper.stored.get("four"), "it is kept")
    told = keeper.stored.get("four")
    assert told is not None
    assert told["answer"]["text"] == "said"
    assert keeper.stored.get("one") is None
