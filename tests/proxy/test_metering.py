"""The usage of calls through mappings: the client's bytes are the upstream's, what they tell is known at the end."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator

import gevent
import pytest

from app.core.money.prices import NO_PRICES, Prices
from app.core.statistics.events import ApiUse
from app.core.usage import ABSENT, Usage
from app.wire.dialects.mapped import mapped
from app.wire.http.codings import Decoder
from tests.support.golden_usage import CHAT, GOLDEN, Golden, is_stream, pieces_of
from tests.support.in_process import Client, EngineRoom, content
from tests.support.packed import PACKERS, bomb
from tests.support.prices import prices
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until

STREAMS = {name: golden for name, golden in GOLDEN.items() if is_stream(golden)}
REQUEST = json.dumps({"model": "gpt-x", "stream": True, "messages": "y" * 50}).encode()
assert len(REQUEST) == 100


class Room:
    """An engine, one upstream that answers each call the same, and one client."""

    def __init__(self) -> None:
        self.engine = EngineRoom()
        self.upstream = Upstream(handler=self._serve)
        self.client = Client()
        self.script: Callable[[Peer], bool] = lambda peer: False
        """Answers one request; whether the connection stays."""

    def _serve(self, peer: Peer) -> None:
        while peer.read_request() is not None:
            if not self.script(peer):
                return

    def answer(self, pieces: list[bytes], fields: str, *, cut: bool = False) -> None:
        def script(peer: Peer) -> bool:
            peer.begin_stream(fields)
            for piece in pieces:
                peer.send_chunk(piece)
            if not cut:
                peer.end_stream()
            return not cut

        self.script = script

    def ask(
        self,
        path: str,
        body: bytes = REQUEST,
        kind: str = "application/json",
        *,
        metered: bool = True,
        priced: Prices = NO_PRICES,
    ) -> bytes:
        self.client.buffer = body
        fields = [("Content-Type", kind)]
        asked = mapped("POST", path, False) if metered else None
        reply = self.engine.call(
            self.upstream, self.client, "POST", length=len(body), fields=fields, metered=asked, prices=priced
        )
        return content(reply)

    @property
    def use(self) -> ApiUse:
        use = self.engine.events[-1].api
        assert use is not None
        return use

    @property
    def usage(self) -> Usage:
        return self.use.usage or ABSENT

    def close(self) -> None:
        self.client.close()
        self.engine.close()
        self.upstream.close()


@pytest.fixture(scope="module")
def whole_room() -> Iterator[Room]:
    room = Room()
    yield room
    room.close()


@pytest.fixture
def room(whole_room: Room) -> Room:
    whole_room.engine.events.clear()
    return whole_room


def fields_of(golden: Golden, coding: str = "") -> str:
    return f"Content-Type: {golden.kind}\r\n" + (f"Content-Encoding: {coding}\r\n" if coding else "")


def single(body: bytes) -> list[bytes]:
    return [body[at : at + 1] for at in range(len(body))]


@pytest.mark.parametrize("coding", ["", *PACKERS])
@pytest.mark.parametrize("name", GOLDEN)
def test_an_answer_passes_as_it_comes_and_its_usage_is_known(room: Room, name: str, coding: str) -> None:
    """In any coding, which is undone beside it."""
    golden = GOLDEN[name]
    pieces = pieces_of(golden)
    if coding:
        pieces = PACKERS[coding](pieces)
    room.answer(pieces, fields_of(golden, coding))
    assert room.ask(golden.path) == b"".join(pieces)
    assert room.usage == golden.used


@pytest.mark.parametrize("coding", ["", *PACKERS])
def test_it_is_known_byte_by_byte_with_any_line_end(room: Room, coding: str) -> None:
    for newline in ("\n", "\r\n"):
        golden = GOLDEN["a stream of a message"]
        pieces = pieces_of(golden, newline)
        body = b"".join(PACKERS[coding](pieces) if coding else pieces)
        room.answer(single(body), fields_of(golden, coding))
        assert room.ask(golden.path) == body
        assert room.usage == golden.used


@pytest.mark.parametrize("coding", ["", *PACKERS])
@pytest.mark.parametrize("name", ["a stream", "a stream of a response", "a stream of a message", "a stream of Gemini"])
def test_an_answer_that_breaks_keeps_what_was_reported(room: Room, name: str, coding: str) -> None:
    """After each event, in each coding."""
    golden = GOLDEN[name]
    packed = PACKERS[coding](pieces_of(golden))[:-1] if coding else pieces_of(golden)
    for count, known in enumerate(golden.after, 1):
        room.answer(packed[:count], fields_of(golden, coding), cut=True)
        with pytest.raises(ConnectionResetError):
            room.ask(golden.path)
        assert room.usage == known, count


@pytest.mark.parametrize("name", STREAMS)
def test_a_client_that_leaves_has_used_what_passed(room: Room, name: str) -> None:
    golden = STREAMS[name]
    pieces = pieces_of(golden)

    def script(peer: Peer) -> bool:
        peer.begin_stream(fields_of(golden))
        peer.send_chunk(pieces[0])
        peer.wait_closed()
        return False

    room.script = script
    client = Client(REQUEST)
    reply = room.engine.call(
        room.upstream, client, "POST", length=len(REQUEST), fields=[("Content-Type", "application/json")],
        metered=mapped("POST", golden.path, False),
    )  # fmt: skip
    body = iter(reply.body)
    while not next(body):
        pass
    reply.body.close()  # type: ignore[attr-defined]
    client.close()
    wait_until(lambda: bool(room.engine.events), "the call is accounted for", sleep=gevent.sleep)
    assert room.engine.events[-1].error_code == "client_gone"
    assert room.usage == golden.after[0]


def test_the_model_and_the_text_of_the_request_are_taken_note_of(room: Room) -> None:
    golden = GOLDEN["a stream that was not asked for usage"]
    room.answer(pieces_of(golden), fields_of(golden))
    room.ask(golden.path)
    assert (room.use.model, room.use.dialect, room.use.is_stream, room.use.mapping) == ("gpt-x", "openai", True, "/up")
    assert room.usage == golden.used
    image = json.dumps({"model": "m", "image": f"data:image/png;base64,{'A' * 50_000}", "text": "z" * 400}).encode()
    room.ask(golden.path, image)
    assert room.usage.input is not None
    assert 100 <= room.usage.input <= 125, "the data of an image is no text"
    long = json.dumps({"text": "word " * 40_000, "model": "late"}).encode()
    room.ask(golden.path, long)
    assert room.use.model == "late"
    assert room.usage.input == -(-len(long) // 4)
    room.ask(
        golden.path,
        b"--b\r\nContent-Disposition: form-data; name=model\r\n\r\nwh\r\n--b--",
        "multipart/form-data; boundary=b",
    )
    assert (room.use.model, room.usage.input) == ("wh", 0)


def test_what_it_used_has_a_price(room: Room) -> None:
    """That of the model which the request names; one without a price is noted."""
    golden = GOLDEN["chat without details"]  # 9 in, 4 out
    room.answer(pieces_of(golden), fields_of(golden))
    room.ask(golden.path, priced=prices({"model": "gpt-x", "input": "2", "output": "10"}))
    assert (room.use.cost_nano, room.use.unpriced) == (9 * 2000 + 4 * 10_000, False)
    room.ask(golden.path, priced=prices({"model": "another", "input": "2", "output": "10"}))
    assert (room.use.cost_nano, room.use.unpriced) == (None, True)
    assert "gpt-x" in room.engine.costs.take().unpriced


def test_a_call_that_is_not_metered_has_no_usage_and_no_stage(room: Room) -> None:
    golden = GOLDEN["a stream"]
    room.answer(pieces_of(golden), fields_of(golden))
    assert room.ask(golden.path, metered=False) == b"".join(pieces_of(golden))
    assert room.engine.events[-1].api is None


@pytest.mark.parametrize(
    ("fields", "pieces"),
    [
        ("Content-Type: application/json\r\nContent-Encoding: gzip\r\n", [bomb(2_000_000)]),
        ("Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n", [bomb(50_000_000)]),
        ("Content-Type: text/event-stream\r\nContent-Encoding: br\r\n", [b"\xff\xfe\xfd no brotli"]),
        ("Content-Type: text/event-stream\r\nContent-Encoding: compress\r\n", [b"\x1f\x9d\x90"]),
        (
            "Content-Type: application/json\r\n",
            [b'{"usage":{"prompt_tokens":1},"x":"' + b"y" * 65536, *[b"y" * 65536] * 16, b'"}'],
        ),
        ("Content-Type: audio/mpeg\r\n", [b"\xff\xfb\x90\x00"]),
        ("Content-Type: application/json\r\n", [b"[] no JSON"]),
    ],
)
def test_what_cannot_be_read_passes_all_the_same_and_is_absent(room: Room, fields: str, pieces: list[bytes]) -> None:
    room.answer(pieces, fields)
    assert room.ask(CHAT) == b"".join(pieces)
    assert room.usage == ABSENT


@pytest.mark.parametrize("at", ["feed", "finish"])
def test_a_meter_that_fails_fails_alone(
    room: Room, at: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    golden = GOLDEN["a stream"]
    pieces = PACKERS["gzip"](pieces_of(golden))
    room.answer(pieces, fields_of(golden, "gzip"))

    def fail(*_: object) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(Decoder, at, fail)
    with caplog.at_level(logging.WARNING):
        assert room.ask(golden.path) == b"".join(pieces)
    assert room.usage == ABSENT
    assert "could not be metered" in caplog.text


def test_errors_have_no_usage(room: Room) -> None:
    def script(peer: Peer) -> bool:
        peer.answer(b'{"error":{"message":"no"},"usage":{"prompt_tokens":5}}', "400 Bad Request")
        return True

    room.script = script
    room.ask(CHAT)
    assert room.usage == ABSENT
