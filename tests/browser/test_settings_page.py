"""The page Settings: groups, values, what they fall back to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from app.core.setting_table import GROUPS, SETTINGS
from tests.support.admin_pages import OpenPage, open_page
from tests.support.gateway import GatewayProcess

__all__ = ["open_page"]

POLL_MS = 5_000
"""After so long at the latest an open page asks again."""
POLLED_MS = 15_000
"""What comes by a poll is there within this time, even if the clock was put forward just before the page set it."""


@pytest.fixture(autouse=True)
def take_back(gateway: GatewayProcess) -> Iterator[None]:
    """No test leaves its settings to the others."""
    yield
    gateway.admin("PUT", "/api/settings", dict.fromkeys(SETTINGS))


def general(gateway: GatewayProcess, name: str) -> tuple[float, bool]:
    told = gateway.admin("GET", "/api/settings").json()["settings"][name]
    return told["value"], told["set"]


def test_a_setting_is_set_and_taken_back(open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]) -> None:
    """What is saved stands as in force, for the server too; clearing the field brings the default back."""
    page = open_page("#/mappings")
    page.get_by_role("link", name="Settings").click()
    field = page.get_by_label("Idle timeout", exact=True)
    row = page.get_by_role("row").filter(has=field)
    save = page.get_by_role("button", name="Save")
    expect(save).to_be_disabled()
    field.fill("42.5")
    save.click()
    expect(page.get_by_text("Saved 1 setting")).to_be_visible()
    expect(row).to_contain_text("42.5 s set here")
    assert general(gateway, "idle_timeout") == (42.5, True)
    field.fill("")
    save.click()
    expect(row).not_to_contain_text("set here")
    assert general(gateway, "idle_timeout") == (300.0, False)
    assert complaints == []


def test_a_setting_of_yes_or_no_is_chosen(open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]) -> None:
    """It has no field to type in; the server has what was chosen, and the default comes back."""
    page = open_page("#/settings")
    field = page.get_by_label("Empty answers are failures", exact=True)
    row = page.get_by_role("row").filter(has=field)
    expect(field).to_have_value("")
    field.select_option("yes")
    page.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("yes set here")
    assert general(gateway, "empty_is_error") == (True, True)
    field.select_option("as the default")
    page.get_by_role("button", name="Save").click()
    expect(row).not_to_contain_text("set here")
    assert general(gateway, "empty_is_error") == (False, False)
    assert complaints == []


def test_settings_changed_elsewhere_appear_beside_an_unsaved_edit(open_page: OpenPage, gateway: GatewayProcess) -> None:
    """The open form follows the server, and takes no edit away, not even while another view is looked at."""
    page = open_page("#/settings", clock=True)
    page.get_by_label("Connect timeout", exact=True).fill("3")
    gateway.admin("PUT", "/api/settings", {"burst": 77})
    page.clock.fast_forward(POLL_MS)
    expect(page.get_by_label("Burst", exact=True)).to_have_value("77", timeout=POLLED_MS)
    page.get_by_role("link", name="Mappings").click()
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_label("Connect timeout", exact=True)).to_have_value("3")
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_label("Connect timeout", exact=True)).to_have_value("")
    assert general(gateway, "connect_timeout") == (10.0, False)


def test_a_value_that_cannot_be_is_refused_beside_its_field(
    open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]
) -> None:
    """The form says what would do, marks the field, and keeps what was typed until it is discarded."""
    page = open_page("#/settings")
    field = page.get_by_label("Connect timeout", exact=True)
    for value in ("-1", "1e99", "5 apples", "<img src=x onerror=alert(1)>"):
        field.fill(value)
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_have_text("A number from 0.001 to 86,400 (s).")
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_value(value)
        assert page.locator("img[src=x]").count() == 0
        assert general(gateway, "connect_timeout") == (10.0, False)
        page.get_by_role("button", name="Discard").click()
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(field).to_have_value("")
    assert complaints == []


def test_settings_stand_in_their_groups(open_page: OpenPage, complaints: list[str]) -> None:
    """Each once, under its group's heading, in the order of the table; a link leads to each group."""
    page = open_page("#/settings")
    expect(page.locator(".settings-table tbody")).to_have_count(len(GROUPS))
    shown = page.locator(".settings-table [name]").evaluate_all("fields => fields.map((field) => field.name)")
    assert shown == list(SETTINGS)
    checks = page.locator("tbody").filter(has=page.get_by_role("heading", name="Checks", exact=True))
    names = checks.locator("[name]").evaluate_all("fields => fields.map((field) => field.name)")
    assert names == [name for name, setting in SETTINGS.items() if setting.group == "checks"]
    link = page.get_by_role("navigation", name="Groups of settings").get_by_role("button", name="Checks")
    link.click()
    expect(page.get_by_role("heading", name="Checks", exact=True)).to_be_in_viewport()
    expect(page.get_by_role("heading", name="Checks", exact=True)).to_be_focused()
    assert complaints == []


