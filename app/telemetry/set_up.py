"""Where what a process logs goes, and how it looks."""

from __future__ import annotations

import logging
import os

from app.telemetry.colours import ColouredFormatter, colours_wanted, describe_in_colours
from app.telemetry.log_sink import sink_of
from app.telemetry.logs import (
    JsonFormatter,
    TextFormatter,
    describe_as_json,
    describe_as_text,
    notice_as_json,
    notice_as_text,
)
from app.telemetry.standard_error import STDERR, SinkHandler, take_over_stderr


def set_up_logging(level: str, log_format: str) -> None:
    """Sends everything that is said to standard error through its sink, `log_format` being `text` or `json`."""
    sink = sink_of(STDERR)
    handler = SinkHandler()
    if log_format == "json":
        sink.describe, sink.notice = describe_as_json, notice_as_json
        handler.setFormatter(JsonFormatter())
    else:
        in_colours = colours_wanted(STDERR, os.environ)
        sink.describe, sink.notice = describe_in_colours if in_colours else describe_as_text, notice_as_text
        handler.setFormatter(ColouredFormatter() if in_colours else TextFormatter())
    take_over_stderr()
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    server = logging.getLogger("gunicorn.error")
    server.handlers[:] = []
    server.propagate = True
