"""The browser of these tests, Debian's chromium, and web sites for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.support.site import Serve, Site


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
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
