"""What anybody may see: the pages, their files, statistics and health."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, jsonify, send_from_directory

from app.config import ROOT
from app.gateway import Gateway
from app.storage.connections import Redis, RedisError

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


def build_public(gateway: Gateway) -> Blueprint:
    public = Blueprint("public", __name__)

    @public.get("/")
    @public.get("/index.html")
    def dashboard() -> Response:
        return _page("index.html")

    @public.get("/admin")
    def admin() -> Response:
        return _page("admin.html")

    @public.get("/static/<path:name>")
    def static(name: str) -> Response:
        return send_from_directory(PAGES, name)

    @public.get("/favicon.ico")
    def icon() -> Response:
        return send_from_directory(PAGES, "favicon.svg", mimetype="image/svg+xml")

    @public.get("/robots.txt")
    def robots() -> Response:
        return Response("User-agent: *\nDisallow: /\n", mimetype="text/plain")

    @public.get("/health")
    def health() -> tuple[Response, int]:
        redis_answers = _answers(gateway.redis)
        mappings = len(gateway.catalog.snapshot.mappings)
        can_serve = redis_answers or mappings > 0
        report = {
            "status": "ok" if redis_answers else "degraded" if can_serve else "unavailable",
            "redis": redis_answers,
            "mappings": mappings,
            "version": gateway.catalog.snapshot.version,
        }
        return jsonify(report), 200 if can_serve else 503

    return public


def _page(name: str) -> Response:
    page = send_from_directory(PAGES, name)
    page.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return page


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False
