"""All pages pass axe-core, with something on them: light whole, dark for its contrasts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from app.storage.connections import Redis
from tests.support.admin_pages import add, no_channels, no_tokens
from tests.support.gateway import ADMIN_TOKEN, GatewayProcess
from tests.support.log_rows import Log, book, called, failed_attempt, mapped, refused
from tests.support.tokens import add_token
from worker.roll_up import RollUp

__all__ = ["no_channels", "no_tokens"]
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
def visitor(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


def violations(page: Page) -> list[str]:
    """Of the whole in the light theme, and of the contrasts in the dark one."""
    found: list[str] = []
    page.evaluate(AXE)
    for scheme, only in (("light", ""), ("dark", "color-contrast")):
        page.emulate_media(color_scheme=scheme)
        told: Any = page.evaluate(RUN, only)
        found += [f"{scheme}: {one}" for one in told]
    page.emulate_media(color_scheme="light")
    return found


@pytest.mark.usefixtures("no_tokens")
def test_no_page_has_a_fault_that_axe_finds(gateway: GatewayProcess, visitor: Page, redis_client: Redis) -> None:
    """With channels, tokens, and calls of every kind."""
    now_ms = time.time_ns() // 1_000_000
    calls = [mapped("a" * 32, status=500), refused("b" * 32), called(CALL, failed_attempt(120.0))]
    ended = [one._replace(ended_at_ms=now_ms) for one in calls]
    book(redis_client, *ended, process="axe", seq=now_ms, now_ms=now_ms)
    log = Log(gateway, redis_client)
    log.catch_up()
    log.database.close()
    RollUp(redis_client).run(now_ms)
    add(gateway, "one", keys=["sk-1", "sk-2"])
    add(gateway, "off", enabled=False)
    add_token(gateway, "alice")
    page = visitor
    found: dict[str, list[str]] = {}
    page.goto(f"{gateway.url}/admin")
    page.locator("input[name=token]").wait_for()
    found["login"] = violations(page)
    assert page.request.post(f"{gateway.url}/api/admin/login", data={"token": ADMIN_TOKEN}).ok
    for path, there in PAGES.items():
        page.goto("about:blank")
        page.goto(gateway.url + path)
        page.locator(there).first.wait_for()
        found[path] = violations(page)
    faulty = {path: faults for path, faults in found.items() if faults}
    assert not faulty, "\n".join(f"{path}\n {fault}" for path, faults in faulty.items() for fault in faults)
