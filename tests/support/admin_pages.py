"""The admin pages in a browser, logged in, and channels for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.channels import said_of_channel
from tests.support.gateway import GatewayProcess
from tests.support.tokens import delete_tokens
from tests.support.waiting import wait_until

OpenPage = Callable[..., Page]


def log_in(page: Page, token: str) -> None:
    page.locator("input[name=token]").fill(token)
    page.locator("button[type=submit]").click()


@pytest.fixture
def open_page(open_page: OpenPage, gateway: GatewayProcess) -> OpenPage:
    """Opens a view of the admin, logged in."""

    def open_view(view: str = "#/channels", **options: Any) -> Page:
        page = open_page(f"/admin{view}", token=gateway.admin_token, **options)
        page.locator(".views").wait_for()
        return page

    return open_view


@pytest.fixture(autouse=True)
def no_channels(gateway: GatewayProcess) -> Iterator[None]:
    """Each test begins without channels, and leaves none: without any, /v1 is as if there were no such thing."""
    yield
    for channel in gateway.admin("GET", "/api/channels?limit=500").json()["channels"]:
        gateway.admin("DELETE", f"/api/channels/{channel['id']}")


@pytest.fixture
def no_tokens(gateway: GatewayProcess) -> Iterator[None]:
    """A test leaves no access tokens, so the next begins without."""
    yield
    delete_tokens(gateway)


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


def expect_to_fit(page: Page, what: str = "") -> None:
    """Nothing is wider than the window, whatever its width, in either theme, nor than the dialog that is open.

    A chart is drawn anew for a new width a moment later.
    """
    wide = "one => one.scrollWidth > one.clientWidth"
    none_is = f"![document.documentElement, ...document.querySelectorAll('dialog')].some({wide})"
    for width in (360, 820, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            wait_until(lambda: page.evaluate(none_is), f"{what} fits {width} px, {scheme}")


def expect_blamed(field: Locator, says: str | re.Pattern[str]) -> None:
    """The field is marked, has the focus, and what is wrong with it is said by an element that it names."""
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_focused()
    names = (field.get_attribute("aria-describedby") or "").split()
    told = field.page.locator(f'[id="{names[-1]}"]')
    expect(told).to_contain_text(says)
    expect(told).to_have_attribute("role", "alert")
