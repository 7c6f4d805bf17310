"""Keys of a channel, tests, the order and explanations on the Channels page, in a real browser."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.admin_pages import OpenPage, add, no_channels, no_tokens, open_page, row_of, stored
from tests.support.answers import answering
from tests.support.gateway import GatewayProcess
from tests.support.tokens import add_token
from tests.support.upstream import Upstream

__all__ = ["no_channels", "no_tokens", "open_page"]


JSON = "Content-Type: application/json\r\n"
SECRET = "sk-abcdefghijklmnop-1234"
HINT = "sk-a…1234"


def test_keys_are_added_noted_taken_out_and_deleted(
    open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]
) -> None:
    """From the list's link on; a key that is there already is told, and nothing that is deleted comes back."""
    channel = add(gateway, "pool", keys=[SECRET])
    page = open_page()
    page.get_by_role("link", name="Keys of pool").click()
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="Add keys").click()
    dialog.get_by_role("button", name="Add keys").click()
    expect(dialog.get_by_role("alert")).to_have_text("There is no key in this text.")
    expect(dialog.locator("textarea")).to_be_focused()
    dialog.locator("textarea").fill(f"{SECRET}\nsk-secondkey-0987")
    dialog.get_by_role("button", name="Add keys").click()
    expect(page.get_by_text("Added 1 key · 1 was there")).to_be_visible()

    row, second = row_of(page, HINT), row_of(page, "sk-s…0987")
    second.get_by_role("button", name="Note of sk-s…0987").click()
    dialog.get_by_role("textbox", name="Note").fill("Ann's")
    dialog.get_by_role("button", name="Save").click()
    expect(second).to_contain_text("Ann's")
    second.get_by_role("button", name="Disable sk-s…0987").click()
    expect(second).to_contain_text("Disabled")
    assert stored(gateway, "pool")["keys"]["disabled"] == 1

    page.get_by_label("State").select_option("disabled")
    expect(row).to_have_count(0)
    page.get_by_role("group", name="For several keys").get_by_role("button", name="Enable").click()
    expect(dialog).to_contain_text("Enable 1 key?")
    dialog.get_by_role("button", name="Enable").click()
    expect(page.get_by_text("No key fits these filters.")).to_be_visible()
    page.get_by_role("button", name="Clear the filters").click()
    row.get_by_role("button", name=f"Delete {HINT}").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    expect(second).to_contain_text("Active")
    assert gateway.admin("GET", f"/api/channels/{channel['id']}/keys").json()["count"] == 1
    assert complaints == []


def test_a_key_is_shown_only_when_it_is_asked_for(
    open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]
) -> None:
    """After a second click, and gone from the page once the dialog is closed."""
    channel = add(gateway, "secretive", keys=[SECRET])
    page = open_page(f"#/channels/{channel['id']}/keys")
    page.get_by_role("button", name=f"Reveal {HINT}").click()
    dialog = page.get_by_role("dialog")
    assert SECRET not in page.content()
    dialog.get_by_role("button", name="Reveal").click()
    expect(dialog.locator(".secret")).to_have_text(SECRET)
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    assert SECRET not in page.content()
    assert complaints == []


