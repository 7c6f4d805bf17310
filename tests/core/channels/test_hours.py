"""When a channel may serve: by its own clock, half-open, over midnight, and on days when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.core.channels.hours import is_open, next_change_ms, parse_hours
from app.core.channels.time_zones import zone_of


def ms(text: str) -> int:
    """Unix time in ms of an ISO time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("hours", "at", "opened"),
    [
        ("08:00-23:30", "2026-03-01T07:59:59.999", False),
        ("08:00-23:30", "2026-03-01T08:00", True),
        ("08:00-23:30", "2026-03-01T23:29:59.999", True),
        ("08:00-23:30", "2026-03-01T23:30", False),
        ("22:00-06:00", "2026-03-01T22:00", True),
        ("22:00-06:00", "2026-03-01T00:00", True),
        ("22:00-06:00", "2026-03-01T05:59", True),
        ("22:00-06:00", "2026-03-01T06:00", False),
        ("22:00-06:00", "2026-03-01T21:59", False),
        ("09:15-09:15", "2026-03-01T03:00", True),
        ("00:00-24:00", "2026-03-01T23:59", True),
        ("12:00-24:00", "2026-03-01T23:59", True),
        ("12:00-24:00", "2026-03-02T00:00", False),
        ("22:00-06:00 Asia/Shanghai", "2026-03-01T14:00", True),
        ("22:00-06:00 Asia/Shanghai", "2026-03-01T13:59", False),
        ("22:00-06:00 Asia/Shanghai", "2026-03-01T22:00", False),
        ("", "2026-03-01T03:00", True),
    ],
)
def test_hours_are_half_open_and_may_pass_midnight(hours: str, at: str, opened: bool) -> None:
    """From the first minute to before the last; the same twice is all day; without a zone the gateway's counts."""
    assert is_open(parse_hours(hours), ms(at), "UTC") is opened


def test_without_a_zone_of_its_own_the_gateways_counts() -> None:
    """`TZ` of the gateway is that of hours which name none."""
    hours = parse_hours("08:00-09:00")
    assert is_open(hours, ms("2026-01-01T00:30"), "Asia/Shanghai")
    assert not is_open(hours, ms("2026-01-01T00:30"), "UTC")


@pytest.mark.parametrize(
    "text",
    ["8:00-9:00", "08:00", "08:00-24:01", "24:00-08:00", "25:00-08:00", "08:60-09:00", "08:00-09:00 Nowhere/Here",
     "08:00-09:00 ../../etc/passwd", "08:00-09:00 /etc/localtime", "08:00-09:00 Asia", "08:00-09:00 UTC x",
     "٠٨:00-09:00"],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    """Hours that mean nothing are told, with an example of what would do."""
    with pytest.raises(ValueError, match=r"08:00-23:30|Europe/Berlin"):
        parse_hours(text)


@pytest.mark.parametrize(
    ("hours", "at", "change"),
    [
        ("08:00-23:30", "2026-03-01T07:00", "2026-03-01T08:00"),
        ("08:00-23:30", "2026-03-01T08:00", "2026-03-01T23:30"),
        ("08:00-23:30", "2026-03-01T23:30", "2026-03-02T08:00"),
        ("22:00-06:00", "2026-03-01T23:00", "2026-03-02T06:00"),
        ("12:00-24:00", "2026-03-01T13:00", "2026-03-02T00:00"),
        # Berlin leaps from 02:00 to 03:00 on 2026-03-29 at 01:00 UTC, and back on 2026-10-25 at 01:00 UTC.
        ("02:30-05:00 Europe/Berlin", "2026-03-29T00:30", "2026-03-29T01:00"),
        ("01:00-02:30 Europe/Berlin", "2026-03-29T00:30", "2026-03-29T01:00"),
        ("08:00-20:00 Europe/Berlin", "2026-03-28T20:00", "2026-03-29T06:00"),
        ("08:00-20:00 Europe/Berlin", "2026-10-24T19:00", "2026-10-25T07:00"),
        # The hour from 02:00 comes twice: what ends within it, ends, and opens again.
        ("01:00-02:30 Europe/Berlin", "2026-10-25T00:00", "2026-10-25T00:30"),
        ("01:00-02:30 Europe/Berlin", "2026-10-25T00:30", "2026-10-25T01:00"),
        ("01:00-02:30 Europe/Berlin", "2026-10-25T01:00", "2026-10-25T01:30"),
    ],
)  # fmt: skip
def test_the_next_change_is_known(hours: str, at: str, change: str) -> None:
    """When a channel opens or closes next, also on days when clocks change."""
    assert next_change_ms(parse_hours(hours), ms(at), "UTC") == ms(change)


@pytest.mark.parametrize("hours", ["", "09:15-09:15", "00:00-24:00"])
def test_what_is_open_all_day_never_changes(hours: str) -> None:
    """All day is all day."""
    assert next_change_ms(parse_hours(hours), ms("2026-03-01T00:00"), "UTC") is None


@pytest.mark.parametrize("day", ["2026-03-28T12:00", "2026-10-24T12:00", "2026-06-01T00:00"])
@pytest.mark.parametrize("text", ["02:30-03:30", "23:00-02:30", "01:00-02:00", "03:00-02:00", "02:59-02:58"])
def test_until_the_next_change_nothing_changes(day: str, text: str) -> None:
    """Minute by minute over two days: what holds at one instant holds until the change that was told."""
    hours, now_ms = parse_hours(f"{text} Europe/Berlin"), ms(day)
    for minute in range(2880):
        at_ms = now_ms + minute * 60_000
        change_ms = next_change_ms(hours, at_ms, "UTC")
        following = is_open(hours, at_ms + 60_000, "UTC")
        assert (following != is_open(hours, at_ms, "UTC")) == (change_ms == at_ms + 60_000), minute


def test_a_zone_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call waits for the file of a time zone that was checked before."""
    zone = zone_of("Pacific/Chatham")
    monkeypatch.setattr("zoneinfo.ZoneInfo", None)
    assert zone_of("Pacific/Chatham") is zone
