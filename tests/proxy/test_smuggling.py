"""No request reaches an upstream that h11 does not find in what the client sent, whatever the parts say together."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import h11
import pytest

from tests.support.gateway import GatewayProcess
from tests.support.upstream import Peer, Upstream

MESSAGES = 400
LINES = ["GET {} HTTP/1.1", "POST {} HTTP/1.1", "HEAD {} HTTP/1.1", "POST {} HTTP/1.0", "GET http://g{} HTTP/1.1"]
FIELDS = [
    "Content-Length: 0",
    "Content-Length: 3",
    "Content-Length: {smuggled_size}",
    "Content-Length : 3",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: Chunked",
    "Transfer-Encoding: chunked, identity",
    "Connection: close",
    "Connection: keep-alive, content-length, transfer-encoding, host",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Upgrade: h2c",
    "Expect: 100-continue",
    "Trailer: X",
    "TE: trailers",
    "Host: other",
    " folded: 3",
    "Content-Type: application/json",
    "Idempotency-Key: 1",
]
BODIES = [
    "",
    "abc",
    "0\r\n\r\n",
    "3\r\nabc\r\n0\r\n\r\n",
    "3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n",
    "{smuggled_size:x}\r\n{smuggled}\r\n0\r\n\r\n",
    "{smuggled}",
    "0\r\n\r\n{smuggled}",
]


def message(dice: random.Random, number: int) -> bytes:
    """One to three requests for `/up/<number>`, of parts that may contradict each other; one smuggled among them."""
    smuggled = f"GET /up/{number}/smuggled HTTP/1.1\r\nHost: g\r\n\r\n"
    values = {"smuggled": smuggled, "smuggled_size": len(smuggled)}
    text = ""
    for _ in range(dice.choice([1, 1, 2, 3])):
        fields = ["Host: g"] * (dice.random() < 0.95) + dice.sample(FIELDS, dice.choice([0, 1, 1, 2, 2, 3, 4]))
        if dice.random() < 0.3:
            fields += ["Connection: Upgrade", "Upgrade: websocket"]
        head = "\r\n".join([dice.choice(LINES).format(f"/up/{number}"), *fields, "", ""])
        text += (head + dice.choice(BODIES)).format(**values)
    return text.encode()


def found_by_h11(data: bytes) -> Counter[str]:
    """How often each target is asked for in `data`, without `/up` and whatever stands before it."""
    targets: Counter[str] = Counter()
    while data := data.removeprefix(b"\r\n"):  # RFC 9112, 2.2: h11 does not pass over an empty line
        server = h11.Connection(h11.SERVER)
        server.receive_data(data)
        try:
            event = server.next_event()
            while not isinstance(event, h11.EndOfMessage):
                if event in (h11.NEED_DATA, h11.PAUSED):
                    return targets
                if isinstance(event, h11.Request):
                    targets[event.target.decode().partition("/up")[2]] += 1
                event = server.next_event()
        except h11.RemoteProtocolError:
            return targets
        data = server.trailing_data[0]
    return targets


@pytest.mark.own_server("gevent")  # gunicorn's parser has other laws
def test_no_combination_smuggles(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Framing, upgrades, expectations and pipelines in any combination: the upstream sees what the client asked for."""

    def handler(peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            peer.answer(b"" if seen.line.startswith("HEAD") else b"ok")

    upstream.handler = handler
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    messages = [message(dice, number) for number in range(MESSAGES)]

    def send(data: bytes) -> None:
        with gateway.connect() as sock:
            sock.sendall(data)
            sock.settimeout(0.3)
            try:
                while sock.recv(65_536):
                    pass
            except (TimeoutError, ConnectionResetError):
                pass

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(send, messages))
    asked = sum((found_by_h11(data) for data in messages), Counter())
    got = Counter(seen.target for seen in upstream.seen)
    assert len(upstream.seen) > MESSAGES / 10
    assert got <= asked, f"seed {seed}: not asked for: {got - asked}"