def test_resting_keys_are_restored_and_pages_are_turned(
    open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]
) -> None:
    """Fifty keys stand on a page; what is filtered by state is exported, restored and validated together.

    A whole key that is searched for does not get into the address, nor what is not on the screen into what is chosen.
    """
    channel = add(gateway, "many", models=[{"name": "*"}], keys=[f"sk-key-number-{n:04}" for n in range(60)])
    keys = f"/api/channels/{channel['id']}/keys"
    for key in gateway.admin("GET", keys).json()["keys"][:2]:
        gateway.admin("POST", f"{keys}/{key['id']}/cooldown", {"seconds": 900})
    page = open_page(f"#/channels/{channel['id']}/keys")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Next").click()
    expect(rows).to_have_count(10)
    expect(row_of(page, "sk-k…0059")).to_be_visible()
    page.get_by_role("button", name="Previous").click()
    expect(rows).to_have_count(50)
    page.get_by_label("State").select_option("resting")
    expect(rows).to_have_count(2)
    expect(page.get_by_text("All 2 resting keys")).to_be_visible()
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as downloading:
        dialog.get_by_role("button", name="Export").click()
    assert Path(downloading.value.path()).read_text() == "sk-key-number-0000\nsk-key-number-0001\n"
    page.get_by_role("button", name="Restore", exact=True).click()
    dialog.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("Restored 2 keys")).to_be_visible()
    page.get_by_role("button", name="Clear the filters").click()
    expect(page.get_by_text("1–50 of 60")).to_be_visible()
    page.get_by_label("a page").select_option("200")
    expect(rows).to_have_count(60)
    bar = page.get_by_role("group", name="For several keys")
    expect(bar).to_contain_text("All 60 keys")
    page.get_by_role("checkbox", name="Select all").check()
    expect(bar).to_contain_text("60 keys chosen")
    page.get_by_role("searchbox").fill("sk-key-number-0042")
    expect(rows).to_have_count(1)
    expect(bar).to_contain_text("1 key chosen")
    assert "0042" not in page.url
    bar.get_by_role("button", name="Validate").click()
    expect(dialog).to_contain_text("Validate 1 key?")
    dialog.get_by_role("button", name="Validate").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Set its model for checks first")
    gateway.admin("PUT", f"/api/channels/{channel['id']}", {"check_model": "m"})
    dialog.get_by_role("button", name="Validate").click()
    here = page.get_by_role("list", name="Tasks")
    expect(here).to_contain_text("Validation of keys")
    page.get_by_role("button", name="Cancel: Validation of keys").click()
    expect(here).to_contain_text("Cancelled")
    assert complaints == []
    assert stored(gateway, "many")["keys"]["active"] == 60


def test_a_test_shows_what_came_back(
    open_page: OpenPage, gateway: GatewayProcess, upstream: Upstream, complaints: list[str]
) -> None:
    """Outcome, times and text of a good answer; outcome, words and rest of a failed one."""
    add(gateway, "tried", urls=[{"url": upstream.url}], keys=[SECRET])
    good = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
    }
    upstream.handler = answering(json.dumps(good).encode(), JSON)
    page = open_page()
    page.get_by_role("button", name="Test tried").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Streamed").uncheck()
    dialog.get_by_role("button", name="Send test").click()
    result = dialog.locator(".test-result")
    expect(result).to_contain_text("Good")
    expect(result).to_contain_text("Hello!")
    expect(result).to_contain_text("First byte")
    expect(result).to_contain_text("Tokens in / out12 / 3")
    expect(result).to_contain_text("Costno price")
    said = b'{"error": {"message": "slow <img src=x> down"}}'
    upstream.handler = answering(said, f"{JSON}Retry-After: 90\r\n", "429 Too Many Requests")
    dialog.get_by_role("button", name="Send test").click()
    expect(result).to_contain_text("Rate limited")
    expect(result).to_contain_text("HTTP 429")
    expect(result.locator(".error")).to_have_text("slow <img src=x> down")
    assert page.locator("img[src=x]").count() == 0
    dialog.get_by_role("button", name="Close").click()
    row = row_of(page, "tried")
    expect(row).to_contain_text("Resting 1:")
    expect(row).to_contain_text("Rate limited · 429")
    assert complaints == []


def test_models_are_fetched_and_chosen(open_page: OpenPage, gateway: GatewayProcess, upstream: Upstream) -> None:
    """For a channel that is not stored yet: with the first of its keys; those that are listed stay as they are."""
    upstream.handler = answering(json.dumps({"data": [{"id": "m1"}, {"id": "m2"}, {"id": "m3"}]}).encode(), JSON)
    page = open_page()
    page.get_by_role("button", name="Add channel").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Another provider").click()
    dialog.locator("#name").fill("fetched")
    dialog.locator('[name="urls[0].url"]').fill(upstream.url)
    fetch = dialog.get_by_role("button", name="Fetch from upstream")
    fetch.click()
    expect(dialog.get_by_role("alert")).to_contain_text("Type a key first")
    dialog.locator("#keys").fill(SECRET)
    dialog.locator("#models").fill("m1 -> other")
    fetch.click()
    dialog.get_by_label("m3").check()
    expect(dialog.locator("#models")).to_have_value("m1 -> other\nm3")
    dialog.get_by_label("m3").uncheck()
    dialog.get_by_role("button", name="Add all (2)").click()
    dialog.get_by_role("button", name="Add channel").click()
    expect(row_of(page, "fetched")).to_be_visible()
    assert [model["name"] for model in stored(gateway, "fetched")["models"]] == ["m1", "m2", "m3"]
    assert upstream.seen[0].field("authorization") == f"Bearer {SECRET}"


