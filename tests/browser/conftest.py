"""The browser of these tests, Debian's chromium, and web sites for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, expect, sync_playwright

from tests.support.admin_pages import OpenPage
from tests.support.gateway import GatewayProcess
from tests.support.site import Serve, Site

HERE = Path(__file__).parent

expect.set_options(timeout=20_000)  # on a busy machine a page takes its time


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All take long, so they are `make soak`'s; `make test` wants no browser."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.soak)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")  # the former does half the work
    if chromium is None:
        pytest.fail("these tests need a browser: apt-get install chromium")
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


class Tab:
    """A page, and what the browser objected to on it."""

    def __init__(self, browser: Browser, clock: bool, options: dict[str, Any]) -> None:
        self.options = options
        self.has_own_clock = clock
        self.complaints: list[str] = []
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        if clock:
            self.page.clock.install()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        # A refusal is an answer like any other to us; the browser logs it as an error.
        expected = message.text.startswith("Failed to load resource") and "status of 40" in message.text
        if message.type in ("error", "warning") and not expected:
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def _asked(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def forget(self) -> None:
        """Leaves nothing to the next test but the scripts that the browser has loaded."""
        if self.page.url.startswith("http"):
            self.page.evaluate("localStorage.clear(); sessionStorage.clear()")
        self.page.goto("about:blank")
        self.page.mouse.move(0, 0)
        self.page.set_viewport_size({"width": 1280, "height": 720})
        self.page.emulate_media(reduced_motion="no-preference")
        self.context.clear_cookies()


@pytest.fixture(scope="session")
def tabs(browser: Browser) -> Iterator[dict[str, Tab]]:
    """Tests have them one after the other: a new page would load and compile all scripts anew, which takes a second."""
    tabs: dict[str, Tab] = {}
    yield tabs
    for tab in tabs.values():
        tab.context.close()


@pytest.fixture
def open_page(
    browser: Browser, tabs: dict[str, Tab], gateway: GatewayProcess, complaints: list[str]
) -> Iterator[OpenPage]:
    used: list[Tab] = []

    def open_page(
        path: str,
        *,
        clock: bool = False,
        token: str = "",
        color_scheme: Literal["light", "dark"] = "light",
        **options: Any,
    ) -> Page:
        """With `clock` the test can put the page's clock forward; without it is the machine's. `token`: logged in."""
        options = {"base_url": gateway.url, "locale": "en-US", **options}
        tab = None if clock else tabs.pop(repr(options), None)
        tab = tab or Tab(browser, clock, options)
        tab.complaints = complaints
        used.append(tab)
        tab.page.emulate_media(color_scheme=color_scheme)
        if token:
            assert tab.context.request.post("/api/admin/login", data={"token": token}).ok
        tab.page.goto(path)
        return tab.page

    yield open_page
    for tab in used:
        if tab.has_own_clock or repr(tab.options) in tabs:
            tab.context.close()
        else:
            tab.forget()
            tabs[repr(tab.options)] = tab
