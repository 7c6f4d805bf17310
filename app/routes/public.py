"""What anybody may see: the pages, their files, statistics and health."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from pathlib import Path

from flask import Blueprint, Response, jsonify, request, send_from_directory

from app.config import ROOT, Config
from app.core.errors import ClientFault
from app.core.said.reading import Said
from app.core.said.shapes import OneOf, Text
from app.core.statistics.windows import PANEL_SPANS, WINDOW_NAMES
from app.gateway import Gateway
from app.proxy import web_page
from app.proxy.api.choices import now_ms
from app.routes.openapi.operation import operation
from app.routes.openapi.public import CALL_ERROR, HEALTH, PANEL, STATISTICS
from app.routes.prepared import Prepared
from app.storage.statistics.panels import PanelReader
from app.storage.statistics.stats import STALE_AFTER_S
from app.wire.dialects.asked import ENDPOINTS

MAX_ENDPOINT = 300

PAGES: Path = ROOT / "admin_ui"

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

PAGE_FIELDS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-cache",
}
"""Of every answer of our own, unless it says otherwise."""

_IN_SPACE = PAGE_FIELDS | {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY.replace(
        "frame-ancestors 'none'", "frame-ancestors https://huggingface.co"
    )
}
del _IN_SPACE["X-Frame-Options"]  # it can name nobody

FRAMED_ENDPOINTS = frozenset({"public.dashboard", "address_page.address", None})
"""Pages that the page of a Space may show in a frame, that of an unknown path among them; never the admin's."""

STATS_ACCESS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type",
}
"""Figures without names or keys: any page may show them."""

_WINDOW = OneOf(("", *WINDOW_NAMES), "", meaning="Only this one; empty: all")

_ENDPOINT = Text(
    longest=MAX_ENDPOINT, meaning="A mapping's prefix or a path of calls to channels, whose traffic is told; empty: all"
)

MOST_PREPARED = 32
"""So many answers are kept compressed."""

_SPELLINGS = {
    "/admin/": "/admin",
    "/dashboard": "/",
    "/dashboard/": "/",
    "/health/": "/health",
    "/index": "/",
    "/stats/": "/stats",
}
"""What people type, and what they mean. A mapping of that name goes first."""


_FOR_GOOD = "public, max-age=31536000, immutable"


class PageFiles:
    """The files of the pages, at addresses that change with them: `/static/~<what is in all of them>/js/admin.js`.

    So a browser that has them asks for none again. Each imports the others by addresses relative to its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read_at = datetime.now(UTC)
        read = blake2b(digest_size=8)
        for path in sorted(os.path.join(here, name) for here, _, names in os.walk(folder) for name in names):
            content = Path(path).read_bytes()
            read.update(f"{os.path.relpath(path, folder)} {len(content)}\n".encode() + content)
        self.version = f"~{read.hexdigest()}"

    def page(self, name: str) -> Response:
        text = (self._folder / name).read_text().replace('"/static/', f'"/static/{self.version}/')
        response = Response(text, mimetype="text/html")
        response.add_etag()
        response.make_conditional(request)
        return response

    def file(self, name: str) -> Response:
        first, _, rest = name.partition("/")
        response = send_from_directory(self._folder, rest if first.startswith("~") else name)
        changed = response.last_modified
        if first == self.version and changed is not None and changed < self._read_at:
            response.headers["Cache-Control"] = _FOR_GOOD
        return response


def public_page_fields(config: Config) -> dict[str, str]:
    """PAGE_FIELDS of a page for anybody: in a Hugging Face Space it may stand in the frame of the Space's own page."""
    return _IN_SPACE if config.in_space else PAGE_FIELDS


def build_public(gateway: Gateway) -> Blueprint:
    public = Blueprint("public", __name__)
    files = PageFiles(PAGES)

    @public.get("/")
    @public.get("/index.html")
    def dashboard() -> Response:
        return files.page("index.html")

    @public.get("/admin")
    def admin() -> Response:
        return files.page("admin.html")

    for spelling, meant in _SPELLINGS.items():
        public.add_url_rule(spelling, f"meant{spelling}", partial(_lead, meant))

    @public.get("/static/<path:name>")
    def static(name: str) -> Response:
        return files.file(name)

    @public.get("/favicon.ico")
    def icon() -> Response:
        return send_from_directory(PAGES, "favicon.svg", mimetype="image/svg+xml")

    @public.get("/robots.txt")
    def robots() -> Response:
        return Response("User-agent: *\nDisallow: /\n", mimetype="text/plain")

    @public.post("/api/event_logging/batch")
    @public.post("/api/event_logging/v2/batch")
    def event_logging() -> Response:
        return jsonify({})  # Claude Code's telemetry, which goes nowhere

    _add_figures(public, gateway)
    _add_health(public, gateway)
    return public


