"""The Channels page in a real browser, in front of a real gateway."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.support.admin_pages import (
    OpenPage,
    add,
    expect_blamed,
    expect_to_fit,
    no_channels,
    open_page,
    row_of,
    stored,
)
from tests.support.gateway import GatewayProcess

__all__ = ["no_channels", "open_page"]


HOSTILE = "<img src=x onerror=alert(1)>"
SECRET = "sk-abcdefghijklmnop-1234"


def test_a_channel_begins_with_a_provider_and_is_served_at_once(
    open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]
) -> None:
    """Choosing a provider fills name, dialects, URLs and credential; keys and models are the operator's."""
    page = open_page()
    page.get_by_role("button", name="Add channel").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="DeepSeek", exact=True).click()
    expect(dialog.get_by_label("Name", exact=True)).to_be_focused()
    expect(dialog.get_by_role("textbox", name="Base URL 2")).to_have_value("https://api.deepseek.com/anthropic")
    dialog.get_by_role("textbox", name="Keys").fill(f"{SECRET}\nsk-second-key-of-these")
    expect(dialog.get_by_text("2 keys", exact=True)).to_be_visible()
    dialog.get_by_role("textbox", name="Models").fill("deepseek-chat\nfast -> deepseek-reasoner")
    dialog.get_by_role("button", name="Add channel").click()
    row = row_of(page, "DeepSeek")
    expect(row).to_contain_text("Enabled")
    expect(row).to_contain_text("2 of 2 active")
    channel = stored(gateway, "DeepSeek")
    assert channel["dialects"] == ["openai", "anthropic"]
    assert [url["dialects"] for url in channel["urls"]] == [["openai"], ["anthropic"]]
    assert channel["models"][1] == {"name": "fast", "upstream_name": "deepseek-reasoner"}
    assert SECRET not in page.content()
    assert complaints == []


def test_every_provider_makes_a_channel(open_page: OpenPage, gateway: GatewayProcess) -> None:
    """Nothing in the list is refused by the gateway, but for parts that are told to be the operator's own."""
    page = open_page()
    made = page.evaluate(
        """async () => {
            const { PROVIDERS } = await import('/static/js/providers.js');
            const { channelOf, formFrom, formOf } = await import('/static/js/views/channels/form.js');
            const begun = (provider) => ({ ...formFrom(provider, formOf(null)), models: '*' });
            return PROVIDERS.map((provider) => [provider, channelOf(begun(provider), {})]);
        }"""
    )
    assert len(made) >= 25
    assert len({provider["name"] for provider, _ in made}) == len(made)
    for provider, channel in made:
        reply = gateway.admin("POST", "/api/channels", channel)
        assert reply.status == 201, (provider["name"], reply.body)
        if "edit" in provider:
            assert provider["edit"] in provider["urls"][0]["url"]


@pytest.mark.parametrize(
    ("locale", "url_says", "models_say", "hours_say"),
    [
        ("en-US", "begins with https://", "Name at least one model", "08:00-23:30"),
        ("zh-CN", "以 https:// 或 http:// 开头", "至少填写一个模型", "时段的写法"),
    ],
)
def test_an_objection_stands_beside_its_field(
    open_page: OpenPage, complaints: list[str], locale: str, url_says: str, models_say: str, hours_say: str
) -> None:
    """One after the other: the field to blame is marked, described and focused, also where it is folded away."""
    page = open_page(locale=locale)
    page.locator(".panel-head button.primary").click()
    dialog = page.get_by_role("dialog")
    dialog.locator(".presets button").last.click()
    submit = dialog.locator("button[type=submit]")
    submit.click()
    expect_blamed(dialog.locator("#name"), "100")
    dialog.locator("#name").fill(HOSTILE)
    submit.click()
    expect_blamed(dialog.locator('[name="urls[0].url"]'), url_says)
    dialog.locator('[name="urls[0].url"]').fill("https://one.example")
    submit.click()
    expect_blamed(dialog.locator("textarea[name=models]"), models_say)
    dialog.locator("textarea[name=models]").fill("m\nn\nm")
    submit.click()
    expect_blamed(dialog.locator("textarea[name=models]"), "3")
    dialog.locator("textarea[name=models]").fill("m")
    dialog.locator("summary").first.click()
    dialog.locator("#hours").fill("at night")
    dialog.locator("summary").first.click()
    submit.click()
    expect_blamed(dialog.locator("#hours"), hours_say)
    dialog.locator("#hours").fill("")
    submit.click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_text(HOSTILE, exact=True).first).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert complaints == []


