"""What a WSGI server tells of a request, read alike whichever server it is.

Our own worker class tells everything: the fields as they stood, the client's socket, a body that is read as it comes.
gunicorn's own workers show the socket too, and their body's reader has the pieces as they come. Under uWSGI
`app/servers/uwsgi.py` gives both. From these two the fields come without order, number and spelling, and from any other
server the body comes only in whole pieces, too, and a client that leaves is noticed late.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

from app.client_gone import ClientGone
from app.proxy.messages import BodyReader
from app.wire.http.forwarded import client_of, host_of, scheme_of
from app.wire.http.headers import Headers, tokens
from app.wire.http.http1 import CHUNKED, HttpSyntaxError

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

_AUTHORITY = re.compile(r"https?://[^/?#]+", re.IGNORECASE)
_HTML = re.compile(r"(?:^|,)[ \t]*text/html(?![^;, \t])(?![^,]*;[ \t]*q=0(?:\.0*)?[ \t]*(?:[;,]|$))", re.IGNORECASE)
"""In an `Accept` that takes it: a weight of 0 says that it is not wanted (RFC 9110, 12.4.2)."""
_SHOWN_METHODS = ("GET", "HEAD", "POST")


def raw_target(environ: Environ) -> str:
    """The request target in origin form, as untouched as the server gives it."""
    target: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if target.startswith("/"):
        return target
    absolute = _AUTHORITY.match(target)
    if absolute:
        origin = target[absolute.end() :]
        return origin if origin.startswith("/") else f"/{origin}"
    query = environ.get("QUERY_STRING")
    path = quote(environ.get("PATH_INFO", "").encode("latin-1"), safe="/%:@!$&'()*+,;=~")
    return f"{path}?{query}" if query else path


def raw_headers(environ: Environ) -> Headers:
    """The request's fields; from servers that only speak WSGI, without their order, number and spelling."""
    headers: Headers | None = environ.get("gateway.headers")
    if headers is not None:
        return headers
    fields = [(key[5:].replace("_", "-").title(), value) for key, value in environ.items() if key.startswith("HTTP_")]
    if environ.get("CONTENT_TYPE"):
        fields.append(("Content-Type", environ["CONTENT_TYPE"]))
    return fields


