"""Cross-origin access for browser clients (Fetch standard, CORS protocol); the CORS setting switches it off."""

from __future__ import annotations

from app.wire.http.headers import Headers, find

MAX_AGE_S = 86_400


def is_preflight(headers: Headers) -> bool:
    """Whether an OPTIONS asks what a page may do, and not the upstream."""
    return find(headers, "origin") is not None and find(headers, "access-control-request-method") is not None


def preflight_headers(headers: Headers) -> Headers:
    """Allows what the browser asks for: credentials are the caller's own key, in a header, never a cookie."""
    return [
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Methods", find(headers, "access-control-request-method") or "*"),
        ("Access-Control-Allow-Headers", find(headers, "access-control-request-headers") or "*"),
        ("Access-Control-Max-Age", str(MAX_AGE_S)),
        ("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers"),
    ]


def add_access(response_headers: Headers) -> None:
    """Lets any origin read the answer, unless the upstream has said who may."""
    if find(response_headers, "access-control-allow-origin") is not None:
        return
    response_headers.append(("Access-Control-Allow-Origin", "*"))
    if find(response_headers, "access-control-expose-headers") is None:
        response_headers.append(("Access-Control-Expose-Headers", "*"))