def test_the_order_is_changed_by_buttons_and_arrow_keys(
    open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]
) -> None:
    """What moves keeps the focus, and the saved order is the one that is seen."""
    for name in ("a-one", "b-two", "c-three"):
        add(gateway, name)
    page = open_page()
    page.get_by_role("button", name="Reorder").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Move c-three up").click()
    moved = dialog.get_by_role("listitem").filter(has_text="c-three")
    expect(moved).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(dialog.get_by_role("listitem").first).to_contain_text("c-three")
    expect(moved).to_be_focused()
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("tbody tr").first).to_contain_text("c-three")
    names = [channel["name"] for channel in gateway.admin("GET", "/api/channels").json()["channels"]]
    assert names == ["c-three", "a-one", "b-two"]
    assert complaints == []


def test_a_copy_and_a_deletion_are_asked_about(open_page: OpenPage, gateway: GatewayProcess) -> None:
    """A name that is taken is refused beside its field; a channel that a mapping names stays, and that is said."""
    add(gateway, "original", keys=[SECRET])
    page = open_page()
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="Copy original", exact=True).click()
    dialog.locator("#name").fill("ORIGINAL")
    dialog.get_by_role("button", name="Copy channel").click()
    expect(dialog.get_by_role("alert")).to_have_text("This name is taken; choose another.")
    dialog.locator("#name").fill("twin")
    dialog.get_by_label("Keys").select_option("all")
    dialog.get_by_role("button", name="Copy channel").click()
    expect(row_of(page, "twin")).to_contain_text("1 of 1 active")

    gateway.map("/by-twin", "channel:twin")
    try:
        page.get_by_role("button", name="Delete twin").click()
        dialog.get_by_role("button", name="Delete").click()
        expect(dialog.get_by_role("alert")).to_contain_text("A mapping leads to it")
    finally:
        gateway.admin("DELETE", "/api/mappings/by-twin")
    dialog.get_by_role("button", name="Delete").click()
    expect(row_of(page, "twin")).to_have_count(0)


@pytest.mark.usefixtures("no_tokens")
def test_a_request_is_explained(open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]) -> None:
    """Who would be tried, by rank, and what stands against the others; a refusal with its code."""
    first = add(gateway, "first", priority=10, keys=[SECRET])
    add(gateway, "keyless")
    add_token(gateway, "bounded", routes={"mode": "deny", "channels": [first["id"]]})
    add(gateway, "off", enabled=False)
    page = open_page()
    page.get_by_role("link", name="Explain a request").click()
    page.locator("#body").fill('{"model": "m"}')
    page.get_by_role("button", name="Explain", exact=True).click()
    expect(row_of(page, "first")).to_contain_text("1")
    expect(row_of(page, "first")).to_contain_text("may be tried")
    expect(row_of(page, "keyless")).to_contain_text("no fit key")
    expect(row_of(page, "off")).to_contain_text("disabled")
    page.get_by_label("Access token").select_option("bounded")
    page.get_by_role("button", name="Explain", exact=True).click()
    expect(row_of(page, "first")).to_contain_text("not for this token")
    page.get_by_label("Access token").select_option("one that may all")
    page.locator("#path").fill("no-slash")
    page.get_by_role("button", name="Explain", exact=True).click()
    expect(page.locator("#path")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("begins with a slash")
    page.locator("#path").fill("/v1/chat/completions")
    page.locator("#body").fill('{"model": "unknown"}')
    page.get_by_role("button", name="Explain", exact=True).click()
    expect(page.locator(".explanation")).to_contain_text("404 model_not_found")
    assert complaints == []
