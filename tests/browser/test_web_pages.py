"""Proxied pages in a real browser: scripts, real documentation, and a hostile page."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from html import escape
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Error, Page, expect

from tests.support.gateway import ADMIN_TOKEN, GatewayProcess
from tests.support.site import Serve
from tests.support.waiting import wait_until

PAGES = Path(__file__).parent / "pages"


@pytest.fixture(scope="module")
def gateway(redis_url: str) -> Iterator[GatewayProcess]:
    process = GatewayProcess(redis_url, {"WEB_PROXY": "open", "EGRESS_PORTS": "*"}).start()
    yield process
    process.stop()


def page_of(context: BrowserContext) -> tuple[Page, list[str]]:
    """A page, and the addresses that it asks for."""
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    return page, asked


SCRIPTED = (PAGES / "scripted.html").read_text()


def test_what_scripts_address_goes_through_the_proxy(
    context: BrowserContext, gateway: GatewayProcess, serve: Serve
) -> None:
    """fetch, XMLHttpRequest, EventSource, history, import(), workers, and elements made by scripts: none goes past."""
    shared = {
        "/data.json": ("application/json", '{"ok":1}'),
        "/dot.svg": ("image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>'),
        "/module.js": ("text/javascript", "import '/deep.js'; export const name = 'module';"),
        "/deep.js": ("text/javascript", "export {};"),
    }
    other = serve(
        shared
        | {
            "/module.js": ("text/javascript", "import '/deeper.js'; export const name = 'module';"),
            "/deeper.js": ("text/javascript", "export {};"),
            "/second.js": ("text/javascript", "export const name = 'second';"),
        }
    )
    site = serve(
        shared
        | {
            "/app/": ("text/html", SCRIPTED.replace("OTHER", other.url)),
            "/app/data.json": ("application/json", '{"ok":1}'),
            "/events": ("text/event-stream", "data: event\n\n"),
            "/style.css": ("text/css", "body { background: url(/dot.svg?css) }"),
            "/classic.js": ("text/javascript", "window.classic = 'classic'"),
            "/module-worker.js": ("text/javascript", "import './part.js'; postMessage('module worker')"),
            "/part.js": ("text/javascript", "export {};"),
            "/worker.js": ("text/javascript", "fetch('/').catch(() => 0); postMessage('worker')"),
        }
    )
    page, asked = page_of(context)
    page.goto(f"{gateway.url}/proxy/{site.url}/app/")
    expect(page).to_have_title("ready")
    results = page.evaluate("results")
    data = '{"ok":1}'
    assert results == {
        **dict.fromkeys(
            ["fetch", "fetch request", "fetch other", "fetch own origin", "fetch relative", "put", "xhr"], data
        ),
        "events": "event",
        "image": "ok",
        "attribute": "ok",
        "markup": f"{gateway.url}/proxy/{other.url}/x",
        "script": "classic",
        "import": "module",
        "import other": "second",
        "worker": "worker",
        "module worker": "module worker",
        "cookie": "a=1",
        "storage": "122",
        "history": f"/proxy/{site.url}/pushed",
        "worker service": "SecurityError",
    }
    page.wait_for_function("window.imported === 'module'")
    assert [url for url in asked if not re.match(rf"{gateway.url}/|blob:|data:", url)] == []
    wait_until(lambda: "/dot.svg?css" in site.paths(), "the stylesheet's picture is asked for")
    assert other.paths().count("/deeper.js") == site.paths().count("/deep.js") == 1
    page.locator("#link").click()
    assert page.url == f"{gateway.url}/proxy/{site.url}/linked"


def test_sprites_and_tracks_show(context: BrowserContext, gateway: GatewayProcess, serve: Serve) -> None:
    """Browsers want them of the page's origin, which no address is: ours mends it, once for each file."""
    sprite = '<svg xmlns="http://www.w3.org/2000/svg"><symbol id="s"><rect width="10" height="10"/></symbol></svg>'
    site = serve(
        {
            "/": (
                "text/html",
                "<!doctype html><script>0</script>"
                '<svg><use href="/sprite.svg#s" /></svg><svg><use xlink:href="sprite.svg#s" /></svg>'
                '<svg id="own"><rect id="r" width="5" height="5" /><use href="#r" /></svg>'
                '<video><track default src="/t.vtt"></video><div id="later"></div>',
            ),
            "/sprite.svg": ("image/svg+xml", sprite),
            "/t.vtt": ("text/vtt", "WEBVTT\n\n00:00.000 --> 00:05.000\nhello\n"),
        }
    )
    page, asked = page_of(context)
    page.goto(f"{gateway.url}/proxy/{site.url}/")
    page.evaluate("""later.innerHTML = '<svg><use href="/sprite.svg#s" /></svg>'""")
    page.wait_for_function("[...document.querySelectorAll('use')].every((use) => use.getBBox().width > 0)")
    page.wait_for_function("document.querySelector('track').track.cues?.length === 1")
    assert page.locator("#own use").get_attribute("href") == "#r"
    assert [url for url in asked if not re.match(rf"{gateway.url}/|blob:", url)] == []


