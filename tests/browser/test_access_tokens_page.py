"""The Access tokens page in a real browser, in front of a real gateway."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app.storage.connections import Redis
from tests.support.admin_pages import (
    OpenPage,
    add,
    expect_blamed,
    expect_to_fit,
    no_channels,
    no_tokens,
    open_page,
    row_of,
)
from tests.support.answers import answering
from tests.support.gateway import GatewayProcess
from tests.support.log_rows import Log
from tests.support.tokens import add_token
from tests.support.upstream import Upstream
from tests.support.waiting import wait_until

__all__ = ["no_channels", "no_tokens", "open_page"]

HOSTILE = "<img src=x onerror=alert(1)>"
JSON = "Content-Type: application/json\r\n"
SECRET = re.compile(r"sk-gw-[\w-]{43}")


@pytest.fixture(autouse=True)
def without_tokens(no_tokens: None) -> None:
    """Each test begins without access tokens, and leaves none."""


@pytest.fixture
def own_prices(gateway: GatewayProcess) -> Iterator[None]:
    """A test's own prices go with it."""
    yield
    gateway.admin("PUT", "/api/prices", {"overrides": []})


def stored(gateway: GatewayProcess, name: str) -> dict[str, Any]:
    tokens = gateway.admin("GET", "/api/tokens").json()["access_tokens"]
    found: dict[str, Any] = next(token for token in tokens if token["name"] == name)
    return found


def requests_of(gateway: GatewayProcess, name: str, redis: Redis) -> int:
    """The worker counts them."""
    Log(gateway, redis).catch_up()
    return int(stored(gateway, name)["requests"])


def status_of(gateway: GatewayProcess, secret: str) -> int:
    """What the holder of a secret is answered when he asks for his figures."""
    return gateway.request("GET", "/v1/dashboard/usage", headers={"Authorization": f"Bearer {secret}"}).status


def shown_secret(page: Page) -> str:
    return page.get_by_role("dialog").locator(".secret").inner_text()


def test_a_token_is_created_and_its_secret_shown_once(
    open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]
) -> None:
    """With the lines to paste for each client, which name this gateway and a model that it serves; then it is gone."""
    add(gateway, "account", dialects=["openai", "responses"], models=[{"name": "our-model"}])
    page = open_page("#/tokens")
    page.get_by_role("button", name="Create token").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("alice")
    dialog.get_by_role("textbox", name="Models").fill("claude-*")
    dialog.get_by_role("button", name="Choose from the channels").click()
    dialog.get_by_label("our-model").check()
    dialog.get_by_role("textbox", name="Month").fill("20")
    dialog.get_by_role("button", name="Create token").click()

    secret = shown_secret(page)
    assert SECRET.fullmatch(secret)
    expect(dialog.get_by_role("button", name="Copy the secret")).to_be_focused()
    expect(dialog.locator(".lines")).to_contain_text(f"ANTHROPIC_BASE_URL={gateway.url}")
    expect(dialog.locator(".lines")).to_contain_text(f"ANTHROPIC_AUTH_TOKEN={secret}")
    expect(dialog).to_contain_text("No enabled channel speaks Anthropic yet")
    for client, lines in {
        "Codex": (f'base_url = "{gateway.url}/v1"', f"GATEWAY_TOKEN={secret}", 'model = "our-model"'),
        "Gemini CLI": (f"GOOGLE_GEMINI_BASE_URL={gateway.url}", f"GEMINI_API_KEY={secret}"),
        "OpenAI SDK": (f'OpenAI(base_url="{gateway.url}/v1", api_key="{secret}")', 'model="our-model"'),
        "Anthropic SDK": (f'Anthropic(base_url="{gateway.url}", api_key="{secret}")',),
        "Gemini SDK": (f'api_key="{secret}", http_options={{"base_url": "{gateway.url}"}}',),
        "curl": (f"Authorization: Bearer {secret}", f"{gateway.url}/v1/chat/completions"),
    }.items():
        dialog.get_by_role("button", name=client, exact=True).click()
        for line in lines:
            expect(dialog.locator(".lines")).to_contain_text(line)

    dialog.get_by_role("button", name="Done").click()
    row = row_of(page, "alice")
    expect(row).to_contain_text(stored(gateway, "alice")["hint"])
    expect(row).to_contain_text("$0.00 of $20.00")
    assert secret not in page.content()
    assert secret not in page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }, location.href])")
    assert status_of(gateway, secret) == 200
    assert stored(gateway, "alice")["models"] == ["claude-*", "our-model"]
    assert complaints == []


def test_a_secret_is_copied_where_the_browser_has_no_clipboard_for_pages(open_page: OpenPage) -> None:
    """As on plain http. The toast does not name it, and the focus stays in the dialog."""
    page = open_page("#/tokens")
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.get_by_role("button", name="Create token").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("alice")
    dialog.get_by_role("button", name="Create token").click()
    secret = shown_secret(page)
    dialog.get_by_role("button", name="Copy the secret").click()
    expect(page.locator(".toast")).to_have_text(f"Copied: {secret[:10]}…{secret[-4:]}")
    expect(dialog.get_by_role("button", name="Copy the secret")).to_be_focused()
    dialog.get_by_role("button", name="Done").click()
    page.get_by_role("searchbox").click()
    page.keyboard.press("Control+V")
    expect(page.get_by_role("searchbox")).to_have_value(secret)


