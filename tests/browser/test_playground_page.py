"""The playground in a real browser: a call as an access token, its words as they come, and an end to it."""

from __future__ import annotations

import json
import threading

import pytest
from playwright.sync_api import expect

from tests.support.admin_pages import OpenPage, add, expect_blamed, expect_to_fit, no_channels, no_tokens, open_page
from tests.support.gateway import GatewayProcess
from tests.support.tokens import add_token
from tests.support.upstream import Peer, Upstream

__all__ = ["no_channels", "no_tokens", "open_page"]
pytestmark = pytest.mark.usefixtures("no_tokens")


def chunk(text: str) -> bytes:
    return f"data: {json.dumps({'choices': [{'delta': {'content': text}}]})}\n\n".encode()


def test_a_call_is_watched_as_it_comes_and_can_be_stopped(
    open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]
) -> None:
    """By a template, its path and body edited or not; status, fields and a way to the call's log stand beside it."""
    goes_on, left = threading.Event(), threading.Event()

    def stream(peer: Peer) -> None:
        peer.read_request()
        peer.begin_stream()
        peer.send_chunk(chunk("one <b>"))
        assert goes_on.wait(20)
        peer.send_chunk(chunk("two"))
        peer.wait_closed(20)
        left.set()

    upstream = Upstream(handler=stream)
    add(gateway, "one", urls=[{"url": upstream.url}], models=[{"name": "gpt-x"}], keys=["sk-upstream-0001"])
    add_token(gateway, "alice")
    page = open_page("#/playground")
    expect(page.get_by_label("Model")).to_have_value("gpt-x")
    page.get_by_label("Message").fill("count")
    page.get_by_role("button", name="Send").click()
    answer = page.get_by_role("region", name="Answer")
    expect(answer.get_by_role("status")).to_have_text("Coming in")
    words = page.get_by_role("region", name="What came back")
    expect(words).to_have_text("one <b>")
    goes_on.set()
    expect(words).to_have_text("one <b>two")
    page.get_by_role("button", name="Stop").click()
    expect(answer.get_by_role("status")).to_have_text("Stopped by you")
    assert left.wait(20)
    assert json.loads(upstream.seen[-1].body)["messages"] == [{"role": "user", "content": "count"}]
    expect(answer).to_contain_text("HTTP 200")
    id = answer.locator("a").inner_text()
    expect(answer.locator("a")).to_have_attribute("href", f"#/logs/{id}")
    answer.locator("summary").click()
    expect(answer.locator("pre")).to_contain_text("x-gateway-channel: one")
    page.locator(".play-request summary").click()
    page.get_by_label("Header fields").fill("x-api-key: sk-1")
    page.get_by_role("button", name="Send").click()
    expect_blamed(page.get_by_label("Header fields"), "x-api-key may not go along")
    upstream.close()
    assert complaints == []


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_it_fits_every_width(open_page: OpenPage, gateway: GatewayProcess, locale: str) -> None:
    """Before there is a token, and with an answer that nobody gave."""
    page = open_page("#/playground", locale=locale)
    expect(page.locator(".playground .empty a")).to_be_visible()
    add_token(gateway, "a-name-that-is-rather-long-" * 3)
    add(gateway, "one", keys=["sk-upstream-0001"])
    page.reload()
    page.locator(".play button.primary").click()
    expect(page.locator(".play-result")).to_contain_text("HTTP 502")
    page.locator(".play-request summary").click()
    page.locator(".play-result summary").click()
    expect_to_fit(page)
