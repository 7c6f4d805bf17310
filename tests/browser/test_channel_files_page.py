"""Channels as a CSV file, in and out on the Channels page, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import FilePayload, expect

from tests.support.admin_pages import OpenPage, add, expect_to_fit, no_channels, open_page, row_of, stored
from tests.support.gateway import GatewayProcess

__all__ = ["no_channels", "open_page"]

LINES = (
    "name,url,models,api_key,priority,colour",
    "new,https://new.example,m,sk-new-key-of-this-0001,5,red",
    "there,https://one.example,m,sk-second-0002,7,",
    "wrong,https://one.example,m,sk-x,high,",
    ",https://one.example,m,sk-x,1,",
    "there,https://one.example,m,sk-x,1,",
)


def file_of(*lines: str) -> FilePayload:
    return FilePayload(name="channels.csv", mimeType="text/csv", buffer="\n".join(lines).encode())


def test_what_a_file_would_change_is_seen_before_it_is_taken(
    open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]
) -> None:
    """Counts, fields and keys of each line, what is wrong by line; nothing is changed until the button says so."""
    add(gateway, "there", keys=["sk-first-0001"])
    page = open_page()
    page.get_by_role("button", name="Import CSV").click()
    dialog = page.get_by_role("dialog")
    field = dialog.get_by_label("CSV file")
    field.set_input_files([file_of("colour", "red")])
    expect(dialog.get_by_role("alert")).to_contain_text("This is no file of channels")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.set_input_files([file_of(*LINES)])
    expect(dialog.locator(".figures")).to_have_text(
        re.compile("Created1.*Updated1.*Unchanged0.*Lines skipped3.*Keys added2.*Keys deleted1", re.DOTALL)
    )
    expect(row_of(page, "new")).to_contain_text("which dialects it speaks is guessed")
    expect(row_of(page, "there").last).to_contain_text("Priority · 1 key added · 1 key deleted")
    for line, says in ((4, "priority"), (5, "name"), (6, "line 3 is for this channel already")):
        expect(dialog.get_by_role("listitem").filter(has_text=f"Line {line}:")).to_contain_text(says)
    expect(dialog.get_by_text("columns that are not known are passed over: colour")).to_be_visible()
    expect_to_fit(page, "preview")
    assert stored(gateway, "there")["priority"] == 0
    dialog.get_by_role("button", name="Change 2 channels").click()
    expect(dialog).to_contain_text("The file was taken")
    dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_text("Channels: 1 created, 1 updated")).to_be_visible()
    expect(row_of(page, "new")).to_contain_text("1 of 1 active")
    assert stored(gateway, "there")["priority"] == 7

    page.get_by_role("button", name="Export CSV").click()
    dialog.get_by_label("Keys").select_option("hints only")
    with page.expect_download() as downloading:
        dialog.get_by_role("button", name="Export").click()
    text = Path(downloading.value.path()).read_text("utf-8-sig")
    assert re.fullmatch(r"channels-\d{8}-\d{6}\.csv", downloading.value.suggested_filename)
    assert "sk-n…0001" in text
    assert "sk-new-key-of-this-0001" not in text

    page.locator("#language").click()
    page.get_by_role("button", name="导入 CSV").click()
    dialog.get_by_label("CSV 文件").set_input_files([file_of(*LINES)])
    expect(dialog).to_contain_text("第 3 行已是此渠道")
    expect(dialog).to_contain_text("忽略了未知的列：colour")
    expect(dialog).to_contain_text("不会有任何变化")
    assert complaints == []