def _add_figures(public: Blueprint, gateway: Gateway) -> None:
    prepared: dict[str, Prepared] = {}

    @public.route("/stats", methods=["GET", "OPTIONS"], provide_automatic_options=False)
    @operation(
        "Tells what has been served, over all and by endpoint.",
        query={"window": _WINDOW},
        answer=STATISTICS,
        access=(),
        group="gateway",
        failure=CALL_ERROR,
    )
    def stats(asked: Said) -> Response:
        if request.method == "OPTIONS":
            return Response(status=204, headers=STATS_ACCESS)
        return _stats(gateway, asked.any("window") or "", prepared)

    reader = PanelReader(gateway.stats)
    panels: dict[tuple[str, str], Prepared] = {}

    @public.route("/stats/<window>", methods=["GET", "OPTIONS"], provide_automatic_options=False)
    @operation(
        "Tells what the dashboard shows of one window: 1h, 24h, 7d or 30d.",
        query={"endpoint": _ENDPOINT},
        answer=PANEL,
        access=(),
        group="gateway",
        failure=CALL_ERROR,
    )
    def panel(asked: Said, window: str) -> Response:
        if request.method == "OPTIONS":
            return Response(status=204, headers=STATS_ACCESS)
        if window not in PANEL_SPANS:
            text = f"there is no window {window!r}; there are {', '.join(PANEL_SPANS)}"
            raise ClientFault(404, "unknown_window", text)
        endpoint = asked.any("endpoint") or ""
        if len(endpoint) > MAX_ENDPOINT:
            raise ClientFault(400, "unknown_endpoint", f"no endpoint is longer than {MAX_ENDPOINT} characters")
        body = reader.read(window, endpoint, _endpoints(gateway), now_ms())
        return _newest(panels, (window, endpoint), body).answer(request, STATS_ACCESS)


def _add_health(public: Blueprint, gateway: Gateway) -> None:
    @public.get("/health")
    @operation(
        "Tells how the gateway is. 503 when it can serve nothing.",
        answer=HEALTH,
        also={503: HEALTH},
        access=(),
        group="gateway",
        failure=CALL_ERROR,
    )
    def health() -> tuple[Response, int]:
        return _health(gateway)


def _stats(gateway: Gateway, window: str, prepared: dict[str, Prepared]) -> Response:
    """The statistics of the window that is asked for. `prepared`: what was said last, by window."""
    if window not in ("", *WINDOW_NAMES):
        text = f"there is no window {window!r}; there are {', '.join(WINDOW_NAMES)}, and all without the parameter"
        raise ClientFault(400, "unknown_window", text)
    snapshot = gateway.catalog.snapshot
    now = now_ms()
    gateway.choosing.health.settle(now)  # who has rested long enough is back, also where nobody calls
    counts = {
        "keys": gateway.choosing.pools.counts()._asdict(),
        "channels": {"total": len(snapshot.channels), "enabled": sum(channel.enabled for channel in snapshot.channels)},
    }
    body = gateway.stats.read(_endpoints(gateway), now, window, counts)
    if window not in prepared or prepared[window].body != body:
        prepared[window] = Prepared(body)
    return prepared[window].answer(request, STATS_ACCESS)


def _newest(known: dict[tuple[str, str], Prepared], name: tuple[str, str], body: bytes) -> Prepared:
    """What was said last, where it is still the same. `known` holds the latest that were asked for."""
    before = known.pop(name, None)
    known[name] = before if before is not None and before.body == body else Prepared(body)
    if len(known) > MOST_PREPARED:
        del known[next(iter(known))]
    return known[name]


def _endpoints(gateway: Gateway) -> list[str]:
    """All that may be called, as statistics name them."""
    snapshot = gateway.catalog.snapshot
    pages = [] if gateway.config.web_proxy == "off" else [web_page.ENDPOINT]
    return [*snapshot.mappings, *(ENDPOINTS if snapshot.channels else ()), *pages]


def _health(gateway: Gateway) -> tuple[Response, int]:
    """How the gateway is, and 503 when it can serve nothing."""
    snapshot = gateway.catalog.snapshot
    redis_trouble = gateway.stats.redis_trouble()
    redis_answers = not redis_trouble
    age_s = gateway.stats.worker_age_s() if redis_answers else None
    worker_alive = age_s is not None and age_s <= STALE_AFTER_S
    gateway.choosing.health.settle(now_ms())
    keys = gateway.choosing.pools.counts()
    lacks_keys = bool(snapshot.channels) and gateway.choosing.pools.loaded and not keys.usable
    needs_keys = all(mapping.channel for mapping in snapshot.mappings.values())
    can_serve = (redis_answers or bool(snapshot.mappings)) and not (lacks_keys and needs_keys)
    refused = {gateway.catalog.refused, gateway.recorder.refused if gateway.recorder is not None else ""}
    troubles = sorted(refused - {""}) if redis_answers else [redis_trouble]
    reasons = [f"Redis {trouble}" for trouble in troubles]
    if redis_answers and not worker_alive and gateway.recorder is not None:
        reasons.append("the worker does not roll up, so statistics wait")
    if gateway.catalog.doubt:
        reasons.append(gateway.catalog.doubt)
    if lacks_keys:
        reasons.append("no key of any channel may be used")
    report = {
        "status": "ok" if not reasons else "degraded" if can_serve else "unavailable",
        "reasons": reasons,
        "redis": redis_answers,
        "worker": {"alive": worker_alive, "last_roll_up_age_s": age_s},
        "mappings": len(snapshot.mappings),
        "rejected_mappings": len(snapshot.rejected),
        "keys": keys._asdict(),
        "version": snapshot.version,
    }
    return jsonify(report), 200 if can_serve else 503


def _lead(meant: str) -> Response:
    query = request.query_string.decode("latin-1")
    return Response(status=302, headers={"Location": f"{meant}?{query}" if query else meant})