def test_an_edit_sends_only_what_was_touched(
    open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]
) -> None:
    """A budget, a limit, routes and an end are set; what somebody else changed meanwhile stays, in budgets too."""
    channel = add(gateway, "account")
    token = add_token(gateway, "edited", note="old", budgets={"day_usd": "1.50"})
    page = open_page("#/tokens", timezone_id="Asia/Kathmandu")
    page.get_by_role("button", name="Edit edited").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("textbox", name="Day")).to_have_value("1.50")
    gateway.admin("PUT", f"/api/tokens/{token.id}", {"note": "theirs", "budgets": {"total_usd": "7"}})
    dialog.get_by_role("textbox", name="Month").fill("20.25")
    dialog.get_by_label("Requests a minute").fill("60")
    dialog.get_by_label("Expires").fill("2099-03-04T05:06")
    dialog.get_by_label("Channels and mappings").select_option("only these")
    dialog.get_by_role("group", name="Channels").get_by_label("account").check()
    dialog.get_by_role("button", name="Save").click()
    row = row_of(page, "edited")
    expect(row).to_contain_text("$0.00 of $20.25")
    expect(row).to_contain_text("60 a minute")
    expect(row).to_contain_text("only account")
    expect(row).to_contain_text("until Mar 4, 2099 05:06")
    now = stored(gateway, "edited")
    assert now["note"] == "theirs"
    assert now["budgets"] == {"total_usd": "7", "day_usd": "1.50", "month_usd": "20.25"}
    assert now["routes"] == {"mode": "allow", "channels": [channel["id"]], "mappings": []}
    assert now["expires_at_ms"] == 1_000 * datetime(2099, 3, 3, 23, 21, tzinfo=UTC).timestamp()
    assert complaints == []


def test_a_budget_is_a_bar_of_what_is_spent(
    open_page: OpenPage,
    gateway: GatewayProcess,
    upstream: Upstream,
    redis_client: Redis,
    own_prices: None,
    complaints: list[str],
) -> None:
    """With when its day and month begin anew; what is spent to the end is marked, and whoever goes on is refused."""
    Log(gateway, redis_client).clear()  # rows that other tests made up may name her id
    usage = {"prompt_tokens": 1_000, "completion_tokens": 200, "total_tokens": 1_200}
    choices = [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]
    upstream.handler = answering(json.dumps({"choices": choices, "usage": usage}).encode(), JSON)
    add(gateway, "account", urls=[{"url": upstream.url}], keys=["sk-abcdefghijklmnop-1234"])
    gateway.admin("PUT", "/api/prices", {"overrides": [{"model": "m", "input": "1000", "output": "5000"}]})
    token = add_token(gateway, "alice", budgets={"day_usd": "2", "month_usd": "20"})
    said = json.dumps({"model": "m", "max_tokens": 200, "messages": [{"role": "user", "content": "Hi"}]})
    assert gateway.request("POST", "/v1/chat/completions", said, token.bearer).status == 200
    wait_until(lambda: stored(gateway, "alice")["spent"]["day_usd"] == "2.000000", "what it cost is known")

    page = open_page("#/tokens")
    row = row_of(page, "alice")
    expect(row.locator(".budget.bad")).to_contain_text("$2.00 of $2.00")
    expect(row.locator(".budget.good")).to_contain_text("$2.00 of $20.00")
    day, month = (row.locator(f".budget.{mark} time").get_attribute("datetime") or "" for mark in ("bad", "good"))
    assert datetime.now(UTC) < datetime.fromisoformat(day) <= datetime.fromisoformat(month)
    expect(row.locator(".budget.bad time")).to_contain_text("resets")
    refused = gateway.request("POST", "/v1/chat/completions", said, token.bearer)
    assert (refused.status, refused.field("x-gateway-error")) == (429, "budget_exceeded")

    row.get_by_role("button", name="Edit alice").click()
    page.get_by_role("dialog").get_by_role("textbox", name="Day").fill("8.50")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(row).to_contain_text("$2.00 of $8.50")
    assert gateway.request("POST", "/v1/chat/completions", said, token.bearer).status == 200
    wait_until(lambda: requests_of(gateway, "alice", redis_client) == 3, "its calls are counted")
    page.reload()
    row.get_by_role("link", name="Latest calls of alice").click()
    expect(page.locator(".logs-table tbody tr")).to_have_count(3)
    expect(page.locator(".logs-table tbody tr").last).to_contain_text("$2.00")
    assert complaints == []


