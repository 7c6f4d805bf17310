"""The answer to a path that nothing serves: what it may have meant, in words, and for a person a page with the list."""

from __future__ import annotations

from html import escape
from itertools import islice
from urllib.parse import unquote_to_bytes

from flask import Response, request

from app.config import ROOT
from app.core.errors import ClientFault
from app.core.model import Snapshot
from app.core.suggestions import Suggester, Suggestion
from app.gateway import Gateway
from app.routes.errors import error_reply
from app.routes.wsgi_environ import raw_target, wants_page

_PAGE = (ROOT / "admin_ui" / "not_found.html").read_text()
MAX_SHOWN_CHARACTERS = 200
"""Of a path in an answer."""
MAX_LISTED = 200
"""Prefixes on the page; the dashboard has all."""


class UnknownPaths:
    def __init__(self, gateway: Gateway) -> None:
        self._catalog = gateway.catalog
        self._snapshot = Snapshot()
        self._suggester = Suggester(self._snapshot)

    def answer(self) -> Response:
        """404 `mapping_not_found`, for the request that Flask has in hand."""
        snapshot = self._catalog.snapshot
        if snapshot is not self._snapshot:
            self._snapshot, self._suggester = snapshot, Suggester(snapshot)
        environ = request.environ
        path = raw_target(environ).partition("?")[0]
        suggestion = self._suggester.suggest(path, has_anthropic_version="HTTP_ANTHROPIC_VERSION" in environ)
        shown = unquote_to_bytes(path.encode("latin-1")).decode(
            "utf-8", "replace"
        )  # Flask's path lost its first slashes
        if wants_page(environ):
            response = Response(_page(shown, suggestion, snapshot), 404, mimetype="text/html")
        else:
            error = ClientFault(404, "mapping_not_found", _message(shown, suggestion))
            status, headers, body = error_reply(error, environ["gateway.request_id"])
            response = Response(body, status, headers)
        response.headers["Vary"] = "Accept"
        return response


def _message(path: str, suggestion: Suggestion | None) -> str:
    said = f"no mapping for {_shown(path)}"
    if suggestion is not None and suggestion.misses_prefix:
        said += ": the prefix of a mapping is missing in front of it"
    if suggestion is not None and suggestion.path:
        wanted = _shown(suggestion.path)
        said += f"; ask for {wanted} (set it in the base URL)" if suggestion.misses_prefix else f" (is it {wanted}?)"
    return f"{said}; the dashboard at / lists what there is, POST /api/mappings adds one"


def _page(path: str, suggestion: Suggestion | None, snapshot: Snapshot) -> str:
    """Whole without scripts, in English; `js/not_found.js` takes its parts and says them in the person's language."""
    meant = ""
    if suggestion is not None:
        said = "The prefix of a mapping is missing in front of it." if suggestion.misses_prefix else ""
        kind = "missing" if suggestion.misses_prefix else "misspelt"
        href = escape(suggestion.path)
        link = f'Did you mean <a href="{href}">{escape(_shown(suggestion.path))}</a>?' if href else ""
        meant = f'<p id="suggestion" data-kind="{kind}">{said} {link}</p>'
    listed = "".join(f"<li><code>{escape(prefix)}</code></li>" for prefix in islice(snapshot.mappings, MAX_LISTED))
    return (
        _PAGE.replace("<!-- path -->", escape(_shown(path)))
        .replace("<!-- suggestion -->", meant)
        .replace("<!-- prefixes -->", f'<ul id="prefixes" data-count="{len(snapshot.mappings)}">{listed}</ul>')
    )


def _shown(path: str) -> str:
    return path if len(path) <= MAX_SHOWN_CHARACTERS else f"{path[:MAX_SHOWN_CHARACTERS]}…"
