"""The pictures of the README, taken of the demo by a browser. Wants playwright, as the tests do."""

from __future__ import annotations

import json
import shutil
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from scripts.demo.gateway import DemoGateway
from scripts.demo.house import House
from scripts.demo.upstream import SLOWLY

VIEWPORT = {"width": 1280, "height": 860}
LIVE = (("coding agents", "claude-sonnet-4-5", "/v1/messages"), ("web app", "gpt-5-mini", "/v1/chat/completions"),
        ("nightly batch", "deepseek-chat", "/v1/chat/completions"))  # fmt: skip
"""Whose calls go on while pictures are taken: of which model, and where."""
SETTLE_MS = 900


def take(gateway: DemoGateway, house: House, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, model, path in LIVE:
        asked = (gateway.url + path, house.tokens[name].secret, model)
        threading.Thread(target=_call, args=asked, daemon=True).start()
        time.sleep(2)  # so that one goes on for longer than another
    found = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(base_url=gateway.url, locale="en-US", viewport=VIEWPORT, timezone_id="UTC")  # type: ignore[arg-type]
        context.request.post("/api/admin/login", data={"token": gateway.admin_token})
        page = context.new_page()
        for name, (path, there, act) in PICTURES.items():
            page.goto("about:blank")
            page.goto(path)
            page.locator(there).first.wait_for()
            if act is not None:
                act(page)
            page.wait_for_timeout(SETTLE_MS)
            page.screenshot(path=folder / f"{name}.png")
            print(folder / f"{name}.png")
        browser.close()


def _open_a_failover(page: Page) -> None:
    """The last call that was answered after others had failed."""
    call = page.locator(".logs .logs-table tbody tr").filter(has_text="attempt 2").first.locator("th a")
    address = (call.get_attribute("href") or "").partition("?")[0]
    page.evaluate("address => { location.hash = address; }", address)
    page.locator(".attempts li").nth(1).wait_for()


PICTURES: dict[str, tuple[str, str, Callable[[Page], None] | None]] = {
    "dashboard": ("/", ".figures-table tbody tr", None),
    "statistics": ("/admin#/statistics?range=7d", ".sums-table tbody tr", None),
    "requests": ("/admin#/logs?status=2xx&rows=all", ".live-table tbody tr", _open_a_failover),
}
"""Where each is, what is there when it is, and what is done before it is taken."""


def _call(url: str, secret: str, model: str) -> None:
    """One that goes on for as long as the pictures take."""
    messages = [{"role": "user", "content": SLOWLY}]
    asked = {"model": model, "stream": True, "max_tokens": 1024, "messages": messages}
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(asked).encode(), headers)  # noqa: S310 - it is our own
    with suppress(OSError, HTTPException), urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
        answer.read()
