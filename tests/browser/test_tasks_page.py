"""What is done at length, as the pages Keys and Tasks show it, in a real browser. The test does the worker's part."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import FilePayload, Page, expect

from app.storage.connections import Redis
from app.storage.tasks.stored import StoredTasks
from app.storage.tasks.task import TaskState
from tests.support.admin_pages import OpenPage, add, expect_to_fit, no_channels, open_page, row_of
from tests.support.gateway import ROOT, GatewayProcess
from worker.tasks.kinds import KINDS

__all__ = ["no_channels", "open_page"]

KEYS = [f"sk-many-{number:05d}" for number in range(1_001)]
FILE = FilePayload(
    name="keys.csv", mimeType="text/csv", buffer="\n".join(["note,key", *[f"x,{key}" for key in KEYS]]).encode()
)
HOLD_MS = 60_000


@pytest.fixture(autouse=True)
def no_tasks(gateway: GatewayProcess) -> Iterator[None]:
    yield
    for task in gateway.admin("GET", "/api/tasks").json()["tasks"]:
        gateway.admin("DELETE", f"/api/tasks/{task['id']}")


def add_by_file(page: Page) -> None:
    page.get_by_role("button", name="Add keys").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Or a file").set_input_files([FILE])
    expect(dialog).to_contain_text("1,001 keys")
    dialog.get_by_role("button", name="Add keys").click()


PASTE = """(field, text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', text);
    field.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
}"""


def add_by_pasting(page: Page) -> None:
    """So many that a browser would need seconds to show them."""
    page.get_by_role("button", name="Add keys").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Keys").evaluate(PASTE, "\n".join(key + "x" * 200 for key in KEYS))
    expect(dialog).to_contain_text(re.compile(r"Pasted text 214 kB.*1,001 keys"))
    dialog.get_by_role("button", name="Add keys").click()


def test_an_import_moves_by_itself_and_its_end_is_told(
    open_page: OpenPage, gateway: GatewayProcess, redis_client: Redis, complaints: list[str]
) -> None:
    """From the file on, on both pages; one in the way of another is told with the way to it, and one is cancelled."""
    channel = add(gateway, "pool", keys=["sk-first"])
    page = open_page(f"#/channels/{channel['id']}/keys")
    add_by_file(page)
    here = page.get_by_role("list", name="Tasks").get_by_role("listitem")
    expect(here).to_contain_text("Import of keys")
    expect(here).to_contain_text("Waiting")
    add_by_pasting(page)
    refusal = page.get_by_role("dialog").get_by_role("alert")
    expect(refusal).to_contain_text("runs for this channel already")
    refusal.get_by_role("link", name="Show the task").click()
    row = row_of(page, "Import of keys")
    expect(row).to_contain_text("pool")

    stored, id = StoredTasks(redis_client), gateway.admin("GET", "/api/tasks").json()["tasks"][0]["id"]
    claim = stored.claim(id, HOLD_MS, 5)["claim"]
    stored.tell(id, claim, HOLD_MS, {"done": 2, "total": 1_000, "message": "1 key added"}, True)
    expect(row).to_contain_text("Added 1 key")
    stored.tell(id, claim, HOLD_MS, {"done": 400, "total": 1_000, "message": "399 keys added"}, True)
    expect(row.get_by_role("progressbar")).to_have_attribute("aria-valuetext", "400 of 1,000")
    expect(row).to_contain_text("Added 399 keys")
    expect_to_fit(page, "tasks")
    row.get_by_role("link", name="pool").click()
    expect(here).to_contain_text("40.0 %")
    expect_to_fit(page, "keys")
    page.locator("#language").click()
    expect(page.locator(".tasks-here li")).to_contain_text("已添加 399 个密钥")
    page.locator("#language").click()
    result = {"added": 998, "duplicates": 3, "total": 999}
    stored.finish(id, claim, TaskState.DONE, {"done": 1_001}, result)
    expect(here).to_contain_text("Added 998 keys · 3 were there")
    expect(page.get_by_role("status").filter(has_text="Import of keys: Done, Added 998 keys")).to_have_count(1)
    page.get_by_role("button", name="Put away: Import of keys").click()
    expect(here).to_have_count(0)

    add_by_file(page)
    page.get_by_role("button", name="Cancel: Import of keys").click()
    expect(here).to_contain_text("Cancelled")
    gateway.admin("POST", "/api/channels/batch", {"ids": [channel["id"]], "action": "fetch_models"})
    page.get_by_role("link", name="Tasks").click()
    expect(page.get_by_role("row", name=re.compile("Import of keys.*Cancelled"))).to_have_count(1)
    lists = row_of(page, "Lists of models")
    expect(lists).to_contain_text("all channels")
    id = gateway.admin("GET", "/api/tasks").json()["tasks"][0]["id"]
    claim = stored.claim(id, HOLD_MS, 5)["claim"]
    told = {
        "channel_id": channel["id"],
        "channel": "pool",
        "models": [f"model-{n:04}" for n in range(500)],
        "error": None,
    }
    failed = {"channel_id": "0", "channel": "other", "models": [], "error": "it said <b>no</b>"}
    end = {"done": 2, "total": 2, "message": "1 told none"}
    stored.finish(id, claim, TaskState.DONE, end, {"channels": [told, failed]})
    expect(lists).to_contain_text("1 did not tell theirs")
    lists.get_by_text("Show all").click()
    expect(lists.get_by_role("listitem")).to_have_text(["pool 500 models", "other it said <b>no</b>"])
    assert complaints == []


@pytest.mark.parametrize("name", [f"kind_{kind}" for kind in KINDS] + [f"task_{state.value}" for state in TaskState])
def test_every_kind_and_state_has_words(name: str) -> None:
    words = (ROOT / "admin_ui" / "js" / "words" / "tasks.js").read_text()
    assert re.search(rf"^  {name}: \[.*[\u4e00-\u9fff]", words, re.MULTILINE)