def test_each_setting_has_its_default_unit_and_help(open_page: OpenPage) -> None:
    """As its kind is; who else may have a value of his own is said."""
    page = open_page("#/settings")
    said = {
        "first_useful_timeout": ("Channels may have their own.", "300 s"),
        "idle_timeout": ("Mappings and channels may have their own.", "300 s"),
        "burst": ("Mappings may have their own.", "as the rate"),
        "check_interval_s": ("0: never", "never"),
        "affinity": ("By the ids that clients send", "by ids"),
        "budget_local_usd": ("While Redis is away", "1"),
    }
    for name, (helped, default) in said.items():
        row = page.get_by_role("row").filter(has=page.locator(f"[name={name}]"))
        expect(row).to_contain_text(helped, ignore_case=True)
        expect(row.locator("td").last).to_have_text(default)


def test_settings_are_searched_and_an_edit_stays_in_sight(open_page: OpenPage) -> None:
    """By name, in either form, and by what they mean; what would be saved is never hidden."""
    page = open_page("#/settings")
    fields, search = page.locator(".settings-table [name]"), page.get_by_role("searchbox")
    search.fill("blacklist_threshold")
    expect(fields).to_have_count(1)
    page.get_by_label("Refusals to the blacklist", exact=True).fill("5")
    search.fill("Kept for")
    expect(fields).to_have_count(2)
    page.get_by_role("button", name="Discard").click()
    expect(fields).to_have_count(1)
    search.fill("no such setting")
    expect(page.get_by_text("Nothing matches “no such setting”.")).to_be_visible()


def set_some(page: Page, gateway: GatewayProcess) -> None:
    gateway.admin("PUT", "/api/settings", {"connect_timeout": 3, "idle_timeout": 4, "affinity": "off"})
    page.reload()
    expect(page.get_by_label("Connect timeout", exact=True)).to_have_value("3")


def test_a_group_is_reset(open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]) -> None:
    """After a question that names each setting; what else is set stays, and so does what is typed elsewhere."""
    page = open_page("#/settings")
    set_some(page, gateway)
    page.get_by_label("Connect timeout", exact=True).fill("99")
    page.get_by_label("Attempts of a call", exact=True).fill("9")
    page.get_by_role("button", name="Timeouts: reset…").click()
    dialog = page.get_by_role("dialog", name="Reset 2 settings?")
    expect(dialog.get_by_role("listitem")).to_have_text(["Connect timeout: 3 s → 10 s", "Idle timeout: 4 s → 300 s"])
    expect(dialog).to_contain_text("What you typed into their fields goes, too.")
    dialog.get_by_role("button", name="Reset", exact=True).click()
    expect(page.get_by_text("Reset 2 settings", exact=True)).to_be_visible()
    expect(page.get_by_label("Connect timeout", exact=True)).to_have_value("")
    expect(page.get_by_label("Attempts of a call", exact=True)).to_have_value("9")
    assert [general(gateway, name)[1] for name in ("connect_timeout", "idle_timeout", "affinity")] == [
        False,
        False,
        True,
    ]
    assert complaints == []


def test_all_is_reset(open_page: OpenPage, gateway: GatewayProcess) -> None:
    """What is set, and nothing before it is confirmed; then there is nothing to reset."""
    page = open_page("#/settings")
    set_some(page, gateway)
    everything = page.get_by_role("button", name="Reset all…")
    everything.click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert general(gateway, "affinity") == ("off", True)
    everything.click()
    expect(page.get_by_role("dialog").get_by_role("listitem")).to_have_count(3)
    page.get_by_role("dialog").get_by_role("button", name="Reset", exact=True).click()
    expect(everything).to_have_count(0)
    told = gateway.admin("GET", "/api/settings").json()["settings"]
    assert not any(one["set"] for one in told.values())
