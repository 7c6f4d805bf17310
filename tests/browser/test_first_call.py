"""The page of a gateway that nobody has called: what it says to paste runs as it is, and then it shows what came."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from app.storage.connections import Redis
from app.storage.embedded import EmbeddedRedis
from tests.support.channels import add_channel
from tests.support.environ import clean_environ
from tests.support.gateway import GatewayProcess
from tests.support.own_redis import own_redis, own_server
from tests.support.said_answers import plain
from tests.support.tokens import add_token
from tests.support.upstream import Peer, Upstream
from worker.roll_up import RollUp

__all__ = ["own_redis", "own_server"]

DIALECTS = {
    "/chat/completions": "openai", "/responses": "responses", "/messages": "anthropic", ":generateContent": "gemini",
}  # fmt: skip
OF_CHANNELS = ("/v1", "/v1/messages", "/v1/responses", "/v1beta")
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY")
SDKS = ("OpenAI SDK", "Anthropic SDK", "Gemini SDK")
TEXT = "hello from there"


def answer(peer: Peer) -> None:
    """As the provider would whose dialect is spoken."""
    while (seen := peer.read_request()) is not None:
        dialect = next((name for path, name in DIALECTS.items() if seen.target.endswith(path)), "openai")
        peer.answer(plain(dialect, TEXT))


@pytest.fixture
def uncalled(own_redis: Redis, own_server: EmbeddedRedis) -> Iterator[GatewayProcess]:
    """A gateway with a worker, whose well-known mappings lead to one upstream."""
    process = GatewayProcess(own_server.url).start()
    over = threading.Event()

    def count() -> None:
        roll_up = RollUp(own_redis)
        while not over.wait(0.2):
            roll_up.run(time.time_ns() // 1_000_000)

    worker = threading.Thread(target=count)
    worker.start()
    upstream = Upstream(answer)
    for prefix in ("/openai", "/claude", "/gemini", "/other"):
        process.map(prefix, upstream.url)
    yield process
    over.set()
    worker.join()
    upstream.close()
    process.stop()


def paste_into_shell(text: str) -> str:
    """What it says, with no key in its environment but those that a test puts there."""
    environ = clean_environ(**{name: os.environ[name] for name in KEYS if name in os.environ})
    return subprocess.run(["bash", "-c", text], env=environ, capture_output=True, text=True, check=True).stdout


def paste_into_python(text: str) -> str:
    """Here, where the SDKs may be loaded already."""
    made: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(text, made)  # what is pasted is what is tested
    made["client"].close()
    return said.getvalue()


def test_what_stands_there_runs_as_pasted_and_the_page_becomes_the_dashboard(
    browser: Browser, uncalled: GatewayProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To mappings as it is, and nobody touches the page meanwhile; to channels with a token in the environment."""
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    page: Page = browser.new_page(base_url=uncalled.url, locale="en-US")
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Make the first call")
    expect(page.locator(".waiting[role=status]")).to_contain_text("Waiting for the first call")
    expect_to_run(page, ("/openai", "/claude", "/gemini", "/other"))
    expect(page.locator(".endpoints")).to_contain_text("/claude", timeout=15_000)
    expect(page.locator(".first-call")).to_have_count(0)

    serve_by_channels(uncalled)
    page.reload()
    page.get_by_text("How to call it").click()
    token = add_token(uncalled).text
    for name in KEYS:
        monkeypatch.setenv(name, token)
    expect_to_run(page, OF_CHANNELS)
    page.close()


def serve_by_channels(gateway: GatewayProcess) -> None:
    """In place of the mappings of those providers."""
    target = gateway.admin("GET", "/api/mappings").json()["mappings"]["/other"]
    dialects = ["openai", "responses", "anthropic", "gemini"]
    add_channel(gateway, dialects=dialects, urls=[{"url": target}], models=[{"name": "*"}], keys=["sk-of-the-channel"])
    for prefix in ("/openai", "/claude", "/gemini"):
        gateway.admin("DELETE", f"/api/mappings{prefix}")


def expect_to_run(page: Page, endpoints: tuple[str, ...]) -> None:
    """By curl to each of these, and by each SDK to that which speaks its dialect."""
    code, choice = page.locator(".code pre"), page.get_by_label("Endpoint", exact=True)
    for_shell = []
    for endpoint in endpoints:
        choice.select_option(endpoint)
        for_shell.append(code.inner_text())
    for_python = []
    for name in SDKS:
        page.get_by_role("button", name=name).click()
        for_python.append(code.inner_text())
    page.get_by_role("button", name="curl").click()
    for text in for_shell:
        assert TEXT in paste_into_shell(text), text
    for text in for_python:
        assert TEXT in paste_into_python(text), text
