"""The operator's general limits: list and change."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.core.errors import InvalidSetting
from app.core.settings import SETTINGS, check_setting
from app.gateway import Gateway


def add_settings_routes(admin: Blueprint, gateway: Gateway) -> None:
    catalog = gateway.catalog

    @admin.get("/settings")
    def list_settings() -> Response:
        snapshot = catalog.load()
        deployed, in_force = gateway.config.limits.as_dict(), snapshot.limits.as_dict()
        told = {
            name: {
                "value": in_force[name],
                "set": name in snapshot.settings,
                "default": deployed[name],
                "minimum": setting.minimum,
                "maximum": setting.maximum,
                "unit": setting.unit,
                "whole": setting.kind is int,
                "per_mapping": setting.per_mapping,
                "meaning": setting.meaning,
            }
            for name, setting in SETTINGS.items()
        }
        return jsonify(success=True, settings=told, version=snapshot.version)

    @admin.put("/settings")
    def change_settings() -> Response:
        body: Any = request.get_json(silent=True)
        if not isinstance(body, dict) or not body:
            raise InvalidSetting(
                'Invalid request body: send JSON such as {"idle_timeout": 60}; null takes a value back'
            )
        values = {
            name: None if value is None and name in SETTINGS else check_setting(name, value)
            for name, value in body.items()
        }
        catalog.change_settings(values)
        return jsonify(success=True, message="Settings changed", version=catalog.snapshot.version)
