"""Log lines, as text or JSON, each with the request id and the trace ids of the request that it is about.

One line for each finished request, made from its event. All of them go through telemetry/log_sink.py, so that nobody
waits for whoever reads our log. No header, query or path is ever logged: some APIs carry their keys there.
"""

from __future__ import annotations

import logging
import re
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import orjson

from app.core.statistics.events import ApiUse, RequestEvent

MAX_WORD = 200
"""So much of a name that somebody else chose stands in a line."""
_PLAIN = re.compile(r"[^\s\"=\\\x00-\x1f\x7f]+")


class RequestIds:
    """No NamedTuple: one is made for every request, and a compiled class costs a fifth of it."""

    __slots__ = ("request_id", "span_id", "trace_id")

    def __init__(self, request_id: str = "", trace_id: str = "", span_id: str = "") -> None:
        self.request_id = request_id
        self.trace_id = trace_id
        self.span_id = span_id


current_ids: ContextVar[RequestIds] = ContextVar("current_ids", default=RequestIds())
"""Of the request that the running greenlet serves. A greenlet that it spawns must be given a copy of its context."""


class TextFormatter(logging.Formatter):
    """`time LEVEL logger: message [request_id=... trace_id=... span_id=...]`"""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        line = super().formatMessage(record).replace("\n", "\\n")
        ids = current_ids.get()
        if ids.request_id:
            line += f" request_id={ids.request_id}"
        return f"{line} trace_id={ids.trace_id} span_id={ids.span_id}" if ids.trace_id else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        ids = current_ids.get()
        named = {"request_id": ids.request_id, "trace_id": ids.trace_id, "span_id": ids.span_id}
        line |= {name: value for name, value in named.items() if value}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def _figures(event: RequestEvent) -> dict[str, Any]:
    figures = {
        "request_id": event.request_id,
        "trace_id": event.trace_id,
        "span_id": event.span_id,
        "parent_span_id": event.parent_span_id,
        "client": event.client,
        "method": event.method,
        "mapping": event.endpoint,
        "upstream": event.upstream,
        "status": event.status,
        "error": event.error_code,
        **(_of_channels(event.api) if event.api is not None else {}),
        "attempts": event.attempts,
        "request_bytes": event.request_bytes,
        "response_bytes": event.response_bytes,
        "first_byte_ms": None if event.first_byte_ms is None else round(event.first_byte_ms, 1),
        "duration_ms": round(event.duration_ms, 1),
    }
    return {name: value for name, value in figures.items() if value not in ("", None)}


def describe_as_json(event: RequestEvent) -> bytes:
    stamp = datetime.fromtimestamp(event.ended_at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    line = {"time": stamp, "level": "INFO", "logger": "request", "message": "request", **_figures(event)}
    return orjson.dumps(line, default=str) + b"\n"


_FIRST_BYTE: Final = " first_byte_ms=%.1f"
_LINE: Final = (
    "%s,%03d INFO request: request_id=%s%s client=%s method=%s mapping=%s upstream=%s status=%d%s attempts=%d "
    "request_bytes=%d response_bytes=%d%s duration_ms=%.1f\n"
)
"""Filled in by `%`, which is one step in C; a compiled f-string makes a step of each number."""


def describe_as_text(event: RequestEvent) -> bytes:
    """The same as `name=value`, put together by hand: this is made for every request."""
    ended_at_ms = event.ended_at_ms
    trace = f" trace_id={event.trace_id} span_id={event.span_id}" if event.trace_id else ""
    if event.parent_span_id:
        trace += f" parent_span_id={event.parent_span_id}"
    error = f" error={event.error_code}" if event.error_code else ""
    first_byte = "" if event.first_byte_ms is None else _FIRST_BYTE % event.first_byte_ms
    line = _LINE % (
        _local_time(ended_at_ms // 1000), ended_at_ms % 1000, event.request_id, trace, event.client, event.method,
        event.endpoint, event.upstream, event.status, error, event.attempts, event.request_bytes, event.response_bytes,
        first_byte, event.duration_ms,
    )  # fmt: skip
    if event.api is not None:
        line = line[:-1] + _channels_as_text(event.api)
    return line.encode("utf-8", "backslashreplace")


def _of_channels(api: ApiUse) -> dict[str, str]:
    """What a line says of the channels, where one was tried, and of the access token that was shown."""
    if not api.channel:
        return {"token": api.token}
    return {
        "token": api.token,
        "channel": api.channel,
        "key_hint": api.key_hint,
        "model": api.model,
        "upstream_model": api.upstream_model,
        "outcome": api.outcome,
    }


def _channels_as_text(api: ApiUse) -> str:
    """The same as words, to the end of the line; what is empty is left out."""
    told = " token=" + _word(api.token) if api.token else ""
    if api.channel:
        told += " channel=" + _word(api.channel)
        if api.key_hint:
            told += " key_hint=" + _word(api.key_hint)
        if api.model:
            told += " model=" + _word(api.model)
        if api.upstream_model:
            told += " upstream_model=" + _word(api.upstream_model)
        if api.outcome:
            told += " outcome=" + _word(api.outcome)
    return told + "\n"


@lru_cache(maxsize=1024)
def _word(text: str) -> str:
    """A text that others chose, as one word of a line. Few of them are new."""
    text = text[:MAX_WORD]
    return text if _PLAIN.fullmatch(text) else orjson.dumps(text).decode()


@lru_cache(maxsize=4)
def _local_time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")


# Made by hand, because the sink's thread makes them: logging would ask gevent which thread that is. ---------------

_NOTICE = "%d log lines were dropped: they came faster than they were read"


def notice_as_text(dropped: int) -> bytes:
    now_s, ms = divmod(time.time_ns() // 1_000_000, 1000)
    return f"{_local_time(now_s)},{ms:03d} WARNING {__name__}: {_NOTICE % dropped}\n".encode()


def notice_as_json(dropped: int) -> bytes:
    stamp = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
    return orjson.dumps({"time": stamp, "level": "WARNING", "logger": __name__, "message": _NOTICE % dropped}) + b"\n"
