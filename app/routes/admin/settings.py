"""The operator's general limits: list and change."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from app.core.settings import LIMITS, SETTINGS, check_setting, values_of
from app.gateway import Gateway
from app.routes.admin.answers import AdminError, read_object


def add_settings_routes(admin: Blueprint, gateway: Gateway) -> None:
    catalog = gateway.catalog

    @admin.get("/settings")
    def list_settings() -> Response:
        snapshot = catalog.load()
        deployed = values_of(gateway.config.limits, gateway.config.settings)
        in_force = values_of(snapshot.limits, snapshot.settings)
        told = {
            name: {
                "value": in_force[name],
                "set": name in snapshot.changed,
                "default": deployed[name],
                **setting.kind.describe(),
                "per_mapping": name in LIMITS,
                "meaning": setting.meaning,
            }
            for name, setting in SETTINGS.items()
        }
        return jsonify(success=True, settings=told, version=snapshot.version)

    @admin.put("/settings")
    def change_settings() -> Response:
        body = read_object('{"idle_timeout": 60}; null takes a value back')
        if not body:
            raise AdminError(400, "invalid", "Invalid request body: name at least one setting")
        values = {
            name: None if value is None and name in SETTINGS else check_setting(name, value)
            for name, value in body.items()
        }
        catalog.change_settings(values)
        return jsonify(success=True, message="Settings changed", version=catalog.snapshot.version)
