"""The browser of these tests, Debian's chromium, and web sites for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.support.admin_pages import OpenPage
from tests.support.gateway import GatewayProcess
from tests.support.site import Serve, Site

HERE = Path(__file__).parent

expect.set_options(timeout=20_000)  # on a busy machine a page takes its time


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """SKIP_BROWSER=1 is for whoever has no browser and wants the rest; without it a missing browser fails the tests."""
    if os.environ.get("SKIP_BROWSER") == "1":
        for item in items:
            if item.path.is_relative_to(HERE):
                item.add_marker(pytest.mark.skip(reason="SKIP_BROWSER=1"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")  # the former does half the work
    if chromium is None:
        pytest.fail("these tests need a browser: apt-get install chromium (or set SKIP_BROWSER=1)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    sites: list[Site] = []

    def start(pages: dict[str, tuple[str, str]] | None = None, **options: object) -> Site:
        sites.append(Site(pages or {}, **options))  # type: ignore[arg-type]
        return sites[-1]

    yield start
    for site in sites:
        site.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1000, "height": 800}, locale="en-US")
    yield context
    context.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser objected to on the test's pages: script errors, policy violations, dialogs."""
    return []


@pytest.fixture
def open_page(browser: Browser, gateway: GatewayProcess, complaints: list[str]) -> Iterator[OpenPage]:
    contexts = []

    def heard(message: ConsoleMessage) -> None:
        # A refusal is an answer like any other to us; the browser logs it as an error.
        expected = message.text.startswith("Failed to load resource") and "status of 40" in message.text
        if message.type in ("error", "warning") and not expected:
            complaints.append(message.text)

    def open_page(path: str, *, clock: bool = False, **options: Any) -> Page:
        """With `clock` the test can put the page's clock forward; without it is the machine's."""
        context = browser.new_context(base_url=gateway.url, **{"locale": "en-US", **options})
        contexts.append(context)
        page = context.new_page()
        if clock:
            page.clock.install()
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
