"""Documents of mapped upstreams in a real browser in which the admin is logged in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.gateway import GatewayProcess
from tests.support.site import Serve

ATTACK = """
(async () => {
  let told = [self.origin];
  try { told.push(document.cookie) } catch (error) { told.push(error.name) }
  try {
    const sent = {method: 'POST', credentials: 'include', headers: {'Content-Type': 'application/json'},
                  body: JSON.stringify({prefix: '/stolen', target: 'https://a.example'})};
    told.push((await fetch('/api/mappings', sent)).status);
  } catch (error) { told.push(error.name) }
  try { await navigator.serviceWorker.register('/mapped/worker.js'); told.push('registered') }
  catch (error) { told.push(error.name) }
  window.parent.postMessage(told.join(' '), '*');
  document.title = told.join(' ');
})();
"""
DOCUMENT = f"<!doctype html><title>running</title><script>{ATTACK}</script>"
SVG = f'<svg xmlns="http://www.w3.org/2000/svg"><title>running</title><script><![CDATA[{ATTACK}]]></script></svg>'
XHTML = (
    '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>running</title></head>'
    f"<body><script><![CDATA[{ATTACK}]]></script></body></html>"
)
LISTEN = "heard = []; onmessage = event => heard.push(event.data)"
OPENER = "<button onclick=\"window.open('/mapped/html')\">open</button>"
HELD = "null SecurityError TypeError SecurityError"
"""An origin of its own, no cookies, no call of the admin API, no service worker."""


@pytest.fixture
def admin_page(context: BrowserContext, gateway: GatewayProcess) -> Page:
    """Of the gateway's own origin, in a browser in which the admin has logged in."""
    assert context.request.post(f"{gateway.url}/api/admin/login", data={"token": gateway.admin_token}).ok
    page = context.new_page()
    page.goto(f"{gateway.url}/robots.txt")
    assert page.evaluate("fetch('/api/mappings').then(answer => answer.status)") == 200
    return page


@pytest.fixture
def mapped(gateway: GatewayProcess, serve: Serve) -> Iterator[str]:
    frames = "".join(
        f"<{tag}></{tag.split()[0]}>"
        for tag in ("iframe src=/mapped/html", "object data=/mapped/html type=text/html", "embed src=/mapped/html")
    )
    site = serve(
        {
            "/html": ("text/html", DOCUMENT),
            "/xhtml": ("application/xhtml+xml", XHTML),
            "/svg": ("image/svg+xml", SVG),
            "/sniffed": ("", DOCUMENT),
            "/worker.js": ("text/javascript", "fetch('/api/mappings')"),
            "/frames": ("text/html", f"<title>frames</title><script>{LISTEN}</script>{frames}"),
            "/opener": ("text/html", f"<title>opener</title>{OPENER}"),
        }
    )  # fmt: skip
    gateway.map("/mapped", site.url)
    yield gateway.url + "/mapped"
    stolen = gateway.admin("GET", "/api/mappings").json()["mappings"].get("/stolen")
    gateway.admin("DELETE", "/api/mappings/stolen")
    gateway.admin("DELETE", "/api/mappings/mapped")
    assert stolen is None


@pytest.mark.parametrize("path", ["html", "xhtml", "svg", "sniffed"])
def test_a_document_of_a_mapping_cannot_act_as_the_admin(admin_page: Page, mapped: str, path: str) -> None:
    """Its script runs, and has neither the admin's cookie nor the gateway's origin."""
    admin_page.goto(f"{mapped}/{path}")
    expect(admin_page).to_have_title(HELD)


def test_nor_can_one_that_the_browser_kept(
    admin_page: Page, gateway: GatewayProcess, mapped: str, serve: Serve
) -> None:
    """An upstream that says that it has not changed, and another policy, takes no sandbox away."""
    fields = {"ETag": '"1"', "Cache-Control": "no-cache", "Content-Security-Policy": "default-src * 'unsafe-inline'"}
    site = serve({"/html": ("text/html", DOCUMENT)}, fields=fields)
    gateway.map("/mapped", site.url)
    for _ in range(3):
        admin_page.goto(f"{mapped}/html")
        expect(admin_page).to_have_title(HELD)
    assert site.asked[-1][2].get("if-none-match") == '"1"'


def test_nor_can_one_in_a_frame(admin_page: Page, mapped: str) -> None:
    """Frames, objects and embedded documents alike."""
    admin_page.goto(f"{mapped}/frames")
    admin_page.wait_for_function("heard.length === 3")
    assert admin_page.evaluate("heard") == [HELD] * 3


def test_nor_in_a_window_that_it_opens(admin_page: Page, mapped: str) -> None:
    """A popup inherits the sandbox."""
    admin_page.goto(f"{mapped}/opener")
    with admin_page.expect_popup() as opened:
        admin_page.get_by_role("button").click()
    expect(opened.value).to_have_title(HELD)


def test_a_document_that_a_fetch_left_in_the_cache_cannot_either(
    admin_page: Page, gateway: GatewayProcess, serve: Serve
) -> None:
    """What came for a fetch bears the sandbox when a navigation is shown it."""
    site = serve({"/html": ("text/html", DOCUMENT)}, fields={"Cache-Control": "max-age=600"})
    gateway.map("/kept", site.url)
    try:
        admin_page.evaluate("fetch('/kept/html').then(answer => answer.text())")
        admin_page.goto(f"{gateway.url}/kept/html")
        expect(admin_page).to_have_title(HELD)
        assert site.paths() == ["/html"]
    finally:
        assert gateway.admin("DELETE", "/api/mappings/stolen").status == 404
        gateway.admin("DELETE", "/api/mappings/kept")
