"""JavaScript modules of proxied pages in a real browser: what they import comes through the proxy, whoever names it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.gateway import ADMIN_TOKEN, GatewayProcess
from tests.support.site import Serve, Site
from tests.support.upstream import Peer, Upstream

JAVASCRIPT = "text/javascript"
MODULE = "export const url = import.meta.url;"
COLLECTOR = """
window.results = {};
const pending = [];
window.collect = (name, module) => pending.push(Promise.resolve(module).then(
  ({ url }) => { results[name] = url; }, (error) => { results[name] = String(error); }));
window.finish = () => Promise.all(pending).then(() => { document.title = 'done'; });
"""
"""`collect` notes by a name where a module came from; `finish` waits for all that was collected."""


@pytest.fixture(scope="module", params=["open", "token"])
def gateway(request: pytest.FixtureRequest, redis_url: str) -> Iterator[GatewayProcess]:
    process = GatewayProcess(redis_url, {"WEB_PROXY": request.param, "EGRESS_PORTS": "*"}).start()
    yield process
    process.stop()


@pytest.fixture
def page(context: BrowserContext, gateway: GatewayProcess) -> Iterator[Page]:
    """The admin's, who logged in as the page does. Whatever it asks for must lie behind the gateway."""
    assert context.request.post(f"{gateway.url}/api/admin/login", data={"token": ADMIN_TOKEN}).ok
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    yield page
    assert [url for url in asked if not url.startswith((f"{gateway.url}/", "blob:", "data:"))] == []


def modules(*names: str) -> dict[str, tuple[str, str]]:
    return {f"/{name}.js": (JAVASCRIPT, MODULE) for name in names}


def collected(page: Page, gateway: GatewayProcess, site: Site, html: str, head: str = "") -> dict[str, str]:
    """Where the modules came from that the page collects: the addresses behind the proxy, or errors."""
    site.pages["/collector.js"] = (JAVASCRIPT, COLLECTOR)
    head = f"<!doctype html><title>loading</title>{head}<script src={site.url}/collector.js></script>"
    site.pages["/"] = ("text/html", head + html)
    page.goto(f"{gateway.url}/proxy/{site.url}/")
    expect(page).to_have_title("done")
    results: dict[str, str] = page.evaluate("results")
    return {name: re.sub(rf"{gateway.url}/proxy/(~[\w.-]+/)?", "", url, count=1) for name, url in results.items()}


MAIN = """
import { url as fixed, deep, deeper, scoped } from 'OTHER/fixed.js';
for (const [name, url] of Object.entries({ fixed, deep, deeper, scoped })) collect(name, { url });
const other = ['OTHER', ''].join('/');
const text = `export { url } from '${other}`;
collect('computed', import(other + 'computed.js'));
collect('scheme', import(other.replace('http:', '') + 'scheme.js'));
collect('data', import(`data:text/javascript,${text}data.js'`));
collect('blob', import(URL.createObjectURL(new Blob([`${text}blob.js'`], { type: 'text/javascript' }))));
collect('bare', import('bare'));
collect('mapped', import('https://mapped.example/' + 'mapped.js'));
collect('own', import('OWN/own.js'));
collect('root', import('/root.js'));
collect('beside', import('./beside.js'));
collect('resolved', { url: import.meta.resolve('https://resolved.example/r.js') });
finish();
"""


