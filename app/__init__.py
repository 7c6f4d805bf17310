"""The AI API gateway: `create_app` makes the WSGI application."""

from __future__ import annotations

import atexit
import logging
import sys
from typing import TYPE_CHECKING

from app.compiled import keep_copy, use_copy

if TYPE_CHECKING:
    from flask import Flask

    from app.config import Config

IS_COMPILED = use_copy()
"""False: the hot path is interpreted."""


def create_app(config: Config | None = None) -> Flask:
    """The application of one web process, started. Raises ConfigError."""
    is_compiled = keep_copy()
    if "uwsgi" in sys.modules:
        from app.servers.uwsgi import end_at_a_stop

        end_at_a_stop()
    # Imported here because gunicorn's master and the worker import `app.config` and must stay small and unpatched.
    from app.config import load_config
    from app.gateway import build_gateway
    from app.routes import build_flask
    from app.telemetry.set_up import set_up_logging

    config = config or load_config()
    set_up_logging(config.log_level, config.log_format)
    log = logging.getLogger(__name__)
    log.info("the hot path is %s", "compiled" if is_compiled else "interpreted")
    if "uwsgi" in sys.modules:
        from app.storage.made_ready import fill_if_there

        fill_if_there(config, log.info)
    gateway = build_gateway(config)
    gateway.start()
    flask = build_flask(gateway)
    if "uwsgi" in sys.modules:
        from app.servers.uwsgi import UwsgiServer

        server = UwsgiServer(flask.wsgi_app, config.client_timeout_s, config.graceful_timeout_s)
        server.at_listeners(config.tcp_keepalive.set_on)
        server.at_exit(gateway.stop)
        flask.wsgi_app = server  # type: ignore[method-assign]
    else:
        atexit.register(gateway.stop)
    return flask
