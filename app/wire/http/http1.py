"""HTTP/1.1 heads, in and out: bytes in, values out, for the server's side and the upstream's.

Strict where leniency is an attack (RFC 9112, sections 2.2, 5.1, 6.1, 6.3, 7.1; RFC 9110, section 7.2): whatever two
implementations could read differently is refused, so no request can be smuggled in another's body.
Nothing here reads a socket: callers feed bytes as they come, in any pieces.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Final

from app.wire.http.headers import KNOWN_NAMES, MAX_KNOWN_NAME_BYTES, MAX_KNOWN_NAMES, Headers, by_name, tokens

MAX_HEAD_BYTES: Final = 32 * 1024
MAX_HEADERS: Final = 200

UNTIL_CLOSE: Final = -1
"""Body length: until the upstream closes the connection."""
CHUNKED: Final = -2
"""Body length: told by chunks, see `chunked`."""

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_VALUE = rb"[\t\x20-\x7e\x80-\xff]"
_REQUEST_LINE: Final = re.compile(
    (rb"(" + TOKEN + rb"++) ([\x21-\x22\x24-\x7e\x80-\xff]++) HTTP/([0-9])\.([0-9])\r\n").decode()
)
_STATUS_LINE: Final = re.compile((rb"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: (" + _VALUE + rb"*+))?\r\n").decode())
FIELD_LINE = re.compile((rb"(" + TOKEN + rb"++):[ \t]*+((?:" + _VALUE + rb"*[\x21-\x7e\x80-\xff])?+)[ \t]*+").decode())
LONE_LF: Final = re.compile(rb"(?<!\r)\n")
_FIRST_BYTE = re.compile(TOKEN + rb"|\r")  # a server may pass over one empty line
_KEEP_ALIVE_TIMEOUT = re.compile(r"(?:^|[\s,])timeout\s*=\s*\"?([0-9]{1,9})", re.IGNORECASE)
_HOST: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~%!$&'()*+,;=]*)(?::[0-9]*)?")
_ABSOLUTE = re.compile(r"https?://([^/?#@]+)([/?].*)?", re.IGNORECASE)


MAX_KNOWN_LINES: Final = 1024
MAX_KNOWN_LINE_BYTES: Final = 200
_RECURRING: Final = re.compile(
    r"(?:access-control|sec-ch-ua|sec-fetch|x-stainless)-[a-z-]+|accept(?:-encoding|-language|-ranges)?|alt-svc"
    r"|anthropic-(?:beta|version)|cache-control|connection|content-(?:encoding|type)|date|host|keep-alive"
    r"|openai-(?:beta|version)|server|strict-transport-security|transfer-encoding|user-agent|vary|via"
    r"|x-content-type-options|x-goog-api-client"
)
"""Fields that have the same value in call after call, and never a secret one: no line with a key is remembered."""


class HttpSyntaxError(ValueError):
    """What came is not HTTP/1.1, or others may read it differently. `status` is what a server answers.

    A ValueError, which Werkzeug takes for a fault of the client when a body's reader raises it.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class _Field:
    """A line that is a field."""

    __slots__ = ("key", "pair", "value")

    def __init__(self, key: str, name: str, value: str) -> None:
        self.key = key
        """Its name in lower case."""
        self.pair = name, value
        self.value = value


_recurring: Final[set[str]] = set()
"""Of the known names, those of recurring fields, in lower case."""
_known_lines: Final[dict[str, _Field]] = {}
"""Lines of recurring fields that were judged before."""


class RequestHead:
    """What a request says before its body."""

    __slots__ = ("body_length", "expects_continue", "headers", "keep_alive", "method", "target", "version")

    def __init__(
        self,
        method: str,
        target: str,
        version: int,
        headers: Headers,
        body_length: int,
        keep_alive: bool,
        expects_continue: bool,
    ) -> None:
        self.method = method
        self.target = target
        """In origin form (or `*`), untouched, each byte one character."""
        self.version = version
        """10 or 11."""
        self.headers = headers
        """For a target in absolute form, `Host` is the target's authority (RFC 9112, 3.2.2)."""
        self.body_length = body_length
        """Bytes, or CHUNKED."""
        self.keep_alive = keep_alive
        self.expects_continue = expects_continue


class ResponseHead:
    """What an answer says before its body."""

    __slots__ = ("body_length", "connection", "headers", "idle_s", "keep_alive", "reason", "status", "version")

    def __init__(
        self,
        status: int,
        reason: str,
        version: int,
        headers: Headers,
        body_length: int,
        keep_alive: bool,
        connection: str,
        idle_s: float,
    ) -> None:
        self.status = status
        self.reason = reason
        self.version = version
        """10 or 11."""
        self.headers = headers
        self.body_length = body_length
        """Bytes, CHUNKED, or UNTIL_CLOSE."""
        self.keep_alive = keep_alive
        self.connection = connection
        """The value of `Connection`; empty when there is none."""
        self.idle_s = idle_s
        """For how long the upstream keeps the connection idle; infinite when it does not say."""