def test_modules_come_through_the_proxy_whoever_imports_them(page: Page, gateway: GatewayProcess, serve: Serve) -> None:
    """An address that is put together, that of a script file, of another site's module, of a data: or blob: module."""
    other = serve(modules("early", "computed", "scheme", "data", "blob", "deeper", "bare", "mapped"))
    third = serve(modules("scoped"))
    site = serve(modules("own", "root", "code/beside"))
    for server, path, text in (
        (site, "/early.js", "collect('early', import(['OTHER', 'early.js'].join('/')))"),
        (site, "/code/main.js", MAIN),
        (other, "/fixed.js", f"export * from 'THIRD/deep.js'; export {{ url as scoped }} from 'scoped'; {MODULE}"),
        (third, "/deep.js", "export { url as deeper } from 'OTHER/deeper.js'; export const deep = import.meta.url"),
    ):
        text = text.replace("OTHER", other.url).replace("THIRD", third.url).replace("OWN", site.url)
        server.pages[path] = (JAVASCRIPT, text)
    own_map = {
        "imports": {"bare": f"{other.url}/bare.js", "https://mapped.example/": f"{other.url}/"},
        "scopes": {f"{other.url}/": {"scoped": f"{third.url}/scoped.js"}},
    }
    html = f"<script src=/early.js></script><script type=importmap>{json.dumps(own_map)}</script>"
    assert collected(page, gateway, site, f"{html}<script type=module src=/code/main.js></script>") == {
        **{name: f"{site.url}/{name}.js" for name in ("own", "root")},
        **{name: f"{third.url}/{name}.js" for name in ("deep", "scoped")},
        **{path.strip("/").removesuffix(".js"): f"{other.url}{path}" for path in other.pages},
        "beside": f"{site.url}/code/beside.js",
        "resolved": "https://resolved.example/r.js",
    }


COUNTER = """
delete Atomics.pause;
window.maps = 0;
new MutationObserver((changes) => changes.forEach(({ addedNodes }) => addedNodes.forEach((node) => {
  maps += node.type === 'importmap';
}))).observe(document, { childList: true, subtree: true });
"""
"""Makes the browser look like one that takes a single import map, and counts the page's."""
OWN_MAP = '<script type=importmap>{"imports": {"own": "OTHER/own.js"}}</script>'
INLINE = "<script type=module>import { url } from 'OTHER/own.js'; collect('own', { url })</script>"
DEFERRED = "<script defer src=/main.js></script>"


@pytest.mark.parametrize(
    ("html", "found"),
    [
        (f"{OWN_MAP}<script src=/own.js></script><script type=module src=/main.js></script>", {"own", "main"}),
        (f"<script>collect('own', import('OTHER/own' + '.js'))</script>{DEFERRED}", {"own", "main"}),
        (f"{INLINE}{DEFERRED}", {"own", "main"}),
        (DEFERRED, {"main"}),
    ],
)
def test_where_a_page_may_have_one_import_map_it_has_one(
    page: Page, gateway: GatewayProcess, serve: Serve, html: str, found: set[str]
) -> None:
    """Ours becomes part of the page's own, even behind a script; where there is none, it comes before the modules."""
    page.add_init_script(COUNTER)
    other = serve(modules("own", "main"))
    main = f"collect('main', import(['{other.url}', 'main.js'].join('/'))); finish()"
    site = serve({"/own.js": (JAVASCRIPT, "collect('own', import('own'))"), "/main.js": (JAVASCRIPT, main)})
    expected = {name: f"{other.url}/{name}.js" for name in found}
    assert collected(page, gateway, site, html.replace("OTHER", other.url)) == expected
    assert page.evaluate("maps") == 1


NAMELESS = "Object.defineProperty(window, 'mozInnerScreenX', { value: 0 });"
"""Makes the browser look like Firefox, which does not name the file that imports where a page has its own origin."""
ROOTED = """
import { url as fixed } from '/fixed.js';
collect('fixed', { url: fixed });
collect('computed', import(['', 'computed.js'].join('/')));
collect('beside', import('./beside.js'));
collect('loaded', import('OTHER/loaded.js'));
finish();
"""


