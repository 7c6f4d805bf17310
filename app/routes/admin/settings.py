"""The operator's general limits: list and change; and what else a mapping may have of its own."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from app.core.network.addresses import only_here
from app.core.setting_table import LIMITS, MAPPING_OPTIONS, SETTINGS, Setting
from app.core.settings import check_setting, values_of
from app.gateway import Gateway
from app.routes.admin.answers import AdminError, read_object
from app.storage.catalog import settings


def add_settings_routes(admin: Blueprint, gateway: Gateway) -> None:
    catalog = gateway.catalog

    @admin.get("/settings")
    def list_settings() -> Response:
        snapshot = catalog.in_hand()
        deployed = values_of(gateway.config.limits, gateway.config.settings)
        in_force = values_of(snapshot.limits, snapshot.settings)
        told = {
            name: {
                "value": in_force[name],
                "set": name in snapshot.changed,
                "default": deployed[name],
                "per_mapping": name in LIMITS,
                **_described(setting),
            }
            for name, setting in SETTINGS.items()
        }
        own = {name: _described(setting) for name, setting in MAPPING_OPTIONS.items()}
        return jsonify(success=True, settings=told, mapping_options=own, version=snapshot.version)

    @admin.put("/settings")
    def change_settings() -> Response:
        body = read_object('{"idle_timeout": 60}; null takes a value back')
        if not body:
            raise AdminError(400, "invalid", "Invalid request body: name at least one setting")
        values = {
            name: None if value is None and name in SETTINGS else check_setting(name, value)
            for name, value in body.items()
        }
        if values.get("anonymous_channels") and not only_here(gateway.config.host):
            text = f"anonymous_channels is for a loopback HOST: anybody who reaches {gateway.config.host} could call"
            raise AdminError(400, "invalid", text, "anonymous_channels")
        settings.change(catalog, values)
        return jsonify(success=True, message="Settings changed", version=catalog.snapshot.version)


def _described(setting: Setting) -> dict[str, Any]:
    return {**setting.kind.describe(), "meaning": setting.meaning}
