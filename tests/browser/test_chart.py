"""The chart: what its bars and lines look like, and how it is read with mouse, finger and keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.gateway import GatewayProcess

HOUR_MS = 3_600_000
FROM_MS = 1_790_000_000_000 // HOUR_MS * HOUR_MS
POINTS = 48
LEFT, RIGHT = 52, 8
"""Of the chart's frame, what stands beside its bars."""

DRAW = """
async (props) => {
    const { render } = await import('/static/vendor/preact/preact.mjs');
    const { html } = await import('/static/js/html.js');
    const { Chart } = await import('/static/js/components/chart.js');
    let place = document.getElementById('here');
    if (!place) {
        document.body.replaceChildren();
        place = document.body.appendChild(document.createElement('div'));
        place.id = 'here';
    }
    render(null, place);
    window.zoomed = null;
    const zoom = props.zooms ? (...span) => { window.zoomed = span; } : undefined;
    const text = (value) => `${value}`;
    const shares = props.shares && { label: 'errors', text: (share) => `${share * 100} %`, values: props.shares };
    const words = { text, shares, sumLabel: 'all', label: 'a chart' };
    render(html`<${Chart} ...${props} ...${words} onZoom=${zoom} />`, place);
}
"""


@pytest.fixture(scope="module")
def page(browser: Browser, gateway_session: GatewayProcess) -> Iterator[Page]:
    """One page for all of these; each draws its own chart there."""
    context = browser.new_context(base_url=gateway_session.url, has_touch=True, locale="en-US", timezone_id="UTC")
    page = context.new_page()
    page.goto("/")
    yield page
    context.close()


def draw(page: Page, values: dict[str, dict[int, float]], *, kind: str = "bars", **props: Any) -> Locator:
    """A chart with these series, each told by what it has at some of its points."""
    nothing = 0 if kind == "bars" else None
    series = [
        {"name": name, "label": name, "tint": "ok", "values": [known.get(at, nothing) for at in range(POINTS)]}
        for name, known in values.items()
    ]
    frame = {"fromMs": FROM_MS, "toMs": FROM_MS + POINTS * HOUR_MS, "stepMs": HOUR_MS}
    page.set_viewport_size({"width": 900, "height": 600})
    page.evaluate(DRAW, {**frame, "kind": kind, "series": series, **props})
    chart = page.locator(".chart")
    chart.locator("svg").wait_for()
    return chart


def place_of(chart: Locator, at: int) -> tuple[float, float]:
    """Where the bar of a point stands, near its foot, on the page."""
    box = chart.bounding_box()
    assert box is not None
    return box["x"] + LEFT + (box["width"] - LEFT - RIGHT) * (at + 0.5) / POINTS, box["y"] + box["height"] - 50


def test_every_part_of_a_bar_is_seen_and_none_looks_bigger_than_the_rest(page: Page) -> None:
    """Heights add up to the bar's; what is more than nothing has some, taken from the greatest part alone."""
    ok, errors = [0, 1, 0, 9, 99, 999, 50], [0, 0, 1, 1, 1, 1, 50]
    heights = page.evaluate(
        "async (parts) => (await import('/static/js/components/bars.js')).stackHeights(parts, 1000, 200)", [ok, errors]
    )
    for good, failed, high, red in zip(ok, errors, *heights, strict=True):
        assert (high > 0, red > 0) == (good > 0, failed > 0)
        assert high + red == pytest.approx(max((good + failed) / 5, 3) if good + failed else 0)
        assert red <= high or failed > good


@pytest.mark.parametrize(
    ("sums", "top"),
    [
        ([5, 6, 7, 5, 6, 7, 900], 7),  # one spike
        ([5, 6, 7, 5, 6, 700, 900], 7),  # which stands astride a mark
        ([5, 600, 7, 5, 6, 700, 900], 900),  # three are no spike
        ([0, 0, 0, 1, 900], 900),  # nobody knows what is usual
        ([5, 6, 7, 8, 9, 10, 12], 12),
        ([], 0),
    ],
)
def test_one_spike_does_not_press_all_others_to_the_ground(page: Page, sums: list[int], top: int) -> None:
    """Where the scale ends."""
    assert page.evaluate("async (sums) => (await import('/static/js/components/bars.js')).topOf(sums)", sums) == top


@pytest.mark.parametrize(
    ("highest_ms", "step_ms"), [(100, 50), (4_000, 1_000), (25_000, 10_000), (110_000, 30_000), (400_000, 120_000)]
)
def test_long_durations_are_marked_at_whole_minutes_and_what_divides_them(
    page: Page, highest_ms: int, step_ms: int
) -> None:
    """Nobody reads 1.7 min beside a line."""
    code = "async (most) => (await import('/static/js/components/time_axis.js')).durationStep(most)"
    assert page.evaluate(code, highest_ms) == step_ms


def test_a_spike_is_clipped_with_its_number_above(page: Page) -> None:
    """Its bar ends with the scale, broken, and says how high it is; one that is not clipped has no mark."""
    chart = draw(page, {"ok": {**dict.fromkeys(range(POINTS), 10), 20: 5000}})
    expect(chart.locator(".spike")).to_have_text(["▲ 5000"])
    expect(chart.locator(".break")).to_have_count(1)
    assert chart.locator("text").filter(has_text="5000").count() == 1
    chart = draw(page, {"ok": {**dict.fromkeys(range(POINTS), 10), 20: 20}})
    expect(chart.locator(".spike, .break")).to_have_count(0)