def test_where_no_browser_names_the_importing_file_a_map_says_whose_root_is_meant(
    page: Page, gateway: GatewayProcess, serve: Serve
) -> None:
    """The page's in its own scripts, and theirs in modules of sites that its scripts come from or name."""
    page.add_init_script(NAMELESS)
    inner = {"/inner.js": (JAVASCRIPT, MODULE)}
    entry = (JAVASCRIPT, "export { url } from '/inner.js'")
    other = serve(inner | {"/loaded.js": entry, "/classic.js": (JAVASCRIPT, "")})
    third = serve(inner | {"/named.js": entry})
    site = serve(modules("inline", "fixed", "computed", "beside"))
    site.pages["/main.js"] = (JAVASCRIPT, ROOTED.replace("OTHER", other.url))
    inline = f"import {{ url }} from '{third.url}/named.js'; collect('named', {{ url }});"
    html = f"<script src={other.url}/classic.js></script>"
    html += f"<script type=module>{inline} collect('inline', import('/inline.js'))</script>"
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    assert collected(page, gateway, site, f"{html}<script type=module src=/main.js></script>") == {
        **{name: f"{site.url}/{name}.js" for name in ("inline", "fixed", "computed", "beside")},
        "loaded": f"{other.url}/inner.js",
        "named": f"{third.url}/inner.js",
    }
    own = (f"{gateway.url}/proxy/", f"{gateway.url}/static/proxied/")
    assert [url for url in asked if not url.startswith(own)] == []  # nothing is left to redirects


@pytest.mark.parametrize("looks", ["", NAMELESS])
def test_modules_of_a_host_name_with_a_port_import_their_own(
    page: Page, gateway: GatewayProcess, serve: Serve, looks: str
) -> None:
    """A map takes no `name:port` behind a scheme, so it names the page's site as a whole."""
    page.add_init_script(looks)
    resolve = "collect('beside', { url: import.meta.resolve('./m.js') }); finish()"
    html, base = f"<script type=module>{resolve}</script>", "<base href='http://name.example:8080/'>"
    assert collected(page, gateway, serve(), html, base) == {"beside": "http://name.example:8080/m.js"}


def test_an_import_map_is_mended_though_it_comes_in_pieces(page: Page, gateway: GatewayProcess, serve: Serve) -> None:
    """A browser shows scripts the beginning of one before it has the end."""
    other = serve(modules("bare"))
    begun = threading.Event()

    def in_pieces(peer: Peer) -> None:
        peer.read_request()
        peer.begin_stream("Content-Type: text/html\r\n")
        peer.send_chunk(b'<script></script><script type=importmap>{"imports":')
        assert begun.wait(10)
        module = "import { url } from 'bare'; document.title = url"
        peer.send_chunk(f'{{"bare":"{other.url}/bare.js"}}}}</script><script type=module>{module}</script>'.encode())
        peer.end_stream()

    upstream = Upstream(in_pieces)
    page.goto(f"{gateway.url}/proxy/{upstream.url}/", wait_until="commit")
    page.wait_for_function("document.querySelector('[type=importmap]')?.textContent", polling=20)
    begun.set()
    expect(page).to_have_title(re.compile(rf"{gateway.url}/proxy/(~[\w.-]+/)?{other.url}/bare.js"))
    upstream.close()


def test_a_pages_own_policy_lets_its_modules_import_what_it_allows(
    page: Page, gateway: GatewayProcess, serve: Serve
) -> None:
    """A policy that allows no inline scripts allows ours."""
    other = serve(modules("main"))
    main = f"import {{ url }} from '{other.url}/main.js'; collect('main', {{ url }}); finish()"
    site = serve({"/main.js": (JAVASCRIPT, main)}, fields={"Content-Security-Policy": f"script-src 'self' {other.url}"})
    html = "<script type=module src=/main.js></script>"
    assert collected(page, gateway, site, html) == {"main": f"{other.url}/main.js"}


def test_an_address_without_scheme_has_that_of_the_site(page: Page, gateway: GatewayProcess, serve: Serve) -> None:
    """And not the gateway's, over which it came: here a site at https, shown by a gateway at http."""
    resolve = "collect('resolved', { url: import.meta.resolve('//cdn.example/m.js') }); finish()"
    html, base = f"<script type=module>{resolve}</script>", "<base href='https://secure.example/'>"
    assert collected(page, gateway, serve(), html, base) == {"resolved": "https://cdn.example/m.js"}