def test_forms_frames_and_redirects_stay_inside(context: BrowserContext, gateway: GatewayProcess, serve: Serve) -> None:
    """A form is sent to its site, a framed page of another site shows, and none of it needs our script."""
    other = serve({"/framed": ("text/html", "<p>framed")}, fields={"X-Frame-Options": "DENY"})
    site = serve(
        {
            "/": ("text/html", f'<form action=/found method=get><input name=q value="ä"><button>go</button></form>'
                               f'<iframe src="{other.url}/framed"></iframe>'),
            "/found": ("text/html", "<p>found"),
        }
    )  # fmt: skip
    page, asked = page_of(context)
    page.goto(f"{gateway.url}/proxy/{site.url}")
    assert page.url == f"{gateway.url}/proxy/{site.url}/"
    expect(page.frame_locator("iframe").get_by_text("framed")).to_be_visible()
    page.get_by_role("button").click()
    expect(page.get_by_text("found")).to_be_visible()
    assert page.url.startswith(f"{gateway.url}/proxy/{site.url}/found?q=")
    assert all(url.startswith(gateway.url) for url in asked)
    assert not any("script.js" in url for url in asked)


def test_a_page_that_was_kept_works_when_it_has_not_changed(
    context: BrowserContext, gateway: GatewayProcess, serve: Serve
) -> None:
    """After a 304 the page's scripts still bear the nonces that its policy names, ours among them."""
    policy = {"Content-Security-Policy": "script-src 'nonce-n'", "ETag": '"1"', "Cache-Control": "no-cache"}
    native = "<script nonce=n>document.title = String(fetch).includes('native code') ? 'bare' : 'ours'</script>"
    site = serve({"/": ("text/html", f"<title>none</title>{native}")}, fields=policy)
    page, _ = page_of(context)
    for _ in range(2):
        page.goto(f"{gateway.url}/proxy/{site.url}/")
        expect(page).to_have_title("ours")
    assert site.asked[-1][2].get("if-none-match") == 'W/"1"'


def test_a_password_is_sent_to_its_own_site_only(
    context: BrowserContext, gateway: GatewayProcess, serve: Serve
) -> None:
    """A site that asks for a password under another one's realm does not get it unasked."""
    pages = {"/": ("text/html", "")}
    site = serve(pages, fields={"WWW-Authenticate": 'Basic realm="members"'})
    thief = serve(pages, fields={"WWW-Authenticate": f'Basic realm="x", realm="{site.url} members"'})
    page, _ = page_of(context)
    for server, login in ((site, "ann:secret@"), (thief, "")):
        with suppress(Error):  # nobody there to type a password: chromium gives up
            page.goto(f"{gateway.url}/proxy/{server.url}/".replace("://", f"://{login}", 1))
    assert any("authorization" in fields for _, _, fields, _ in site.asked)
    assert thief.asked
    assert not any("authorization" in fields for _, _, fields, _ in thief.asked)


HOSTILE = (PAGES / "hostile.js").read_text()
"""Runs in an event handler: on a page without <script>, where nothing of ours stands before it."""