def test_a_token_is_rotated_disabled_and_deleted(
    open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]
) -> None:
    """The new secret is shown once; the former one, then the token, then both are refused."""
    add(gateway, "account")
    token = add_token(gateway, "bob")
    page = open_page("#/tokens")
    page.get_by_role("button", name="Rotate bob").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Rotate").click()
    secret = shown_secret(page)
    assert SECRET.fullmatch(secret)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert secret not in page.content()
    assert (status_of(gateway, secret), status_of(gateway, token.text)) == (200, 401)

    row = row_of(page, "bob")
    row.get_by_role("switch").click()
    expect(row).to_contain_text("Disabled")
    assert status_of(gateway, secret) == 401
    row.get_by_role("switch").click()
    expect(row).to_contain_text("Enabled")
    assert status_of(gateway, secret) == 200

    row.get_by_role("button", name="Lines to paste for bob").click()
    expect(dialog).to_contain_text("ANTHROPIC_AUTH_TOKEN=sk-gw-...")
    dialog.get_by_role("button", name="Close").click()
    row.get_by_role("button", name="Delete bob").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No access tokens yet")).to_be_visible()
    assert status_of(gateway, secret) == 401
    assert complaints == []


@pytest.mark.parametrize(
    ("locale", "names_say", "budget_says", "zone_says", "expiry_says", "models_say"),
    [
        ("en-US", "1 to 100 characters", "with a point", "name of a time zone", "in the future", "Entry 2"),
        ("zh-CN", "1 到 100 个字符", "请输入金额", "时区名称", "未来时间", "第 2 项"),
    ],
)
def test_an_objection_stands_beside_its_field(
    open_page: OpenPage,
    gateway: GatewayProcess,
    complaints: list[str],
    locale: str,
    names_say: str,
    budget_says: str,
    zone_says: str,
    expiry_says: str,
    models_say: str,
) -> None:
    """One after the other: the field to blame is marked, described and focused; hostile text is only text."""
    page = open_page("#/tokens", locale=locale)
    page.locator(".panel-head button.primary").click()
    dialog = page.get_by_role("dialog")
    submit = dialog.locator("button[type=submit]")
    for field, wrong, says, right in (
        ("name", "", names_say, HOSTILE),
        ("models", f"m\n{'n' * 301}", models_say, "m"),
        ("month_usd", "20,50", budget_says, "20.50"),
        ("time_zone", "Mars/Olympus", zone_says, "UTC"),
        ("expires_at_ms", "2020-01-01T00:00", expiry_says, "2099-01-01T00:00"),
    ):
        at = dialog.locator(f"[name={field}]")
        at.fill(wrong)
        submit.click()
        expect_blamed(at, says)
        at.fill(right)
    dialog.locator("[name=expires_at_ms]").fill("")
    dialog.locator("[name=expires_at_ms]").press("1")  # begun, and not ended: no token that never expires
    submit.click()
    expect_blamed(dialog.locator("[name=expires_at_ms]"), expiry_says)
    dialog.locator("[name=expires_at_ms]").fill("")
    submit.click()
    expect(dialog.locator(".secret")).to_be_visible()
    page.keyboard.press("Escape")
    expect(row_of(page, HOSTILE)).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert stored(gateway, HOSTILE)["expires_at_ms"] is None
    assert complaints == []


def test_a_search_stands_in_the_address(open_page: OpenPage, gateway: GatewayProcess) -> None:
    """It narrows the list, survives a reload, and goes by one button where nothing fits."""
    add_token(gateway, "alpha", note="laptop")
    add_token(gateway, "beta")
    page = open_page("#/tokens")
    expect(row_of(page, "beta")).to_be_visible()
    page.get_by_role("searchbox").fill("LAPTOP")
    expect(row_of(page, "beta")).to_have_count(0)
    page.reload()
    expect(row_of(page, "alpha")).to_be_visible()
    expect(row_of(page, "beta")).to_have_count(0)
    page.get_by_role("searchbox").fill("nobody")
    page.get_by_role("button", name="Clear the filters").click()
    expect(row_of(page, "beta")).to_be_visible()


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_the_view_is_never_wider_than_the_window(open_page: OpenPage, gateway: GatewayProcess, locale: str) -> None:
    """Not with names, notes, models, routes and amounts of any length, nor with a secret in its lines."""
    long = "long" * 20
    channel = add(gateway, long, models=[{"name": long * 3}])
    add_token(
        gateway,
        long,
        note=long * 9,
        models=[long * 3],
        routes={"mode": "allow", "channels": [channel["id"]]},
        budgets=dict.fromkeys(("total_usd", "day_usd", "month_usd"), "123456789012.123456789"),
    )
    page = open_page("#/tokens", locale=locale)
    row = row_of(page, long)
    expect(row).to_be_visible()
    expect_to_fit(page)
    dialog = page.get_by_role("dialog")
    for place in (0, 1, 2):
        row.locator(".row-actions button").nth(place).click()
        if place == 2:
            dialog.locator("button[type=submit]").click()
            expect(dialog.locator(".secret")).to_be_visible()
        expect_to_fit(page, f"the dialog of button {place}")
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
