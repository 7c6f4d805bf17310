"""The API page in a real browser, in front of a real gateway."""

from __future__ import annotations

import os
import subprocess

import pytest
from playwright.sync_api import expect

from tests.support.admin_pages import OpenPage, expect_to_fit, no_channels, open_page
from tests.support.gateway import GatewayProcess

__all__ = ["no_channels", "open_page"]


def pasted(gateway: GatewayProcess, command: str) -> str:
    """What a shell says that knows the token; the status is last."""
    environ = {**os.environ, "ADMIN_TOKEN": gateway.admin_token}
    command += " -s -w '%{http_code}'"
    return subprocess.run(["bash", "-c", command], env=environ, capture_output=True, text=True).stdout


def test_a_call_is_found_explained_and_works_as_pasted(
    open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]
) -> None:
    """By its group or by typing; fields stand with type, bounds and meaning, those of objects in them too."""
    page = open_page("#/api")
    page.get_by_role("searchbox", name="Find a call").fill("adds a channel,")
    calls = page.locator(".operation")
    expect(calls).to_have_count(1)
    expect(page.get_by_role("region", name="channels")).to_contain_text("POST/api/channels")
    calls.locator("summary").click()
    row = calls.get_by_role("row").filter(has_text="urls[].weight").first
    expect(row).to_contain_text("1 – 1,000,000, else 1")
    expect(row).to_contain_text("Its share among the urls")
    expect(calls.get_by_role("row").filter(has_text="name").first).to_contain_text("needed")
    assert pasted(gateway, calls.locator("pre").inner_text()).endswith("201")
    page.get_by_role("searchbox").fill("opens a session")
    calls.locator("summary").filter(has_text="/api/admin/login").click()
    assert pasted(gateway, calls.locator("pre").inner_text()).endswith("200")
    page.get_by_role("searchbox").fill("/api/backup")
    calls.locator("summary").filter(has_text="/api/backup").click()
    expect(calls.get_by_role("row").filter(has_text="X-Backup-Passphrase")).to_contain_text("secrets")
    assert not complaints


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_it_fits_every_width(open_page: OpenPage, language: str) -> None:
    """Open or closed."""
    page = open_page("#/api", locale=language)
    page.locator(".operation summary").filter(has_text="/api/settings").last.click()
    page.locator(".fields-table").first.wait_for()
    expect_to_fit(page)
