"""The page of a path that nothing serves, in a real browser."""

from __future__ import annotations

from playwright.sync_api import Browser, BrowserContext, expect

from tests.support.gateway import GatewayProcess


def test_the_page_says_what_was_meant_in_the_persons_language(browser: Browser, gateway: GatewayProcess) -> None:
    """Chinese browsers read Chinese; the policy has nothing to object to."""
    for locale, said in [("en-US", "No mapping serves this path"), ("zh-CN", "没有映射对应此路径")]:
        context = browser.new_context(locale=locale)
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error, told=complaints: told.append(str(error)))  # type: ignore[misc]
        page.on("console", lambda message, told=complaints: told.append(message.text))  # type: ignore[misc]
        response = page.goto(f"{gateway.url}/opnai/v1/<img src=x onerror=alert(1)>")
        assert response is not None
        assert response.status == 404
        expect(page.get_by_role("heading", level=1)).to_have_text(said)
        expect(page.locator(".asked code")).to_have_text("/opnai/v1/<img src=x onerror=alert(1)>")
        link = page.locator(".meant a")
        assert (link.get_attribute("href") or "").startswith("/openai/v1/")
        expect(page.locator(".prefixes code", has_text="/claude")).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        context.close()
        assert [told for told in complaints if "status of 404" not in told] == []


def test_the_page_reads_well_without_scripts(browser: Browser, gateway: GatewayProcess) -> None:
    """What was asked, what was meant and the list are in the page itself."""
    context: BrowserContext = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{gateway.url}/v1/messages")
    expect(page.locator("#suggestion a")).to_have_attribute("href", "/claude/v1/messages")
    expect(page.locator("#prefixes code", has_text="/claude")).to_have_count(1)
    context.close()
