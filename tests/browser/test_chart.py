"""The dashboard's chart: what its bars look like, and how a bar is read with mouse, finger and keys."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.support.gateway import GatewayProcess

HOUR_MS = 3_600_000
POINTS = 96
OpenChart = Callable[..., Page]

HEIGHTS = """
async ([requests, errors, highest]) => {
    const { barHeights } = await import('/static/js/components/bars.js');
    return barHeights(requests, errors, highest, 200);
}
"""


def figures(calls: dict[int, tuple[int, int]]) -> dict[str, Any]:
    """What a window says of all endpoints when these points (requests, errors) had calls."""
    series = {
        "requests": [calls.get(at, (0, 0))[0] for at in range(POINTS)],
        "errors": [calls.get(at, (0, 0))[1] for at in range(POINTS)],
    }
    times = {"avg": 120, "p50": 100, "p95": 200, "p99": 300}
    sums = {name: sum(points) for name, points in series.items()}
    sizes = {"request_bytes": 1000, "response_bytes": 2000, "duration_ms": times, "first_byte_ms": times}
    return {**sums, **sizes, "series": series}


@pytest.fixture
def open_chart(browser: Browser, gateway: GatewayProcess) -> Iterator[OpenChart]:
    """Opens the dashboard; the answer of /stats is the gateway's, but for the calls in its window."""
    contexts = []

    def open_chart(calls: dict[int, tuple[int, int]], **options: Any) -> Page:
        context = browser.new_context(base_url=gateway.url, **{"locale": "en-US", **options})
        contexts.append(context)
        page = context.new_page()

        def answer(route: Route) -> None:
            stats = gateway.request("GET", "/stats?window=24h").json()
            now_ms = int(time.time() * 1000) // HOUR_MS * HOUR_MS
            frame = {"from_ms": now_ms - 24 * HOUR_MS, "to_ms": now_ms, "step_s": 900}
            stats |= {"total": 1000, "stale": False, "generated_at_ms": now_ms}
            stats["windows"] = {"24h": {**frame, "all": figures(calls), "endpoints": {}}}
            route.fulfill(content_type="application/json", body=json.dumps(stats))

        page.route("**/stats?*", answer)
        page.goto("/")
        page.locator(".chart svg").wait_for()
        return page

    yield open_chart
    for context in contexts:
        context.close()


def bar_middle(chart: Locator, at: int) -> tuple[float, float]:
    """Where the bar of a point stands, near its foot, on the page."""
    box = chart.bounding_box()
    assert box is not None
    return box["x"] + 46 + (box["width"] - 56) * (at + 0.5) / POINTS, box["y"] + box["height"] - 30


def test_errors_never_look_bigger_than_the_requests_they_are_among(open_chart: OpenChart) -> None:
    """As high only when all failed; a small share is seen, as a third of the bar at most; nothing is nothing."""
    page = open_chart({})
    requests = [0, 1, 1, 10, 100, 1000, 1000, 100_000, 100_000]
    errors = [0, 0, 1, 1, 1, 1, 500, 1, 100_000]
    heights = page.evaluate(HEIGHTS, [requests, errors, 100_000])
    for asked, failed, tall, red in zip(requests, errors, heights["requests"], heights["errors"], strict=True):
        assert (tall > 0, red > 0) == (asked > 0, failed > 0)
        assert tall == pytest.approx(max(asked / 1000 * 2, 3 if asked else 0))
        if failed:
            assert red >= 1
            assert red / tall == pytest.approx(max(failed / asked, min(2 / tall, 1 / 3)))
        assert red < tall or failed == asked


def test_one_call_is_no_tower(open_chart: OpenChart) -> None:
    """A quiet day is drawn low: the scale begins at four calls."""
    page = open_chart({50: (1, 1)})
    chart = page.locator(".chart")
    expect(chart.locator("text").filter(has_text="4")).not_to_have_count(0)
    bar = chart.locator(".bar-requests").bounding_box()
    frame = chart.locator("svg").bounding_box()
    assert bar is not None
    assert frame is not None
    assert bar["height"] < frame["height"] / 4


def test_the_reading_covers_no_bar(open_chart: OpenChart) -> None:
    """At any bar, at both ends too, and on a phone: it stands above the bars and inside the chart."""
    page = open_chart(dict.fromkeys(range(POINTS), (4, 1)))
    chart = page.locator(".chart")
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 900})
        chart.scroll_into_view_if_needed()
        for at in (0, 1, POINTS // 2, POINTS - 1):
            page.mouse.move(*bar_middle(chart, at))
            reading = chart.locator(".reading")
            expect(reading).to_contain_text("4 requests")
            expect(reading).to_contain_text("1 error")
            box, bars, frame = (one.bounding_box() for one in (reading, chart.locator(".bar-requests"), chart))
            assert box is not None
            assert bars is not None
            assert frame is not None
            assert box["y"] + box["height"] <= bars["y"]
            assert frame["x"] <= box["x"]
            assert box["x"] + box["width"] <= frame["x"] + frame["width"] + 1
    page.mouse.move(5, 5)
    expect(chart.locator(".reading")).to_have_count(0)


def test_a_tap_shows_the_reading_until_something_else_is_tapped(open_chart: OpenChart) -> None:
    """A finger that is lifted leaves the reading where it is; a tap elsewhere in the chart moves it."""
    page = open_chart({10: (1, 0), 40: (7, 2)}, has_touch=True, viewport={"width": 390, "height": 844})
    chart = page.locator(".chart")
    chart.scroll_into_view_if_needed()
    reading = chart.locator(".reading")
    page.touchscreen.tap(*bar_middle(chart, 40))
    expect(reading).to_contain_text("7 requests")
    expect(reading).to_contain_text("2 errors")
    page.touchscreen.tap(*bar_middle(chart, 10))
    expect(reading).to_contain_text("1 request")
    expect(reading).not_to_contain_text("error")
    page.locator(".traffic h2").tap()
    expect(reading).to_have_count(0)


def test_the_chart_is_read_with_keys(open_chart: OpenChart) -> None:
    """Arrows step, Home and End jump, Escape closes."""
    page = open_chart({0: (3, 0), 1: (5, 5), POINTS - 1: (9, 0)})
    chart, reading = page.locator(".chart"), page.locator(".chart .reading")
    chart.focus()
    for key, says in (("ArrowLeft", "9"), ("Home", "3"), ("ArrowRight", "5"), ("ArrowLeft", "3"), ("End", "9")):
        page.keyboard.press(key)
        expect(reading).to_contain_text(f"{says} requests")
    page.keyboard.press("Escape")
    expect(reading).to_have_count(0)


def test_the_dashboard_has_one_main_heading(open_chart: OpenChart) -> None:
    """Screen readers find what the page is; what follows is of the second rank."""
    page = open_chart({})
    expect(page.get_by_role("heading", level=1)).to_have_text("AI API Gateway")
    expect(page.get_by_role("heading", level=2)).not_to_have_count(0)