def find_head_end(data: bytes | bytearray, start: int = 0, max_bytes: int = MAX_HEAD_BYTES) -> int:
    """The offset just behind the head's empty line, or -1 while it is not complete.

    `start` is where the last search ended. Raises HttpSyntaxError when what came can never become a head.
    """
    end = data.find(b"\r\n\r\n", max(0, start - 3))
    if end >= 0 and end + 4 <= max_bytes:
        return end + 4
    if end >= 0 or len(data) >= max_bytes:
        line_ended = data.find(b"\r\n", 0, max_bytes) >= 0
        raise HttpSyntaxError(f"the head is longer than {max_bytes} bytes", 431 if line_ended else 414)
    if LONE_LF.search(data, start):
        raise HttpSyntaxError("a line ends with a bare line feed")
    if data and start == 0 and not _FIRST_BYTE.match(data):
        raise HttpSyntaxError("this is not HTTP")  # as when TLS is spoken to a plain port
    return -1


def parse_request_head(block: bytes) -> RequestHead:
    """The head in `block`, which ends with the empty line. Raises HttpSyntaxError."""
    line = _REQUEST_LINE.match(block.decode("latin-1"))
    if line is None:
        raise HttpSyntaxError("malformed request line")
    method, target, major, minor = line.groups()
    if major != "1":
        raise HttpSyntaxError("only HTTP/1.0 and HTTP/1.1 are spoken here", 505)
    version = 10 if minor == "0" else 11
    headers, fields = parse_fields(block, line.end())
    host = fields.get("host")
    if host is None and version == 11:
        raise HttpSyntaxError("a request needs a Host")
    if host and not (_is_known_host(host) if len(host) <= MAX_KNOWN_NAME_BYTES else _is_host(host)):
        raise HttpSyntaxError("malformed or repeated Host")
    chunked, length = _body_framing(fields)
    if chunked and version == 10:
        raise HttpSyntaxError("Transfer-Encoding in an HTTP/1.0 request")
    expect = fields.get("expect", "")
    if expect and expect.lower() != "100-continue":
        raise HttpSyntaxError("the only expectation known here is 100-continue", 417)
    connection = fields.get("connection", "")
    if not target.startswith("/") or method == "CONNECT":
        target = _origin_form(method, target, headers)
    length = CHUNKED if chunked else max(length, 0)
    keep_alive = _keeps_alive(connection, version) if connection else version == 11
    return RequestHead(method, target, version, headers, length, keep_alive, bool(expect) and version == 11)


def parse_response_head(block: bytes, request_method: str) -> ResponseHead:
    """The head of an answer to a request of that method. Raises HttpSyntaxError; `lenient` may read it then."""
    if len(block) > MAX_HEAD_BYTES:
        raise HttpSyntaxError(f"the head is longer than {MAX_HEAD_BYTES} bytes")
    status, reason, version, start = parse_status_line(block)
    headers, fields = parse_fields(block, start)
    if version == 10 and "transfer-encoding" in fields:
        raise HttpSyntaxError("Transfer-Encoding in an HTTP/1.0 response")
    length = answer_length(fields, request_method, status)
    connection = fields.get("connection", "")
    keep_alive = length != UNTIL_CLOSE and (_keeps_alive(connection, version) if connection else version == 11)
    kept = fields.get("keep-alive")
    idle_s = math.inf if kept is None else _told_idle_s(kept)
    return ResponseHead(status, reason, version, headers, length, keep_alive, connection, idle_s)


def _told_idle_s(keep_alive: str) -> float:
    """The `timeout` of a field Keep-Alive (RFC 2068, 19.7.1.1), in seconds."""
    told = _KEEP_ALIVE_TIMEOUT.search(keep_alive)
    return float(told[1]) if told else math.inf


def parse_status_line(block: bytes) -> tuple[int, str, int, int]:
    """Status, reason, version and where the fields begin. Raises HttpSyntaxError."""
    end = block.find(b"\r\n") + 2
    line = block[:end].decode("latin-1")
    status, reason, version = _known_status_line(line) if end <= MAX_KNOWN_NAME_BYTES else _status_line(line)
    return status, reason, version, end


def _status_line(line: str) -> tuple[int, str, int]:
    parts = _STATUS_LINE.fullmatch(line)
    if parts is None:
        raise HttpSyntaxError("malformed status line")
    minor, code, reason = parts.groups("")
    return int(code), reason, 10 if minor == "0" else 11


