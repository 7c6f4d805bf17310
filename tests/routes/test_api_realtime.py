"""Realtime calls to channels: a WebSocket to one of them, with its key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.support.api_calls import TOKEN, Accounts
from tests.support.upstream import Peer
from tests.support.waiting import wait_until
from tests.support.websocket_upstream import SocketServer, ws_url

SHOWN = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def server() -> Iterator[SocketServer]:
    server = SocketServer()
    yield server
    server.close()


def lead_to(accounts: Accounts, server: SocketServer, **said: object) -> None:
    """A channel whose key is known, and whose only url then becomes the WebSocket server's."""
    channel_id = accounts.add(
        "rt", ("sk-realtime-000001",), models=[{"name": "m", "upstream_name": "vendor/rt 2"}], **said
    )
    urls = [{"url": f"http://127.0.0.1:{server.port}/base/v1"}]
    assert accounts.gateway.admin("PUT", f"/api/channels/{channel_id}", {"urls": urls}).status == 200


def test_a_realtime_call_is_tunnelled_to_a_channel(accounts: Accounts, server: SocketServer) -> None:
    """Bytes pass both ways; the channel's key and its name for the model go out, the token does not."""
    lead_to(accounts, server, max_concurrency=1)
    url = ws_url(accounts.gateway, f"/v1/realtime?model=m&key={TOKEN}&x=1")
    with connect(url, subprotocols=["realtime"], compression=None) as socket:
        assert socket.subprotocol == "realtime"
        assert socket.response is not None
        assert socket.response.headers["X-Gateway-Channel"] == "rt"
        socket.send("hello")
        assert socket.recv(timeout=5) == "hello"
        with pytest.raises(InvalidStatus) as full, connect(url):
            pass
        assert full.value.response.status_code == 429
    assert server.paths == ["/base/v1/realtime?model=vendor/rt%202&x=1"]
    assert server.headers[0]["Authorization"] == "Bearer sk-realtime-000001"

    def is_free() -> bool:
        try:
            with connect(url):
                return True
        except InvalidStatus:
            return False

    wait_until(is_free, "its place among the channel's attempts is free again")


def test_it_needs_a_token_and_a_model_that_is_served(accounts: Accounts, server: SocketServer) -> None:
    """As any call does."""
    lead_to(accounts, server)
    for path, headers, status in (
        ("/v1/realtime?model=m", {}, 401),
        ("/v1/realtime?model=other", SHOWN, 404),
        ("/v1/realtime", SHOWN, 404),
    ):
        url = ws_url(accounts.gateway, path)
        with pytest.raises(InvalidStatus) as refused, connect(url, additional_headers=headers):
            pass
        assert refused.value.response.status_code == status
    assert not server.paths


def test_it_is_tried_once(accounts: Accounts) -> None:
    """What the one upstream says of it is the answer."""
    accounts.add("one", ("sk-a-0000000001", "sk-b-0000000002"))
    accounts.add("two")

    def fails(peer: Peer) -> None:
        if peer.read_request() is not None:
            peer.answer(b'{"error": {"message": "oops"}}', "500 Oops", "Connection: close\r\n")

    accounts.upstream.handler = fails
    url = ws_url(accounts.gateway, "/v1/realtime?model=m")
    with pytest.raises(InvalidStatus) as refused, connect(url, additional_headers=SHOWN):
        pass
    assert refused.value.response.status_code == 500
    assert b"oops" in refused.value.response.body
    assert len(accounts.upstream.seen) == 1