def test_an_edit_sends_only_what_was_touched(open_page: OpenPage, gateway: GatewayProcess) -> None:
    """What somebody else changed while the dialog was open stays."""
    channel = add(
        gateway,
        "edited",
        note="old",
        body_rules=[{"action": "set", "path": "a.b", "value": "7"}, {"action": "set", "path": "c", "value": [1]}],
        options={"idle_timeout": 20},
    )
    page = open_page()
    page.get_by_role("button", name="Edit edited").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator('[name="body_rules[0].value"]')).to_have_value('"7"')
    gateway.admin("PUT", f"/api/channels/{channel['id']}", {"priority": 33})
    dialog.locator("#note").fill("new")
    dialog.get_by_role("button", name="Save").click()
    row = row_of(page, "edited")
    expect(row).to_contain_text("new")
    expect(row).to_contain_text("33")
    now = stored(gateway, "edited")
    assert (now["note"], now["priority"]) == ("new", 33)
    for name in ("urls", "models", "body_rules", "options", "header_rules"):
        assert now[name] == channel[name]


def test_what_a_channel_may_cost_is_said_in_its_form(open_page: OpenPage, gateway: GatewayProcess) -> None:
    """As text, for a float would change it; an empty field is no limit, and the list price."""
    add(gateway, "costly", cost_per_day_usd="7.50")
    page = open_page()
    page.get_by_role("button", name="Edit costly").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Limits and hours").click()
    expect(dialog.get_by_label("Cost a day, USD")).to_have_value("7.50")
    dialog.get_by_label("Cost a day, USD").fill("")
    dialog.get_by_label("Cost multiplier").fill("0,8")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("A decimal number such as 0.8")).to_be_visible()
    dialog.get_by_label("Cost multiplier").fill("0.8")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    now = stored(gateway, "costly")
    assert (now["cost_per_day_usd"], now["cost_multiplier"]) == ("0", "0.8")


def test_filters_stand_in_the_address(open_page: OpenPage, gateway: GatewayProcess) -> None:
    """They narrow the list, survive a reload, and go by one button where nothing fits."""
    add(gateway, "alpha", models=[{"name": "gpt-5"}])
    add(gateway, "beta", dialects=["anthropic"], enabled=False)
    page = open_page()
    expect(row_of(page, "alpha")).to_be_visible()
    page.get_by_label("Dialect").select_option("Anthropic")
    expect(row_of(page, "alpha")).to_have_count(0)
    expect(row_of(page, "beta")).to_contain_text("Disabled")
    page.reload()
    expect(row_of(page, "beta")).to_be_visible()
    expect(row_of(page, "alpha")).to_have_count(0)
    assert page.url.endswith("#/channels?dialect=anthropic")
    page.get_by_label("State").select_option("Enabled")
    expect(page.get_by_text("No channel fits these filters.")).to_be_visible()
    page.get_by_role("button", name="Clear the filters").click()
    expect(row_of(page, "alpha")).to_be_visible()
    page.get_by_role("searchbox", name="Serves model").fill("gpt-5")
    expect(row_of(page, "beta")).to_have_count(0)
    expect(row_of(page, "alpha")).to_be_visible()


def test_a_rest_counts_down_and_ends_by_a_button(
    open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]
) -> None:
    """The row says how long, and the switch beside it takes the channel out and in."""
    channel = add(gateway, "tired", keys=[SECRET])
    gateway.admin("POST", f"/api/channels/{channel['id']}/cooldown", {"seconds": 600})
    page = open_page()
    row = row_of(page, "tired")
    expect(row.locator("time")).to_have_text(re.compile(r"^9:5\d$"))
    first = row.locator("time").inner_text()
    expect(row.locator("time")).not_to_have_text(first)
    row.get_by_role("button", name="End all rests of tired").click()
    expect(row).to_contain_text("Enabled")
    expect(row.locator("time")).to_have_count(0)
    row.get_by_role("switch").click()
    expect(row).to_contain_text("Disabled")
    assert stored(gateway, "tired")["enabled"] is False
    assert complaints == []


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_no_view_is_wider_than_the_window(open_page: OpenPage, gateway: GatewayProcess, locale: str) -> None:
    """Not with names, addresses, notes and models of any length."""
    long = "long" * 20
    url = f"https://{'a' * 60}.example/{long}"
    channel = add(
        gateway,
        long,
        urls=[{"url": url}],
        models=[{"name": long * 3}],
        note=long * 9,
        keys=[f"sk-{n:030}" for n in range(2)],
    )
    page = open_page(locale=locale)
    for view in ("#/channels", f"#/channels/{channel['id']}/keys", "#/channels/explain"):
        page.goto(f"/admin{view}")
        page.locator("main h1").wait_for()
        expect(page.get_by_text(long).first if "explain" not in view else page.locator("#path")).to_be_visible()
        expect_to_fit(page, view)
    page.goto("/admin#/channels")
    page.locator("tbody .row-actions button").nth(1).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("#name")).to_have_value(long)
    for summary in dialog.locator("summary").all():
        summary.click()
    expect_to_fit(page, "the form")
