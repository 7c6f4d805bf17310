"""All pages pass axe-core, with something on them: light as a whole, dark for its contrasts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from app.storage.connections import open_redis
from tests.support.admin_pages import add
from tests.support.gateway import ADMIN_TOKEN, GatewayProcess
from tests.support.log_rows import Log, book, called, failed_attempt, mapped, refused
from tests.support.tokens import add_token, delete_tokens
from worker.roll_up import RollUp

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
CALL = "d" * 32
RUN = """async (only) => {
  const { violations } = await axe.run(document, {
    resultTypes: ['violations'], ...(only ? { runOnly: { type: 'rule', values: [only] } } : {}),
  });
  const told = (nodes) => nodes.map(({ html }) => html).slice(0, 4).join('\\n  ');
  return violations.map(({ id, help, nodes }) => `${id}: ${help}\\n  ${told(nodes)}`);
}"""

PAGES = {
    "/": "main table",
    "/nowhere/at/all": "main",
    "/proxy": "main",
    "/admin#/mappings": ".mappings-table tbody tr",
    "/admin#/channels": ".channels-table tbody tr",
    "/admin#/channels/explain": ".explain",
    "/admin#/tokens": ".tokens tbody tr, table tbody tr",
    "/admin#/prices": "main .panel",
    "/admin#/logs": ".logs .logs-table tbody tr",
    f"/admin#/logs/{CALL}": ".attempts li",
    "/admin#/statistics": ".sums-table tbody tr",
    "/admin#/playground": ".play",
    "/admin#/tasks": "main .panel",
    "/admin#/settings": ".settings-table tbody tr",
    "/admin#/audit": ".audit-table tbody tr",
    "/admin#/backup": ".backup",
    "/admin#/api": ".operation",
}
"""And what is there when they are."""


@pytest.fixture(scope="module")
def full(gateway_session: GatewayProcess, redis_url: str) -> Iterator[GatewayProcess]:
    """With channels, access tokens, and calls of every kind."""
    gateway, now_ms = gateway_session, time.time_ns() // 1_000_000
    calls = [mapped("a" * 32, status=500), refused("b" * 32), called(CALL, failed_attempt(120.0))]
    with open_redis(redis_url) as client:
        ended = [one._replace(ended_at_ms=now_ms) for one in calls]
        book(client, *ended, process="axe", seq=now_ms, now_ms=now_ms)
        log = Log(gateway, client)
        log.catch_up()

        RollUp(client).run(now_ms)
    channels = [add(gateway, "one", keys=["sk-1", "sk-2"]), add(gateway, "off", enabled=False)]
    add_token(gateway, "alice")
    yield gateway
    delete_tokens(gateway)
    for channel in channels:
        gateway.admin("DELETE", f"/api/channels/{channel['id']}")


@pytest.fixture
def stranger(browser: Browser, full: GatewayProcess) -> Iterator[Page]:
    page = browser.new_page(locale="en-US", base_url=full.url)
    yield page
    page.close()


@pytest.fixture(scope="module")
def admin(browser: Browser, full: GatewayProcess) -> Iterator[Page]:
    """Logged in."""
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900}, base_url=full.url)
    context.set_default_timeout(30_000)
    assert context.request.post("/api/admin/login", data={"token": ADMIN_TOKEN}).ok
    yield context.new_page()
    context.close()


def violations(page: Page, path: str, there: str) -> list[str]:
    """Of the whole in the light theme, and of the contrasts in the dark one."""
    page.goto("about:blank")
    page.goto(path)
    page.locator(there).first.wait_for()
    found: list[str] = []
    page.evaluate(AXE)
    for scheme, only in (("light", ""), ("dark", "color-contrast")):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        told: Any = page.evaluate(RUN, only)
        found += [f"{scheme}: {one}" for one in told]
    return found


def test_the_log_in_has_no_fault_that_axe_finds(stranger: Page) -> None:
    assert violations(stranger, "/admin", "input[name=token]") == []


@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_a_fault_that_axe_finds(admin: Page, path: str) -> None:
    assert violations(admin, path, PAGES[path]) == []
