"""HTTP in, HTTP out; holds no rule. `build_flask` puts the doors together."""

from __future__ import annotations

from typing import Any

from flask import Flask

from app.gateway import Gateway
from app.routes.proxy import ProxyDoor


def build_flask(gateway: Gateway) -> Flask:
    flask = Flask(__name__, static_folder=None)
    flask.url_map.merge_slashes = False
    flask.wsgi_app = ProxyDoor(gateway, flask.wsgi_app)  # type: ignore[method-assign]
    return flask