def test_a_hostile_page_cannot_administer_the_gateway(
    context: BrowserContext, gateway: GatewayProcess, serve: Serve
) -> None:
    """With the admin logged in beside it, it reads no session, calls no admin API and goes nowhere else."""
    other = serve({"/past.svg": ("image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg"/>')})
    site = serve({"/sw.js": ("text/javascript", "")})
    code = escape(HOSTILE.replace("OTHER", other.url))
    site.pages["/"] = ("text/html", f'<!doctype html><title>hostile</title><body onload="{code}">')
    admin = context.new_page()
    admin.goto(f"{gateway.url}/admin")
    admin.locator("input[name=token]").fill(ADMIN_TOKEN)
    admin.locator("button[type=submit]").click()
    expect(admin.get_by_role("button", name="Add mapping")).to_be_visible()
    assert {cookie["name"] for cookie in context.cookies([f"{gateway.url}/api/x"])} >= {"api_proxy_admin"}

    page, _ = page_of(context)
    page.goto(f"{gateway.url}/proxy/{site.url}/")
    expect(page).to_have_title("done", timeout=15_000)
    results = page.evaluate("results")
    assert results.pop("fetch") is True
    assert results.pop("origin") == "null"
    assert results.pop("blind") == "sent"  # as any page of the web may send it, but as a stranger
    assert results.pop("beacon") in ("sent", "refused")  # the browser says so before it asks the policy
    assert set(results.values()) == {"refused"}, results
    assert other.asked == []
    assert all("cookie" not in sent for _, _, sent, _ in site.asked)
    assert "/evil" not in gateway.admin("GET", "/api/mappings").json()["mappings"]
    admin.reload()
    expect(admin.get_by_role("button", name="Add mapping")).to_be_visible()  # still logged in


def test_another_site_cannot_open_pages_with_the_admins_login(
    context: BrowserContext, start_gateway: Callable[..., GatewayProcess], serve: Serve
) -> None:
    """It could open itself, and its scripts would read what the gateway alone may reach. The admin says yes first."""
    gateway = start_gateway(WEB_PROXY="token", EGRESS_PORTS="*")
    inside = serve({"/secret": ("text/plain", "secret")})
    code = f"fetch('{inside.url}/secret').then((reply) => reply.text()).then((text) => {{ document.title = text; }})"
    site = serve({"/attack": ("text/html", f"<title>attack</title><script>{code}</script>")})
    attack = f"{gateway.url}/proxy/{site.url}/attack"
    foreign = serve({"/": ("text/html", f"<script>location = '{attack}'</script>")})
    page, _ = page_of(context)
    page.goto(f"{gateway.url}/admin")
    page.locator("input[name=token]").fill(ADMIN_TOKEN)
    page.locator("button[type=submit]").click()
    expect(page.get_by_role("button", name="Add mapping")).to_be_visible()
    page.goto(foreign.url.replace("127.0.0.1", "localhost"))
    page.wait_for_url(attack)
    expect(page.get_by_role("alert")).to_contain_text("login_required")
    assert site.asked == inside.asked == []
    page.get_by_role("button", name="Open").click()  # as typing the address would
    expect(page).to_have_title("secret")
    assert "/proxy/~" in page.url


def test_a_framed_page_cannot_leave_its_frame(context: BrowserContext, gateway: GatewayProcess, serve: Serve) -> None:
    """It neither navigates nor reads the page around it, and cannot shed the sandbox in a window of its own."""
    framed = serve(
        {
            "/": ("text/html", "<script>let said=[];"
                  "try { parent.document.title; said.push('read') } catch { said.push('no') }"
                  "try { top.location.href = 'about:blank#gone'; said.push('moved') } catch { said.push('no') }"
                  "document.title='x'; document.write(said.join())</script>")
        }
    )  # fmt: skip
    site = serve({"/": ("text/html", f'<title>outer</title><p>outer<iframe src="{framed.url}/"></iframe>')})
    page, _ = page_of(context)
    page.goto(f"{gateway.url}/proxy/{site.url}/")
    expect(page.frame_locator("iframe").get_by_text("no,no")).to_be_visible()
    assert page.url == f"{gateway.url}/proxy/{site.url}/"


def picture(page: Page) -> bytes:
    return page.screenshot(animations="disabled")


DOCUMENTATION = {
    "python3-doc/html": ["index.html", "library/re.html", "genindex-A.html"],
    "apache2-doc/manual": ["en/index.html", "en/mod/core.html", "ja/index.html"],
    "postgresql-doc-*/html": ["index.html", "sql-select.html", "bookindex.html"],
}
"""Pages that nobody wrote for us: Debian's python3-doc, apache2-doc and postgresql-doc."""


@pytest.mark.parametrize("folder", DOCUMENTATION)
def test_real_pages_look_and_load_the_same(
    context: BrowserContext, gateway: GatewayProcess, serve: Serve, folder: str
) -> None:
    """Through the proxy the same resources are fetched as directly, none goes past it, and the pictures agree."""
    found = next(Path("/usr/share/doc").glob(folder), None)
    if found is None:
        message = f"{folder} is not there: apt-get install python3-doc apache2-doc postgresql-doc"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    site = serve(folder=found)
    ways = ("", f"{gateway.url}/proxy/")
    opened = {(name, way): page_of(context) for name in DOCUMENTATION[folder] for way in ways}
    for (name, way), (page, _) in opened.items():
        page.goto(f"{way}{site.url}/{name}", wait_until="commit")

    def loads(name: str, way: str) -> set[str]:
        asked = opened[name, way][1]
        return {url.removeprefix(way) for url in asked if "/static/proxied/" not in url and "favicon" not in url}

    def load_the_same(name: str) -> bool:
        for page in (opened[name, way][0] for way in ways):
            page.wait_for_load_state("networkidle")
            page.evaluate("0")  # takes in what the browser has told meanwhile
        return loads(name, "") == loads(name, ways[1])

    def look_the_same(direct: Page, proxied: Page, tries: Iterator[int]) -> bool:
        if picture(direct) == picture(proxied):
            return True
        if next(tries) % 25 == 0:  # now and then the browser leaves a page half drawn, whichever way it came
            direct.reload()
            proxied.reload()
        return False

    for name in DOCUMENTATION[folder]:
        wait_until(partial(load_the_same, name), f"all of {name} is loaded, both ways")
        direct, proxied = (opened[name, way][0] for way in ways)
        for _ in range(2):  # a page that has all it needs may still have something to draw
            wait_until(partial(look_the_same, direct, proxied, count(1)), f"the pictures of {name} agree", 40, 0.1)
    for (name, way), (_, asked) in opened.items():
        assert loads(name, way) == loads(name, "")
        assert [url for url in asked if not url.startswith((way or site.url, gateway.url, "data:"))] == []