_known_status_line: Final = lru_cache(256)(_status_line)
"""Upstreams use few."""


def answer_length(fields: dict[str, str], request_method: str, status: int) -> int:
    """How long an answer's body is, or CHUNKED or UNTIL_CLOSE (RFC 9112, 6.3). Raises HttpSyntaxError."""
    chunked, length = _body_framing(fields)
    if request_method == "HEAD" or status < 200 or status in (204, 304):
        return 0
    if length >= 0:
        return length
    return CHUNKED if chunked else UNTIL_CLOSE


def format_head(first_line: str, headers: Headers) -> bytes:
    """The head's bytes. Raises ValueError when something in it holds a line break or is not Latin-1."""
    lines = [first_line]
    for name, value in headers:
        lines.append(f"{name}: {value}")
    content = "".join(lines)
    if "\n" in content or "\r" in content:
        raise ValueError("a line break in a header field")
    lines.append("\r\n")
    return "\r\n".join(lines).encode("latin-1")


def _is_host(text: str) -> bool:
    return _HOST.fullmatch(text) is not None


_is_known_host: Final = lru_cache(256)(_is_host)


def _body_framing(fields: dict[str, str]) -> tuple[bool, int]:
    """Whether the body comes in chunks, and its Content-Length or -1. Raises HttpSyntaxError when they contradict."""
    coding = fields.get("transfer-encoding")
    length = fields.get("content-length")
    if coding is not None:
        if coding.lower() != "chunked":
            raise HttpSyntaxError("the only transfer coding known here is one 'chunked'")
        if length is not None:
            raise HttpSyntaxError("both Content-Length and Transfer-Encoding")
    if length is None:
        return coding is not None, -1
    if not (length.isascii() and length.isdigit() and len(length) <= 18):
        raise HttpSyntaxError("malformed or repeated Content-Length")
    return False, int(length)


def _keeps_alive(connection: str, version: int) -> bool:
    if connection == "keep-alive":
        return True
    options = tokens(connection)
    return "close" not in options and (version == 11 or "keep-alive" in options)


def parse_fields(block: bytes, start: int) -> tuple[Headers, dict[str, str]]:
    """The fields between `start` and the empty line that ends `block`; and their values, as `by_name` has them."""
    headers: Headers = []
    values: dict[str, str] = {}
    end = len(block) - 4
    if end < start:
        return headers, values
    lines = block[start:end].decode("latin-1").split("\r\n")
    if len(lines) > MAX_HEADERS:
        raise HttpSyntaxError(f"more than {MAX_HEADERS} header fields", 431)
    for line in lines:
        field = _known_lines.get(line)
        if field is None:
            field = _judged(line)
        headers.append(field.pair)
        values[field.key] = field.value
    return headers, values if len(values) == len(headers) else by_name(headers)


def _judged(line: str) -> _Field:
    """A line that is not known. Raises HttpSyntaxError.

    What is usual is seen without a regular expression: a name that was one before, and characters that are printable.
    """
    name, colon, value = line.partition(": ")
    key = KNOWN_NAMES.get(name)
    is_plain = line.isascii() and line.isprintable()
    if key is None or not colon or not is_plain or value.startswith(" ") or value.endswith(" "):
        parts = FIELD_LINE.fullmatch(line)
        if parts is None:
            raise HttpSyntaxError("malformed header field")
        name, value = parts[1], parts[2]
        key = name.lower()
        _remember(name, key)
    field = _Field(key, name, value)
    if key in _recurring and len(line) <= MAX_KNOWN_LINE_BYTES:
        if len(_known_lines) >= MAX_KNOWN_LINES:
            _known_lines.clear()
        _known_lines[line] = field
    return field


def _remember(name: str, key: str) -> None:
    if len(name) > MAX_KNOWN_NAME_BYTES:
        return
    if len(KNOWN_NAMES) >= MAX_KNOWN_NAMES:
        KNOWN_NAMES.clear()  # whoever fills it with odd names must not slow the usual ones for good
        _recurring.clear()
    KNOWN_NAMES[name] = key
    if _RECURRING.fullmatch(key):
        _recurring.add(key)


def _origin_form(method: str, target: str, headers: Headers) -> str:
    if method == "CONNECT":
        raise HttpSyntaxError("CONNECT is not served: this is no forward proxy")
    if target == "*" and method == "OPTIONS":
        return target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or absolute[1].startswith(":") or not _is_host(absolute[1]):
        raise HttpSyntaxError("malformed request target")
    headers[:] = [("Host", absolute[1]), *[field for field in headers if field[0].lower() != "host"]]
    rest = absolute[2] or ""
    if not rest and method == "OPTIONS":
        return "*"  # RFC 9112, 3.2.4
    return rest if rest.startswith("/") else "/" + rest
