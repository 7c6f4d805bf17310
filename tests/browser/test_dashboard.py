"""The dashboard over figures as the worker makes them: what it shows, how it is narrowed, what its address keeps."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from app.core.failures import Failure
from app.core.judging.outcome import Outcome
from app.core.statistics.events import RequestEvent
from app.storage.connections import open_redis
from tests.support.envelopes import send_events
from tests.support.gateway import ROOT, GatewayProcess
from tests.support.log_rows import mapped
from tests.support.upstream import Upstream
from worker.roll_up import RollUp

MINUTE_MS = 60_000
QUIET, GOOD, BAD = "/quiet-one", "/good-one", "/bad-one"
WEIGHT_BYTES = 150_000
"""All that the page loads beside its figures, as it is served."""
MOST_FILES = 48


def ended(ago_min: int, endpoint: str, status: int = 200, code: str = "", **more: float | str) -> RequestEvent:
    """A call that ended so many minutes ago."""
    at_ms = time.time_ns() // 1_000_000 - ago_min * MINUTE_MS
    request_id = f"{endpoint[1:]}-{status}-{ago_min}"
    return mapped(request_id, ended_at_ms=at_ms, endpoint=endpoint, status=status, error_code=code)._replace(**more)  # type: ignore[arg-type]


CALLS = (
    *(ended(minute, GOOD, duration_ms=100.0) for minute in range(30)),
    *(ended(minute, BAD, duration_ms=2_000.0) for minute in range(2)),
    *(ended(minute, BAD, 429) for minute in range(4)),
    ended(1, BAD, 502, "upstream_unreachable"),
    ended(2, BAD, 504, "first_byte_timeout"),
    ended(3, BAD, 499, "client_gone"),
)


@pytest.fixture(scope="module")
def worker(gateway_session: GatewayProcess, redis_url: str) -> Iterator[RollUp]:
    """Has counted the calls."""
    for endpoint in (QUIET, GOOD, BAD):
        gateway_session.map(endpoint, "http://127.0.0.1:9")
    with open_redis(redis_url) as client:
        send_events(client, "dashboard", time.time_ns(), CALLS)
        yield RollUp(client)
    for endpoint in (QUIET, GOOD, BAD):
        gateway_session.admin("DELETE", f"/api/mappings{endpoint}")


@pytest.fixture(scope="module")
def opened(browser: Browser, gateway_session: GatewayProcess) -> Iterator[Page]:
    """One page for all of these."""
    context = browser.new_context(base_url=gateway_session.url, locale="en-US", viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.add_init_script("window.complaints = []; addEventListener('error', (e) => complaints.push(e.message));")
    yield page
    context.close()


@pytest.fixture
def page(opened: Page, worker: RollUp) -> Iterator[Page]:
    worker.run(time.time_ns() // 1_000_000)
    opened.goto("/#/")
    opened.reload()
    expect(opened.locator(".endpoints")).to_be_visible()
    yield opened
    assert opened.evaluate("window.complaints") == []


def narrow_to(page: Page, endpoint: str) -> None:
    page.get_by_role("button", name=endpoint, exact=True).click()
    expect(page.locator(".traffic h2 small")).to_have_text(endpoint)


def figure(page: Page, label: str) -> str:
    return page.locator(".tile").filter(has_text=label).locator(".figure").inner_text()


def test_a_row_narrows_the_page_and_the_address_keeps_it(page: Page) -> None:
    """Figures, chart and problems are of that endpoint alone, after a reload, too, until it is taken away."""
    narrow_to(page, BAD)
    assert "endpoint=%2Fbad-one" in page.url
    page.reload()
    expect(page.locator(".traffic h2 small")).to_have_text(BAD)
    assert figure(page, "Requests") == "9"
    assert figure(page, "Error rate") == "66.7 %"
    told = page.locator(".legend button").all_inner_texts()
    assert [re.sub(r"\s+", " ", one).strip() for one in told] == [
        "Went well 2", "Caller left 1", "429 4", "5xx 1", "Timeout 1",
    ]  # fmt: skip
    expect(page.locator(".problems tbody tr")).to_have_count(6)
    page.locator(".chip").click()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.locator(".traffic h2 small")).to_have_text("all endpoints")
    assert "endpoint" not in page.url


def test_the_span_and_what_the_chart_shows_stand_in_the_address(page: Page) -> None:
    """Whoever opens it anew sees the same; the usual is not said."""
    narrow_to(page, GOOD)
    page.get_by_role("button", name="1 h", exact=True).click()
    page.get_by_role("button", name="Latency").click()
    expect(page.locator(".tile").first).to_contain_text("last hour")
    page.reload()
    expect(page.get_by_role("button", name="1 h", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".tile").first).to_contain_text("last hour")
    assert figure(page, "p95") == page.locator(".legend button").first.locator("b").inner_text()
    page.get_by_role("button", name="24 h", exact=True).click()
    page.get_by_role("button", name="Requests", exact=True).first.click()
    assert page.url.endswith("#/?endpoint=%2Fgood-one")


def test_the_table_is_sorted_by_any_column(page: Page) -> None:
    """The greatest on top, at a second press the smallest; it is told to those who hear the table."""
    rows = page.locator(".figures-table tbody tr").filter(has_text=re.compile("good-one|bad-one"))
    for presses, first, direction in ((1, BAD, "descending"), (2, GOOD, "ascending")):
        page.get_by_role("columnheader", name="Errors").get_by_role("button").click()
        expect(rows.first).to_contain_text(first)
        expect(page.get_by_role("columnheader", name="Errors")).to_have_attribute("aria-sort", direction)
        assert page.url.endswith("sort=errors" if presses == 1 else "sort=-errors")
    expect(page.locator("[aria-sort]")).to_have_count(1)


def test_a_row_says_how_its_endpoint_does(page: Page) -> None:
    """By shape and words, not by colour alone: state, health, figures; who was not called is folded away."""
    row = page.get_by_role("row").filter(has_text=BAD)
    expect(row.get_by_role("img", name="half of the calls failed")).to_be_visible()
    expect(row.get_by_role("img", name=re.compile("parts? with calls"))).to_be_visible()
    row.locator(".health-cells").hover()
    part = re.compile(r"\d\d:\d\d: \d+ requests?, \d+ errors?")
    expect(row.locator("td.wide").first).to_have_attribute("title", part)
    expect(row.locator("td[data-label=Errors]")).to_have_text("6 66.7 %")
    expect(page.get_by_role("row").filter(has_text=QUIET)).to_have_count(0)
    quiet = page.locator(".quiet")
    quiet.locator("summary").click()
    expect(quiet.get_by_role("button", name=QUIET, exact=True)).to_be_visible()


def test_problems_say_what_to_do_in_the_readers_language(page: Page) -> None:
    """Time, endpoint, status, code, what to do, and the id to look for; all by keyboard."""
    narrow_to(page, BAD)
    row = page.locator(".problems tbody tr").filter(has_text="upstream_unreachable")
    expect(row).to_contain_text("502")
    expect(row).to_contain_text("There is no connection: nobody answers, ")
    expect(row.get_by_role("button", name="Copy the request id bad-one-502-1")).to_be_visible()
    page.locator("#language").click()
    expect(row).to_contain_text("未能建立连接：无人应答")
    page.locator("#language").click()


def test_a_series_is_taken_out_of_the_chart(page: Page) -> None:
    """Its colour goes from the chart, its number stays in the legend."""
    narrow_to(page, BAD)
    series = page.get_by_role("button", name="Went well 2")
    series.click()
    expect(series).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".chart .fill.tint-ok")).to_have_count(0)
    expect(page.locator(".chart .fill")).to_have_count(4)


def test_calls_that_go_on_are_counted_in_their_tile(page: Page, gateway_session: GatewayProcess) -> None:
    """And the peak that it tells is never below what it counts."""
    upstream = Upstream(lambda peer: peer.read_request() and peer.wait_closed())
    gateway_session.map(GOOD, upstream.url)
    tile = page.locator(".tile").filter(has_text="In flight")
    with gateway_session.connect() as one, gateway_session.connect() as other:
        for sock in (one, other):
            sock.sendall(f"GET {GOOD}/x HTTP/1.1\r\nHost: g\r\n\r\n".encode())
        expect(tile.locator(".figure")).to_have_text("2")
        expect(tile.locator(".change")).to_contain_text("at most 2")
    expect(tile.locator(".figure")).to_have_text("0")
    upstream.close()


def test_asking_again_changes_nothing_that_did_not_change(page: Page) -> None:
    """No element comes, goes or is touched by an answer that says the same, so nothing flickers."""
    page.evaluate(
        """() => {
            window.changes = [];
            const told = (records) => changes.push(...records.map(({ target, type }) => `${type} ${target.nodeName}`));
            const all = { subtree: true, childList: true, attributes: true };
            new MutationObserver(told).observe(document.querySelector('main'), all);
        }"""
    )
    with page.expect_response("**/stats/24h"):
        page.get_by_role("button", name="Refresh").click()
    page.evaluate("new Promise(requestAnimationFrame)")
    assert page.evaluate("window.changes") == []


def test_the_page_fits_any_screen_with_figures_in_it(page: Page) -> None:
    """Nothing is wider than the window, in either language and theme."""
    for width in (360, 820, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        for _ in range(2):
            page.locator("#language").click()
            assert page.evaluate("document.documentElement.scrollWidth") <= width, width


def test_the_page_is_light(page: Page) -> None:
    """Everything that it loads, uncompressed."""
    loaded = page.evaluate("performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname)")
    of_pages = {re.sub(r"^/static/(~\w+/)?", "", path) for path in loaded if path.startswith("/static/")}
    files = [ROOT / "admin_ui" / path for path in of_pages]
    assert 20 < len(files) < MOST_FILES
    assert sum(file.stat().st_size for file in files) < WEIGHT_BYTES


@pytest.mark.parametrize("code", sorted({failure.code for failure in Failure}))
def test_every_failure_of_an_upstream_has_advice(code: str) -> None:
    """In both languages."""
    assert re.search(rf"^  do_{code}: \['.+', '.*[\u4e00-\u9fff].*'\],$", advice(), re.MULTILINE)


def test_every_code_that_ends_a_call_has_advice() -> None:
    """Codes stand in the sources where errors are raised; what only the admin's or a page's reader meets has no row."""
    sources = "".join(path.read_text() for path in (ROOT / "app" / "proxy").rglob("*.py"))
    raised = set(re.findall(r"(?:ApiError|Busy|ClientFault|OperatorFault)\(\s*\d+, \"(\w+)\"", sources))
    assert len(raised) > 10
    assert {code for code in raised - {"bad_request"} if f"  do_{code}: " not in advice()} == set()


@pytest.mark.parametrize("outcome", [*Outcome])
def test_every_outcome_has_advice_by_its_name_or_its_status(outcome: Outcome) -> None:
    """Those without a row of their own are told better by their status, of which each class has one."""
    by_status = {"ok", "server_error", "try_again", "bad_request", "refused_key", "client_gone", "refused", "ended",
                 "answered_here", "interrupted"}  # fmt: skip
    assert outcome.value in by_status or f"  do_{outcome.value}: " in advice()
    assert "  do_4xx: " in advice()
    assert "  do_5xx: " in advice()


def advice() -> str:
    return (ROOT / "admin_ui" / "js" / "words" / "problems.js").read_text()
