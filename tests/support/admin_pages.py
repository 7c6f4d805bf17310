"""The admin pages in a browser, logged in, and channels for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page

from tests.support.channels import said_of_channel
from tests.support.gateway import GatewayProcess

OpenPage = Callable[..., Page]


@pytest.fixture
def complaints() -> list[str]:
    """What the browser objected to on the test's pages: script errors, policy violations, dialogs."""
    return []


@pytest.fixture
def open_page(browser: Browser, gateway: GatewayProcess, complaints: list[str]) -> Iterator[OpenPage]:
    """Opens a view of the admin, logged in."""
    contexts = []

    def heard(message: ConsoleMessage) -> None:
        # A refusal is an answer like any other to us; the browser logs it as an error.
        expected = message.text.startswith("Failed to load resource") and "status of 4" in message.text
        if message.type in ("error", "warning") and not expected:
            complaints.append(message.text)

    def open_page(view: str = "#/channels", **options: Any) -> Page:
        context = browser.new_context(base_url=gateway.url, **{"locale": "en-US", **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(f"/admin{view}")
        page.locator("input[name=token]").fill(gateway.admin_token)
        page.locator("button[type=submit]").click()
        page.locator(".views").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(autouse=True)
def no_channels(gateway: GatewayProcess) -> Iterator[None]:
    """Each test begins without channels, and leaves none: without any, /v1 is as if there were no such thing."""
    yield
    for channel in gateway.admin("GET", "/api/channels?limit=500").json()["channels"]:
        gateway.admin("DELETE", f"/api/channels/{channel['id']}")


def add(gateway: GatewayProcess, name: str, **said: Any) -> dict[str, Any]:
    reply = gateway.admin("POST", "/api/channels", said_of_channel(name, **said))
    assert reply.status == 201, reply.body
    channel: dict[str, Any] = reply.json()["channel"]
    return channel


def stored(gateway: GatewayProcess, name: str) -> dict[str, Any]:
    channels = gateway.admin("GET", "/api/channels?limit=500").json()["channels"]
    found: dict[str, Any] = next(channel for channel in channels if channel["name"] == name)
    return found


def row_of(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader").filter(has_text=name))