def test_one_call_is_no_tower(page: Page) -> None:
    """A quiet day is drawn low: the scale begins at four calls."""
    chart = draw(page, {"ok": {20: 1}})
    bar, frame = chart.locator(".fill").bounding_box(), chart.locator("svg").bounding_box()
    assert bar is not None
    assert frame is not None
    assert bar["height"] < frame["height"] / 4


def test_a_line_has_gaps_where_nothing_was_measured(page: Page) -> None:
    """A value between two gaps is a point, which the round ends of a line of no length make."""
    chart = draw(page, {"p50": {0: 5, 1: 6, 2: 7, 10: 9}}, kind="lines")
    path = chart.locator(".stroke").get_attribute("d") or ""
    assert path.count("M") == 2
    assert path.count("L") == 2
    chart.focus()
    page.keyboard.press("End")
    expect(chart.locator(".reading dd")).to_have_text("–")


def test_shares_of_errors_stand_in_a_strip_below_the_axis(page: Page) -> None:
    """The greater the share the stronger; none without errors; nothing at all where nobody called."""
    shares = [0.0, 0.01, 1.0] + [None] * (POINTS - 3)
    chart = draw(page, {"ok": {0: 5, 1: 99, 2: 1}}, shares=shares)
    strengths = [float(one.get_attribute("opacity") or 0) for one in chart.locator(".strip-share").all()]
    assert len(strengths) == 2
    assert 0.25 <= strengths[0] < strengths[1] == 1
    assert (chart.locator(".strip-ground").get_attribute("d") or "").count("M") == 3
    chart.focus()
    for key, says in (("Home", None), ("ArrowRight", "1 %"), ("ArrowRight", "100 %")):
        page.keyboard.press(key)
        told = chart.locator(".reading div").filter(has_text="errors")
        expect(told).to_have_count(1 if says else 0)
        if says:
            expect(told).to_contain_text(says)


@pytest.mark.parametrize("width", [900, 340])
def test_the_reading_stands_beside_its_bar(page: Page, width: int) -> None:
    """At any bar, at both ends too, and on a phone: it does not cover the bar and stays inside the chart."""
    chart = draw(page, {"went well": dict.fromkeys(range(POINTS), 4), "failed": dict.fromkeys(range(POINTS), 1)})
    page.set_viewport_size({"width": width, "height": 600})
    for at in (0, 1, POINTS // 2, POINTS - 1):
        page.mouse.move(*place_of(chart, at))
        reading = chart.locator(".reading")
        expect(reading.locator("dd")).to_have_text(["5", "4", "1"])
        box, bar, frame = (one.bounding_box() for one in (reading, chart.locator(".cursor"), chart))
        assert box is not None
        assert bar is not None
        assert frame is not None
        assert box["x"] + box["width"] <= bar["x"] or box["x"] >= bar["x"] + bar["width"]
        assert frame["x"] <= box["x"]
        assert box["x"] + box["width"] <= frame["x"] + frame["width"] + 1
    page.mouse.move(5, 590)
    expect(chart.locator(".reading")).to_have_count(0)


def test_a_tap_shows_the_reading_until_something_else_is_tapped(page: Page) -> None:
    """A finger that is lifted leaves the reading where it is; a tap elsewhere in the chart moves it."""
    chart = draw(page, {"ok": {10: 1, 40: 7}})
    reading = chart.locator(".reading")
    page.touchscreen.tap(*place_of(chart, 40))
    expect(reading).to_contain_text("7")
    page.touchscreen.tap(*place_of(chart, 10))
    expect(reading.locator("dd").first).to_have_text("1")
    page.touchscreen.tap(5, 590)
    expect(reading).to_have_count(0)


def test_the_chart_is_read_with_keys(page: Page) -> None:
    """Arrows step, Home and End jump, Escape closes; what is read is told to those who hear it."""
    chart = draw(page, {"ok": {0: 3, 1: 5, POINTS - 1: 9}})
    reading = chart.locator("[aria-live=polite] .reading dd")
    chart.focus()
    for key, says in (("ArrowLeft", "9"), ("Home", "3"), ("ArrowRight", "5"), ("ArrowLeft", "3"), ("End", "9")):
        page.keyboard.press(key)
        expect(reading.first).to_have_text(says)
    page.keyboard.press("Escape")
    expect(reading).to_have_count(0)


def test_a_span_is_marked_by_dragging_or_with_keys(page: Page) -> None:
    """Whole points from the first to the last of them; a press that does not move marks nothing."""
    chart = draw(page, {"ok": dict.fromkeys(range(POINTS), 4)}, zooms=True)
    page.mouse.move(*place_of(chart, 30))
    page.mouse.down()
    page.mouse.up()
    assert page.evaluate("window.zoomed") is None
    page.mouse.down()
    page.mouse.move(*place_of(chart, 20))
    page.mouse.up()
    assert page.evaluate("window.zoomed") == [FROM_MS + 20 * HOUR_MS, FROM_MS + 31 * HOUR_MS]
    chart.focus()
    for key in ("Home", "Shift+ArrowRight", "Shift+ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert page.evaluate("window.zoomed") == [FROM_MS, FROM_MS + 3 * HOUR_MS]
