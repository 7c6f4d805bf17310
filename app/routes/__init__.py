"""HTTP in, HTTP out; holds no rule. `build_flask` puts the doors together."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from app.core.errors import ClientFault, GatewayError, OperatorFault
from app.gateway import Gateway
from app.routes import cors
from app.routes.address_page import build_address_page
from app.routes.admin.answers import MAX_BODY_BYTES, error_answer
from app.routes.admin.calls.active import add_active_routes
from app.routes.admin.channel_acts import add_channel_act_routes
from app.routes.admin.channels import add_channel_routes
from app.routes.admin.explain import add_explain_route
from app.routes.admin.files.channel_files import add_channel_file_routes
from app.routes.admin.guard import build_admin
from app.routes.admin.keeping.acts import Auditing
from app.routes.admin.keeping.audit import add_audit_route
from app.routes.admin.keeping.backup import add_backup_routes
from app.routes.admin.keys import add_key_routes
from app.routes.admin.logs.log import add_log_routes
from app.routes.admin.mappings import add_mapping_routes
from app.routes.admin.outcome_rules import add_outcome_rule_routes
from app.routes.admin.playground.playground import add_playground_route
from app.routes.admin.prices import add_price_routes
from app.routes.admin.probes import add_probe_routes
from app.routes.admin.root import build_root
from app.routes.admin.settings import add_settings_routes
from app.routes.admin.statistics.series import add_series_routes
from app.routes.admin.statistics.stats import add_stats_routes
from app.routes.admin.tasks.tasks import add_task_routes
from app.routes.admin.tokens import add_token_routes
from app.routes.admin.warnings.warnings import add_warning_route
from app.routes.api_door import ApiDoor
from app.routes.ccload import build_ccload, is_ccloads
from app.routes.ccload.envelope import failed as ccload_answer
from app.routes.errors import error_reply
from app.routes.openapi.route import add_openapi_route
from app.routes.proxy import ProxyDoor
from app.routes.public import FRAMED_ENDPOINTS, PAGE_FIELDS, build_public, public_page_fields
from app.routes.unknown_path import UnknownPaths
from app.routes.web_proxy import WebProxyDoor
from app.routes.wsgi_environ import raw_headers
from app.wire.http.headers import Headers

log = logging.getLogger(__name__)


def build_flask(gateway: Gateway) -> Flask:
    """The application: proxied paths go past Flask, all others to its blueprints."""
    flask = Flask(__name__, static_folder=None)
    flask.url_map.merge_slashes = False
    flask.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES  # proxied bodies do not come by here
    admin = build_admin(gateway)
    add_mapping_routes(admin, gateway)
    add_settings_routes(admin, gateway)
    add_channel_routes(admin, gateway)
    add_channel_act_routes(admin, gateway)
    add_channel_file_routes(admin, gateway)
    add_key_routes(admin, gateway)
    add_outcome_rule_routes(admin, gateway)
    add_explain_route(admin, gateway)
    add_task_routes(admin, gateway)
    add_probe_routes(admin, gateway)
    add_playground_route(admin, gateway)
    add_token_routes(admin, gateway)
    add_log_routes(admin, gateway)
    add_active_routes(admin, gateway)
    add_stats_routes(admin, gateway)
    add_series_routes(admin, gateway)
    add_price_routes(admin, gateway)
    add_warning_route(admin, gateway)
    add_backup_routes(admin, gateway)
    add_audit_route(admin, gateway)
    add_openapi_route(admin)
    flask.after_request(Auditing(gateway, flask.view_functions).finish)
    flask.register_blueprint(admin)
    flask.register_blueprint(build_root(gateway))
    flask.register_blueprint(build_ccload(gateway))
    flask.register_blueprint(build_public(gateway))
    flask.register_blueprint(build_address_page(gateway))
    unknown_paths = UnknownPaths(gateway)
    flask.register_error_handler(HTTPException, lambda error: _http_error(error, gateway, unknown_paths))
    flask.register_error_handler(GatewayError, _reply)
    flask.register_error_handler(Exception, _failure)
    public_fields = public_page_fields(gateway.config)
    flask.after_request(lambda response: _finish(response, public_fields))
    if gateway.config.cors:
        flask.after_request(_let_origins_read)  # Flask goes through these from the last to the first
    flask.wsgi_app = ProxyDoor(gateway, ApiDoor(gateway, WebProxyDoor(gateway, flask.wsgi_app)))  # type: ignore[method-assign]
    return flask


def _http_error(error: HTTPException, gateway: Gateway, unknown_paths: UnknownPaths) -> Any:
    if _is_admin(request.path):
        return error_answer(error)
    if is_ccloads(request.path):
        return ccload_answer(error)
    if error.response is not None:
        return error.response  # made by abort()
    if error.code == 404 and not gateway.catalog.loaded:
        trouble = gateway.stats.redis_trouble() or "did not answer"
        text = f"Redis {trouble}, so the mappings are not known yet; try again soon"
        return _reply(OperatorFault(503, "not_ready", text, retry_after_s=2))
    if error.code == 404:
        return unknown_paths.answer()
    return _reply(ClientFault(error.code or 500, "bad_request", error.description or "the request cannot be served"))


def _failure(error: Exception) -> Any:
    log.exception("%s %s failed", request.method, request.path, exc_info=error)
    if _is_admin(request.path):
        return error_answer(error)
    if is_ccloads(request.path):
        return ccload_answer(error)
    return _reply(OperatorFault(500, "internal_error", "the gateway failed; its log says why"))


def _reply(error: GatewayError) -> Response:
    status, headers, body = error_reply(error, request.environ["gateway.request_id"])
    return Response(body, status, headers)


def _let_origins_read(response: Response) -> Response:
    """Lets browser clients that meant a mapping read why they are not served; a preflight opens the way to that."""
    is_the_admins = _is_admin(request.path) or is_ccloads(request.path) or request.blueprint == "root"
    if response.status_code < 400 or "Origin" not in request.headers or is_the_admins:
        return response  # a page of anybody's must not try tokens from where the admin sits
    asked = raw_headers(request.environ)
    if request.method == "OPTIONS" and cors.is_preflight(asked):
        return Response(status=204, headers=cors.preflight_headers(asked))
    access: Headers = []
    cors.add_access(access)
    response.headers.extend(access)
    return response


def _is_admin(path: str) -> bool:
    return path.startswith("/api/")


def _finish(response: Response, public_fields: dict[str, str]) -> Response:
    response.headers["X-Request-Id"] = response.headers["X-Gateway-Request-Id"] = request.environ["gateway.request_id"]
    if _is_admin(request.path):
        response.headers.setdefault("Cache-Control", "no-store")
    fields = public_fields if request.endpoint in FRAMED_ENDPOINTS and not _is_admin(request.path) else PAGE_FIELDS
    for name, value in fields.items():
        response.headers.setdefault(name, value)
    return response
