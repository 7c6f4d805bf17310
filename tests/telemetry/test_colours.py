"""Levels and statuses are painted for who watches on a terminal, and for nobody else."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

import pytest

from app.core.statistics.events import RequestEvent
from app.telemetry.colours import ColouredFormatter, colours_wanted, describe_in_colours
from app.telemetry.logs import TextFormatter, describe_as_text

_PAINT = re.compile(rb"\x1b\[\d+m")


def test_only_a_terminal_gets_colours(tmp_path: Path) -> None:
    """A file and a pipe get none, nor does a terminal where NO_COLOR is set or that knows none."""
    ours, terminal = os.openpty()
    with (tmp_path / "log").open("w") as file:
        assert colours_wanted(terminal, {"TERM": "xterm"})
        assert colours_wanted(terminal, {"NO_COLOR": ""})
        assert not colours_wanted(terminal, {"NO_COLOR": "1"})
        assert not colours_wanted(terminal, {"TERM": "dumb"})
        assert not colours_wanted(file.fileno(), {"TERM": "xterm"})
    os.close(ours)
    os.close(terminal)


@pytest.mark.parametrize(("status", "paint"), [(200, b"32"), (304, b"36"), (429, b"33"), (502, b"31"), (0, b"31")])
def test_a_status_has_the_colour_of_its_class(status: int, paint: bytes) -> None:
    """Only paint is added to a request's line."""
    event = RequestEvent("id", 0, "/v1", "POST", status, "", 1, 2, 3.0, 1.0)
    line = describe_in_colours(event)
    assert b"\x1b[%bm status=%d\x1b[0m" % (paint, status) in line
    assert b"\x1b[32mINFO\x1b[0m" in line
    assert _PAINT.sub(b"", line) == describe_as_text(event)


def test_a_level_is_painted_once() -> None:
    """The same word in the message stays plain."""
    record = logging.LogRecord("app", logging.WARNING, "", 0, "a WARNING of it", (), None)
    line = ColouredFormatter().format(record)
    assert "\x1b[33mWARNING\x1b[0m app: a WARNING of it" in line
    assert _PAINT.sub(b"", line.encode()).decode() == TextFormatter().format(record)
