"""The backup page in a real browser: a file of all that was said, and back."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.admin_pages import OpenPage, add, expect_blamed, expect_to_fit, no_channels, open_page
from tests.support.gateway import GatewayProcess

__all__ = ["no_channels", "open_page"]
PASSPHRASE = "correct höllengaul"
SECRET = "sk-of-the-page-0001"


def test_a_backup_is_made_looked_at_and_restored(
    open_page: OpenPage, gateway: GatewayProcess, tmp_path: Path, complaints: list[str]
) -> None:
    """A passphrase has to be long enough and said twice; a wrong one is blamed; what would change is shown first."""
    channel = add(gateway, "kept <b>", keys=[SECRET])["id"]
    page = open_page("#/backup")
    first, again = page.get_by_label("Passphrase"), page.get_by_label("The same again")
    first.fill("short")
    page.get_by_role("button", name="Download").click()
    expect(page.get_by_text("At least 8 characters.")).to_be_visible()
    first.fill(PASSPHRASE)
    again.fill(PASSPHRASE + "!")
    page.get_by_role("button", name="Download").click()
    expect(page.get_by_text("The two are not the same.")).to_be_visible()
    again.fill(PASSPHRASE)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert re.fullmatch(r"gateway-\d{8}-\d{6}\.json", file.name)
    assert json.loads(file.read_text())["secrets"] == "encrypted"
    assert SECRET not in file.read_text()

    gateway.admin("DELETE", f"/api/channels/{channel}")
    page.get_by_label("Backup file").set_input_files(file)
    passphrase = page.locator("#restore-passphrase")
    expect(passphrase).to_have_attribute("aria-invalid", "true")
    passphrase.fill("another one")
    page.get_by_role("button", name="Show what would change").click()
    expect_blamed(passphrase, "This is not the passphrase")
    passphrase.fill(PASSPHRASE)
    page.get_by_role("button", name="Show what would change").click()
    expect(page.locator(".restore-outcome")).to_contain_text("kept <b>")
    assert gateway.admin("GET", f"/api/channels/{channel}").status == 404
    page.get_by_role("button", name="Restore").click()
    page.get_by_role("dialog").get_by_role("button", name="Restore").click()
    expect(page.locator(".restore-outcome")).to_contain_text("This was changed")
    keys = gateway.admin("GET", f"/api/channels/{channel}/keys/export").body.decode()
    assert keys.split() == [SECRET]
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    page.get_by_label("Backup file").set_input_files(broken)
    expect(page.locator("#file-wrong")).to_be_visible()
    assert complaints == []


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_it_fits_every_width(open_page: OpenPage, gateway: GatewayProcess, tmp_path: Path, locale: str) -> None:
    """With a backup without secrets that would change something."""
    channel = add(gateway, "a-name-that-is-rather-long-" * 3)["id"]
    page = open_page("#/backup", locale=locale)
    page.locator("input[name=secrets]").uncheck()
    with page.expect_download() as download:
        page.locator(".backup button.primary").click()
    file = tmp_path / "backup.json"
    download.value.save_as(file)
    gateway.admin("DELETE", f"/api/channels/{channel}")
    page.locator("input[type=file]").set_input_files(file)
    expect(page.locator(".restore-outcome code").first).to_be_visible()
    expect_to_fit(page)
