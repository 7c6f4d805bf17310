"""A WSGI environ as the engine's Inbound."""

from __future__ import annotations

from app.proxy.messages import Inbound
from app.routes.wsgi_environ import Environ, asked_upgrade, detach_of, request_body
from app.wire.http.headers import Headers
from app.wire.http.trace import TraceParent


def inbound_of(environ: Environ, headers: Headers, trace: TraceParent | None) -> Inbound:
    """`environ["gateway.request_id"]` is there already."""
    upgrade = asked_upgrade(environ) if "HTTP_UPGRADE" in environ else ""
    return Inbound(
        request_id=environ["gateway.request_id"],
        method=environ["REQUEST_METHOD"],
        headers=headers,
        connection=environ.get("HTTP_CONNECTION", ""),
        body=request_body(environ),
        # RFC 9110, 10.1.1: in a request of HTTP/1.0 it means nothing
        expects_continue="HTTP_EXPECT" in environ and environ["SERVER_PROTOCOL"] == "HTTP/1.1",
        client=environ.get("REMOTE_ADDR", ""),
        trace=trace,
        upgrade=upgrade,
        detach=detach_of(environ) if upgrade else None,
        client_socket=environ.get("gunicorn.socket"),
    )
