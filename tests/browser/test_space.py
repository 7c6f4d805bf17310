"""The page of a Hugging Face Space in a real browser: the gateway stands at another site, in a frame."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, FrameLocator, Page, Route, expect

from tests.support.gateway import GatewayProcess

SPACE = "https://huggingface.co/spaces/someone/gateway"
GATEWAY = "https://someone-gateway.hf.space"
SANDBOX = "allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox allow-same-origin allow-scripts"


@pytest.fixture(scope="module")
def space(redis_url: str) -> Iterator[GatewayProcess]:
    gateway = GatewayProcess(redis_url, {"SPACE_ID": "someone/gateway"}).start()
    yield gateway
    gateway.stop()


@pytest.fixture
def named(context: BrowserContext, space: GatewayProcess) -> Iterator[BrowserContext]:
    """A browser that reaches the gateway by the name that it has in a Space."""

    def ask(route: Route) -> None:
        url = route.request.url.replace(GATEWAY, space.url)
        route.fulfill(response=route.fetch(url=url, headers=route.request.all_headers()))

    context.route(f"{GATEWAY}/**", ask)
    yield context
    context.unroute_all(behavior="ignoreErrors")  # what is still asked for, nobody waits for


def framed(context: BrowserContext, site: str, path: str) -> tuple[Page, FrameLocator]:
    """A page of the site that shows this path of the gateway in a frame."""
    body = f'<iframe src="{GATEWAY}{path}" sandbox="{SANDBOX}" width=900 height=700></iframe>'
    context.route(site, lambda route: route.fulfill(body=body, content_type="text/html"))
    page = context.new_page()
    page.goto(site)
    return page, page.frame_locator("iframe")


def test_the_dashboard_shows_in_the_frame_and_the_admin_in_a_tab(named: BrowserContext, space: GatewayProcess) -> None:
    """In that tab the login's cookie counts."""
    _, frame = framed(named, SPACE, "/")
    with named.expect_page() as opened:
        frame.get_by_role("link", name="Admin").first.click()
    admin = opened.value
    admin.wait_for_url(f"{GATEWAY}/admin")
    admin.locator("input[name=token]").fill(space.admin_token)
    admin.locator("button[type=submit]").click()
    expect(admin.get_by_role("button", name="Delete", exact=False).first).to_be_visible()


def test_an_address_typed_in_the_frame_opens_a_tab(named: BrowserContext) -> None:
    """There the login's cookie counts, where web pages are for the admin."""
    _, frame = framed(named, SPACE, "/proxy/")
    frame.locator("input[name=url]").fill("https://a.example/")
    with named.expect_page() as opened:
        frame.get_by_role("button", name="Open").click()
    opened.value.wait_for_url(f"{GATEWAY}/proxy/?url=*")


@pytest.mark.parametrize(("site", "path"), [("https://huggingface.co.evil.example/", "/"), (SPACE, "/admin")])
def test_no_other_site_frames_it_and_none_the_admin(named: BrowserContext, site: str, path: str) -> None:
    """The browser shows an error in the frame's place."""
    said: list[str] = []
    named.on("console", lambda message: said.append(message.text))
    page, _ = framed(named, site, path)
    page.wait_for_function("document.readyState === 'complete'")
    assert any("frame-ancestors" in text for text in said), said
    assert "admin.js" not in page.frames[1].content()
    assert "dashboard.js" not in page.frames[1].content()
