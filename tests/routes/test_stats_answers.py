"""How `/stats` is answered: one window or all, compressed, and not again when the client has it."""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Iterator

import pytest
from flask import Request

from app.routes import prepared
from app.storage.connections import Redis
from app.storage.embedded import EmbeddedRedis
from tests.support.gateway import GatewayProcess
from tests.support.own_redis import own_redis, own_server
from worker.roll_up import RollUp

__all__ = ["own_redis", "own_server"]


@pytest.fixture
def quiet(own_redis: Redis, own_server: EmbeddedRedis) -> Iterator[GatewayProcess]:
    """A gateway whose figures stand still: nothing is counted and nothing beats."""
    RollUp(own_redis).run(time.time_ns() // 1_000_000)
    process = GatewayProcess(own_server.url, {"ENABLE_STATS": "false"}).start()
    yield process
    process.stop()


@pytest.mark.parametrize("window", ["24h", "7d", "30d", "total"])
def test_statistics_of_one_window(gateway: GatewayProcess, window: str) -> None:
    """`?window=` answers that window alone; without it all are there."""
    assert set(gateway.request("GET", f"/stats?window={window}").json()["windows"]) == {window}
    assert set(gateway.request("GET", "/stats").json()["windows"]) == {"24h", "7d", "30d", "total"}


@pytest.mark.parametrize("window", ["1h", "all", "24h%00", "<script>"])
def test_an_unknown_window_is_refused(gateway: GatewayProcess, window: str) -> None:
    """A window that does not exist is a 400 that names those that do."""
    reply = gateway.request("GET", f"/stats?window={window}")
    assert (reply.status, reply.json()["error"]["code"]) == (400, "unknown_window")
    assert "24h, 7d, 30d, total" in reply.json()["error"]["message"]


@pytest.mark.parametrize("window", ["total", "2h", "24h/", "24h%00", "<script>"])
def test_an_unknown_window_of_the_dashboard_is_not_found(gateway: GatewayProcess, window: str) -> None:
    """404, with those that there are; nothing is served below them."""
    reply = gateway.request("GET", f"/stats/{window}")
    assert reply.status == 404
    if "/" not in window[1:]:
        assert reply.json()["error"]["code"] == "unknown_window"
        assert "1h, 24h, 7d, 30d" in reply.json()["error"]["message"]


def test_a_panel_is_answered_as_statistics_are(quiet: GatewayProcess) -> None:
    """For any page, tagged, compressed, and not again for whoever has it; each window and endpoint for itself."""
    quiet.map("/mine", "http://127.0.0.1:1")
    tags = set()
    for path in ("/stats/1h", "/stats/24h", "/stats/24h?endpoint=/mine", "/stats/24h?endpoint=/none"):
        reply = quiet.request("GET", path, headers={"Accept-Encoding": "gzip"})
        assert (reply.status, reply.field("content-encoding")) == (200, "gzip")
        assert reply.field("access-control-allow-origin") == "*"
        answer = json.loads(gzip.decompress(reply.body))
        assert answer["traffic"]["figures"]["requests"] == 0
        assert "/mine" in {row["endpoint"] for row in answer["endpoints"]}
        tags.add(reply.field("etag"))
        again = quiet.request("GET", path, headers={"If-None-Match": reply.field("etag") or ""})
        assert (again.status, again.body) == (304, b"")
    assert len(tags) == 4
    options = quiet.request("OPTIONS", "/stats/24h")
    assert (options.status, options.field("access-control-allow-methods")) == (204, "GET, OPTIONS")
    assert quiet.request("GET", "/stats/24h?endpoint=/" + "x" * 300).json()["error"]["code"] == "unknown_endpoint"


@pytest.mark.parametrize("accepts", ["", "gzip", "br, gzip;q=0.5", "*", "gzip;q=0", "identity"])
def test_statistics_are_compressed_for_whoever_takes_it(gateway: GatewayProcess, accepts: str) -> None:
    """gzip where the client accepts it, as it is elsewhere; caches are told that it depends on that."""
    plain = gateway.request("GET", "/stats?window=total")
    reply = gateway.request("GET", "/stats?window=total", headers={"Accept-Encoding": accepts})
    taken = accepts in ("gzip", "br, gzip;q=0.5", "*")
    assert reply.field("content-encoding") == ("gzip" if taken else None)
    assert json.loads(gzip.decompress(reply.body) if taken else reply.body)["windows"] == plain.json()["windows"]
    assert reply.field("vary") == "Accept-Encoding"
    assert reply.field("content-type") == "application/json"
    assert reply.field("access-control-allow-origin") == "*"


def test_what_a_client_has_of_the_statistics_is_not_sent_again(quiet: GatewayProcess) -> None:
    """The tag is strong, differs with the coding, and gives 304 until the figures change."""
    coded = {"Accept-Encoding": "gzip"}
    tags = []
    for fields in ({}, coded):
        reply = quiet.request("GET", "/stats", headers=fields)
        tags.append(reply.field("etag") or "")
        assert re.fullmatch(r'"[\w-]+"', tags[-1])
        for held in (tags[-1], f'"other", {tags[-1]}', f"W/{tags[-1]}"):
            again = quiet.request("GET", "/stats", headers=fields | {"If-None-Match": held})
            assert (again.status, again.body, again.field("etag")) == (304, b"", tags[-1])
            assert again.field("access-control-allow-origin") == "*"
    assert tags[0] != tags[1]
    assert quiet.request("GET", "/stats?window=7d").field("etag") not in tags
    assert quiet.request("GET", "/stats", headers={"If-None-Match": '"other"'}).status == 200
    quiet.map("/new", "http://127.0.0.1:1")
    assert quiet.request("GET", "/stats", headers={"If-None-Match": tags[0]}).status == 200


def test_what_stays_the_same_is_compressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ask, and whether or not they have it already."""
    compress, calls = prepared.zlib.compressobj, []
    monkeypatch.setattr(prepared.zlib, "compressobj", lambda *how: calls.append(how) or compress(*how))
    content = prepared.Prepared(b"figures" * 1000)
    takes_gzip = Request.from_values(headers={"Accept-Encoding": "gzip"})
    bodies = {content.answer(takes_gzip, {}).get_data() for _ in range(3)}
    assert [gzip.decompress(body) for body in bodies] == [b"figures" * 1000]
    content.answer(Request.from_values(), {})
    assert len(calls) == 1
