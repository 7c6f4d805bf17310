"""The audit page in a real browser: what was done, and what it was before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from app.storage.connections import Redis
from tests.support.admin_pages import OpenPage, add, expect_to_fit, no_channels, open_page
from tests.support.databases import prepared
from tests.support.gateway import GatewayProcess

__all__ = ["no_channels", "open_page"]
pytestmark = pytest.mark.usefixtures("database")
OLD, NEW = "old-<b>-model", "new-model"


@pytest.fixture
def database(gateway: GatewayProcess, redis_client: Redis) -> Iterator[None]:
    """As the worker makes it."""
    with prepared(redis_client, gateway.redis_url):
        yield


def test_a_change_stands_with_what_it_was_before_and_after(
    open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]
) -> None:
    """Field by field; found by what it is of, what was done and by whom, which stand in the address."""
    channel = add(gateway, "watched", models=[{"name": OLD}, {"name": "kept"}], priority=3)
    said = {"models": [{"name": "kept"}, {"name": NEW}], "priority": 5}
    gateway.admin("PUT", f"/api/channels/{channel['id']}", said)
    page = open_page(f"#/audit?object=channel {channel['id']} watched")
    rows = page.locator(".audit-table tbody tr")
    expect(rows).to_have_count(2)
    latest = rows.nth(0)
    expect(latest).to_contain_text("Channel changed")
    expect(latest).to_contain_text("127.0.0.1")
    expect(latest.locator("del")).to_have_text([OLD, "3"], use_inner_text=True)
    expect(latest.locator("ins")).to_have_text([NEW, "5"], use_inner_text=True)
    page.get_by_label("What", exact=True).select_option("add_channel")
    expect(rows).to_have_count(1)
    assert "action=add_channel" in page.url
    page.get_by_placeholder("By").fill("nobody")
    page.get_by_role("button", name="Clear the filters").click()
    expect(rows.nth(2)).to_be_visible()
    assert complaints == []


DIFFERENCES: list[tuple[Any, Any, list[Any]]] = [
    ({"a": 1}, {"a": 1}, []),
    (None, {"a": {"b": 1}}, [["a.b", None, 1]]),
    ({"a": ["x", "y"]}, {"a": ["y", "z"]}, [["a", ["x"], ["z"]]]),
    ({"a": ["x", "y"]}, {"a": ["y", "x"]}, [["a", ["x", "y"], ["y", "x"]]]),
    ({"u": [{"url": "1", "w": 1}]}, {"u": [{"url": "1", "w": 2}]}, [["u[1].w", 1, 2]]),
    ({"u": [{"w": 1}]}, {"u": [{"w": 1}, {"w": 2}]}, [["u[1].w", None, 2]]),
    ("a", "b", [["", "a", "b"]]),
    ({"a": 1}, {"a": None}, [["a", 1, None]]),
]
TELL = """async (pairs) => {
  const { differences } = await import('/static/js/views/audit/diff.js');
  const told = ([was, now]) => differences(was ?? undefined, now ?? undefined);
  return pairs.map((pair) => told(pair).map(({ name, was, is }) => [name, was ?? null, is ?? null]));
}"""


def test_only_what_is_another_is_a_difference(open_page: OpenPage) -> None:
    """Lists by what is in them, objects in lists by their names."""
    told = open_page("#/tasks").evaluate(TELL, [[was, now] for was, now, _ in DIFFERENCES])
    assert told == [found for _, _, found in DIFFERENCES]


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_it_fits_every_width(open_page: OpenPage, gateway: GatewayProcess, locale: str) -> None:
    add(gateway, "a-name-that-is-rather-long-" * 3, models=[{"name": "m" * 200}])
    page = open_page("#/audit", locale=locale)
    expect(page.locator(".audit-table tbody tr").first).to_be_visible()
    expect_to_fit(page)
