"""Levels and statuses in colour, for whoever watches text lines on a terminal."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Final

from app.core.statistics.events import RequestEvent
from app.telemetry.logs import TextFormatter, describe_as_text

_PLAIN: Final = "\x1b[0m"
_GREEN, _CYAN, _YELLOW, _RED, _DIM = "\x1b[32m", "\x1b[36m", "\x1b[33m", "\x1b[31m", "\x1b[2m"
_OF_LEVELS = {"DEBUG": _DIM, "INFO": _GREEN, "WARNING": _YELLOW, "ERROR": _RED, "CRITICAL": _RED}
_OF_STATUSES = {2: _GREEN, 3: _CYAN, 4: _YELLOW, 5: _RED}
"""By the hundreds of the status."""


def colours_wanted(fd: int, environ: Mapping[str, str]) -> bool:
    """Whether `fd` is a terminal that shows colours, and nobody set NO_COLOR (https://no-color.org)."""
    return os.isatty(fd) and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


class ColouredFormatter(logging.Formatter):
    """Paints what TextFormatter writes. It has one and is none, because a compiled class cannot be extended here."""

    def __init__(self) -> None:
        super().__init__()
        self._text = TextFormatter()

    def format(self, record: logging.LogRecord) -> str:
        return self._text.format(record).replace(record.levelname, _painted(record.levelname), 1)


def describe_in_colours(event: RequestEvent) -> bytes:
    """The line of logs.py, with its level and its status painted."""
    status = f" status={event.status}"
    colour = _OF_STATUSES.get(event.status // 100, _RED)
    line = describe_as_text(event).replace(b"INFO", _painted("INFO").encode(), 1)
    return line.replace(status.encode(), f"{colour}{status}{_PLAIN}".encode(), 1)


def _painted(level: str) -> str:
    return f"{_OF_LEVELS[level]}{level}{_PLAIN}" if level in _OF_LEVELS else level
