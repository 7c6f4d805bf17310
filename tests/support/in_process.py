"""The path of a request in this process: engine, attempts, relay and pool as they are, with no gateway around them.

Their sockets are gevent's, so whoever waits for them lets their greenlets run: `wait_until(..., sleep=gevent.sleep)`.
Nothing is patched, so a call that waits for a place among its upstream's calls holds up its thread.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from gevent import socket as gevent_socket

from app.core.money.prices import NO_PRICES, Prices
from app.core.network.egress import EgressPolicy, parse_entries
from app.core.routing import parse_mapping
from app.core.settings import Settings
from app.core.statistics.events import RequestEvent
from app.proxy.admission import Admission
from app.proxy.engine import Engine
from app.proxy.messages import Inbound, Reply
from app.proxy.metering import Metered
from app.proxy.tokens.admission import TokenAdmission
from app.proxy.tokens.budget_admission import BudgetAdmission
from app.proxy.upstream.dialing import Dialer, OwnAddress
from app.proxy.upstream.pool import PoolLimits
from app.proxy.upstream.transport import Transport
from app.servers.body import RequestInput
from app.storage.budgets.budgets import Budgets
from app.storage.connections import open_redis
from app.storage.costs.costs import Costs
from app.storage.limits.minutes import Minutes
from app.storage.limits.rates import Rates
from app.storage.limits.slots import Slots
from app.storage.limits.tokens import TokenLimits
from app.wire.dialects.asked import Asked
from app.wire.http.headers import Headers
from tests.support.upstream import Upstream

ENDPOINT = "/up"
SETTINGS = Settings()


class Client:
    """A client's connection: `end` is its own, `sock` is ours, and `buffer` is what it sent with its head."""

    def __init__(self, sent: bytes = b"") -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.end = socket.create_connection(listener.getsockname())
            taken, _ = listener.accept()
        self.sock = gevent_socket.socket(taken.family, taken.type, taken.proto, fileno=taken.detach())
        self.buffer = sent

    def leave(self) -> None:
        self.end.close()

    def close(self) -> None:
        self.end.close()
        self.sock.close()


@cache
def dialer() -> Dialer:
    """One for all: it reads the certificates that are trusted, which takes longer than a call."""
    return Dialer(EgressPolicy(parse_entries("127.0.0.1")), OwnAddress("127.0.0.1", 0))


class EngineRoom:
    """An engine with a transport and limits of its own. No Redis is asked as long as no rate is limited."""

    def __init__(self, pool: PoolLimits | None = None) -> None:
        self.transport = Transport(dialer(), pool)
        self.slots = Slots(open_redis("redis://127.0.0.1:1"))
        admission = Admission(Rates(open_redis("redis://127.0.0.1:1")), self.slots)
        limits = TokenLimits(self.slots, Minutes(open_redis("redis://127.0.0.1:1")))
        tokens = TokenAdmission(limits, BudgetAdmission(Budgets(open_redis("redis://127.0.0.1:1"))))
        self.engine = Engine(self.transport, admission, tokens, held_body_max_bytes=1 << 20, forwarded_fields="auto")
        self.costs = Costs()
        self.events: list[RequestEvent] = []
        self.engine.calls.observers.append(self.events.append)

    def call(
        self,
        upstream: Upstream,
        client: Client,
        method: str = "GET",
        *,
        length: int = 0,
        fields: Headers | None = None,
        metered: Asked | None = None,
        prices: Prices = NO_PRICES,
        **limits: Any,
    ) -> Reply:
        """What the door would ask for: one request of `client`, whose body is so long."""
        address = parse_mapping(ENDPOINT, upstream.url).upstream
        body = RequestInput(client, length, expects_continue=False)
        headers = [("Host", "g"), *(fields or [])]
        inbound = Inbound("id", method, headers, "", body, False, "192.0.2.1", None, "", None, client.sock)
        address = replace(address, limits=replace(address.limits, **limits))
        wanted = Metered(metered, prices, self.costs) if metered is not None else None
        return self.engine.handle(inbound, ENDPOINT, address, "/x", SETTINGS, wanted)

    def close(self) -> None:
        self.transport.close()


def content(reply: Reply) -> bytes:
    """The whole body, which is closed as a WSGI server closes it."""
    try:
        return b"".join(reply.body)
    finally:
        close = getattr(reply.body, "close", None)
        if close is not None:
            close()


@pytest.fixture
def room() -> Iterator[EngineRoom]:
    room = EngineRoom()
    yield room
    room.close()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.close()