def believe_proxies(environ: Environ, count: int) -> None:
    """Lets `REMOTE_ADDR` and `wsgi.url_scheme` be what so many reverse proxies before us say; for all doors alike."""
    environ["REMOTE_ADDR"] = client_of(environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", ""), count)
    forwarded_proto = environ.get("HTTP_X_FORWARDED_PROTO", "")
    environ["wsgi.url_scheme"] = scheme_of(environ["wsgi.url_scheme"], forwarded_proto, count)


def own_origin(environ: Environ, proxies: int) -> str:
    """The gateway's own origin as the client calls it, behind so many trusted proxies; empty when it does not say."""
    host = environ.get("HTTP_HOST", "")
    if proxies:
        host = host_of(host, environ.get("HTTP_X_FORWARDED_HOST", ""), proxies)
    return f"{environ['wsgi.url_scheme']}://{host}" if host else ""


def wants_page(environ: Environ) -> bool:
    """True for a person's browser that opens an address, or sends a form, and would show what comes."""
    return _HTML.search(environ.get("HTTP_ACCEPT", "")) is not None and environ["REQUEST_METHOD"] in _SHOWN_METHODS


def asked_upgrade(environ: Environ) -> str:
    """The protocol of an `Upgrade: websocket` (RFC 6455, 4.1); other switches are not made (RFC 9110, 7.8).

    Nor is one that a body precedes: before the switch that is a request's body, after it the new protocol's bytes.
    """
    upgrade: str = environ["HTTP_UPGRADE"]
    if upgrade.lower() != "websocket" or environ["REQUEST_METHOD"] != "GET":
        return ""
    if environ["SERVER_PROTOCOL"] != "HTTP/1.1" or _has_body(environ):
        return ""
    return upgrade if "upgrade" in tokens(environ.get("HTTP_CONNECTION", "")) else ""


def _has_body(environ: Environ) -> bool:
    return "HTTP_TRANSFER_ENCODING" in environ or environ.get("CONTENT_LENGTH", "0").strip("0") != ""


def detach_of(environ: Environ) -> Callable[[], bytes] | None:
    """`proxy.messages.Inbound.detach`; None where the server does not show the client's connection."""
    own: Callable[[], bytes] | None = getattr(environ["wsgi.input"], "detach", None)
    if own is not None or "gunicorn.socket" not in environ:
        return own
    unreader = getattr(getattr(environ["wsgi.input"], "reader", None), "unreader", None)
    detach: Callable[[], bytes] | None = getattr(unreader, "take_buffered", None)
    return detach


def request_body(environ: Environ) -> BodyReader:
    """The request's body; that of `app/servers/gunicorn_worker.py` knows its length and its end by itself."""
    source = environ["wsgi.input"]
    return source if hasattr(source, "length") else RequestInput(environ)


class RequestInput:
    """A request's body (`proxy.messages.BodyReader`), read from whatever other WSGI servers give as `wsgi.input`."""

    __slots__ = ("_left", "_read", "_source", "at_end", "length")

    def __init__(self, environ: Environ) -> None:
        if "HTTP_TRANSFER_ENCODING" in environ:
            self.length = CHUNKED
        else:
            self.length = int(environ.get("CONTENT_LENGTH") or 0)
        self._left = self.length
        self._source = source = environ["wsgi.input"]
        self._read: Callable[[int], bytes] = getattr(source, "read1", None) or _reader_of(environ, source)
        self.at_end = self.length == 0

    def read1(self, size: int) -> bytes:
        """A body that ends early (some servers hide that) is a client that has left."""
        if self.at_end:
            return b""
        data = self._read(size if self._left < 0 else min(size, self._left))
        if self.length == CHUNKED:
            self.at_end = not data or getattr(self._source, "at_end", False)
        elif not data:
            raise ClientGone
        else:
            self._left -= len(data)
            self.at_end = not self._left
        return data


def _reader_of(environ: Environ, source: Any) -> Callable[[int], bytes]:
    if "gunicorn.socket" in environ and hasattr(source, "reader"):
        return GunicornInput(source).read1
    read: Callable[[int], bytes] = source.read
    return read


class GunicornInput:
    """The body that gunicorn's own workers give, read as it comes.

    Its `read(n)` waits for all n bytes, so this asks its reader for the pieces that the reader is made of.
    """

    def __init__(self, body: Any) -> None:
        self._body = body
        self._reader = body.reader
        self._pieces: Iterator[bytes] | None = getattr(self._reader, "parser", None)  # it has one if it is chunked
        self._rest = b""

    def read1(self, size: int) -> bytes:
        from gunicorn.http.errors import NoMoreData, ParseException

        had_failed, self._body.failed = self._body.failed, True
        try:
            data = self._next_bytes(size) if self._pieces is None else self._next_piece(self._pieces, size)
        except ParseException as error:
            raise HttpSyntaxError(str(error)) from None
        except (NoMoreData, OSError):
            raise ClientGone from None
        # Not before: gunicorn would take what follows a read that broke off for the connection's next request.
        self._body.failed = had_failed
        return data

    def _next_piece(self, pieces: Iterator[bytes], size: int) -> bytes:
        data = self._rest or next(pieces, b"")
        data, self._rest = data[:size], data[size:]
        return data

    def _next_bytes(self, size: int) -> bytes:
        reader = self._reader
        data: bytes = reader.unreader.read(None, read_ahead=min(size, reader.length))
        if len(data) > size:
            reader.unreader.unread(data[size:])
            data = data[:size]
        reader.length -= len(data)
        return data
