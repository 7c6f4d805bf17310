"""Stages of the relay: what looks at a body, or changes it, on its way."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

import pytest

from app.core.errors import GatewayError, UpstreamFault
from app.core.failures import Failure
from app.core.network.egress import EgressPolicy, parse_entries
from app.core.routing import parse_mapping
from app.proxy.messages import RequestBody
from app.proxy.relay import LastWords, Relay
from app.proxy.upstream.dialing import Dialer, OwnAddress
from app.proxy.upstream.transport import OutboundRequest, Transport
from tests.support.upstream import Peer, Upstream


class Marks:
    """Puts a mark around each piece and behind the last; may hold back, break, or have a last word."""

    def __init__(self, mark: bytes, *, breaks_at: bytes = b"", last_words: LastWords | None = None) -> None:
        self._mark = mark
        self._breaks_at = breaks_at
        self._last_words = last_words

    def feed(self, piece: bytes) -> Iterable[bytes]:
        if piece == self._breaks_at:
            raise UpstreamFault(Failure.MALFORMED, "broken")
        yield self._mark + piece
        yield self._mark

    def idle(self) -> bytes:
        return b""

    def finish(self) -> bytes:
        if self._breaks_at == b"end":
            raise UpstreamFault(Failure.MALFORMED, "broken at the end")
        return self._mark.upper()

    def fail(self, error: GatewayError) -> LastWords | None:
        return self._last_words


class Silent(Marks):
    """Keeps all to itself until the end."""

    def feed(self, piece: bytes) -> Iterable[bytes]:
        return (b"",)


Answer = Callable[..., tuple[Relay, list[Relay]]]


@pytest.fixture
def answered() -> Iterator[Answer]:
    """Relays of real answers, and of those settled so far: what each was when it was settled is in its figures."""
    transport = Transport(Dialer(EgressPolicy(parse_entries("127.0.0.1")), OwnAddress("127.0.0.1", 0)))
    upstreams: list[Upstream] = []

    def ask(*chunks: bytes, cut: bool = False) -> tuple[Relay, list[Relay]]:
        def handler(peer: Peer) -> None:
            peer.read_request()
            peer.begin_stream()
            *before, last = chunks
            for chunk in before:
                peer.send_chunk(chunk)
            # In one write with the end, so that the end is at hand when the last piece is.
            peer.send(b"%x\r\n%b\r\n" % (len(last), last) + (b"" if cut else b"0\r\n\r\n"))

        upstream = Upstream(handler=handler)
        upstreams.append(upstream)
        address = parse_mapping("/up", upstream.url).upstream
        exchange = transport.send(OutboundRequest(address, "GET", "/", [("Host", "a")], RequestBody(0)))
        settled: list[Relay] = []
        return Relay(exchange, exchange.read_at_hand(), None, settled.append), settled

    yield ask
    for upstream in upstreams:
        upstream.close()
    transport.close()


def test_stages_stand_one_behind_the_other_and_what_leaves_the_last_is_counted(answered: Answer) -> None:
    """Each gets what the one before gives, ends when that has ended, and the bytes sent are those of the last."""
    relay, settled = answered(b"one")
    relay.pass_through(Marks(b"a"), Marks(b"b"))
    body = b"".join(relay)
    assert body.replace(b"b", b"") == b"aoneaAB"
    assert (relay.sent_bytes, settled) == (len(body), [relay])
    relay.close()
    assert settled == [relay]


def test_an_answer_is_settled_before_its_last_piece_leaves(answered: Answer) -> None:
    """So that whoever has read the whole of it finds it counted; with stages as without."""
    for stages in ((), (Marks(b"a"),), (Silent(b"s"),)):
        relay, settled = answered(b"one", b"two")
        if stages:
            relay.pass_through(*stages)
        pieces = [(piece, bool(settled)) for piece in relay]
        content = [is_settled for piece, is_settled in pieces if piece]
        assert content[-1]
        assert not any(content[:-1])
        relay.close()


def test_nothing_at_hand_is_told_at_once(answered: Answer) -> None:
    """Where the stages give nothing yet the first piece is empty, so that the head may go."""
    relay, _ = answered(b"one")
    relay.pass_through(Silent(b"s"), Marks(b"m"))
    assert list(relay) == [b"", b"mS", b"m", b"M"]
    relay.close()


def test_what_breaks_at_the_first_piece_can_still_be_told(answered: Answer) -> None:
    """The fault is the caller's, who has sent nothing yet; the relay is settled with its status and code."""
    relay, settled = answered(b"one", cut=True)
    if not relay.at_hand:
        relay.at_hand = b"one"
    with pytest.raises(UpstreamFault):
        relay.pass_through(Marks(b"a", breaks_at=relay.at_hand))
    assert [(one.status, one.error_code) for one in settled] == [(502, "upstream_protocol_error")]


@pytest.mark.parametrize("breaks_at", [b"end", b""])
def test_what_breaks_later_breaks_visibly(answered: Answer, breaks_at: bytes) -> None:
    """A stage or an upstream that breaks breaks the client's body, and what came before it has left."""
    relay, settled = answered(b"one", cut=not breaks_at)
    relay.pass_through(Marks(b"a", breaks_at=breaks_at or b"never"))
    sent: list[bytes] = []
    with pytest.raises(ConnectionResetError):
        sent.extend(relay)
    relay.close()
    assert b"".join(sent) == b"aonea"
    assert relay.sent_bytes == len(b"aonea")
    assert [one.error_code for one in settled] == ["upstream_protocol_error" if breaks_at else "upstream_reset"]


@pytest.mark.parametrize("ends_cleanly", [True, False])
def test_a_stage_may_have_the_last_word(answered: Answer, ends_cleanly: bool) -> None:
    """Then the body ends in order behind it, or breaks where it is to; the call still counts as failed."""
    relay, settled = answered(b"one", cut=True)
    relay.pass_through(Marks(b"a", last_words=LastWords(b"data: {error}\n\n", ends_cleanly)), Marks(b"b"))
    sent: list[bytes] = []
    with contextlib.nullcontext() if ends_cleanly else pytest.raises(ConnectionResetError):
        sent.extend(relay)
    body = b"".join(sent)
    assert body.endswith(b"data: {error}\n\n")
    assert b"A" not in body
    relay.close()
    assert [(one.error_code, one.sent_bytes) for one in settled] == [("upstream_reset", len(body))]
