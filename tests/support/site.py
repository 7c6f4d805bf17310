"""A web site on loopback: a table of pages, or a folder of files; it remembers what it was asked for."""

from __future__ import annotations

import http.server
import mimetypes
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class Site:
    """`pages` maps a path to its type and body; what is not there comes from `folder`."""

    pages: dict[str, tuple[str, str]] = field(default_factory=dict)
    folder: Path | None = None
    fields: dict[str, str] = field(default_factory=dict)
    """Header fields of every answer; an `ETag` is compared, `WWW-Authenticate` takes any password."""
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    """Method, target, header fields by lower-case name, body."""

    def __post_init__(self) -> None:
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                sent = {name.lower(): value for name, value in self.headers.items()}
                site.asked.append((self.command, self.path, sent, body))
                status, kind, content = site.find(urlsplit(self.path).path)
                if sent.get("if-none-match", "").removeprefix("W/") == site.fields.get("ETag", "-"):
                    status, content = 304, b""
                elif "WWW-Authenticate" in site.fields and "authorization" not in sent:
                    status = 401
                self.send_response(status)
                for name, value in ({"Content-Type": kind, "Content-Length": str(len(content))} | site.fields).items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - http.server's names

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def find(self, path: str) -> tuple[int, str, bytes]:
        if path in self.pages:
            kind, text = self.pages[path]
            return 200, kind, text.encode()
        file = self.folder / unquote(path).lstrip("/") if self.folder else None
        if file is not None and file.is_dir():
            file /= "index.html"
        if file is None or not file.is_file():
            return 404, "text/plain", b"not here"
        return 200, mimetypes.guess_type(file.name)[0] or "application/octet-stream", file.read_bytes()

    def paths(self, method: str = "GET") -> list[str]:
        return [target for asked, target, _, _ in self.asked if asked == method]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


Serve = Callable[..., Site]
"""Starts a site; it ends with the test."""
