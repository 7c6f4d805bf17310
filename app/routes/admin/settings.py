"""The operator's general limits: list and change; and what else a mapping may have of its own."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from app.core.network.addresses import only_here
from app.core.said.reading import Said
from app.core.said.shapes import AnyOf, Field, Listed, Named, OfKind, OneOf, Real, Shape, Text, Whole, YesOrNo
from app.core.setting_table import LIMITS, MAPPING_OPTIONS, SETTINGS, Setting
from app.core.settings import check_setting, values_of
from app.gateway import Gateway
from app.routes.admin.answers import AdminError
from app.routes.openapi.operation import Body, operation
from app.storage.catalog import settings

_KIND: dict[str, Field] = {
    "kind": OneOf(("int", "float", "bool", "text", "choice")),
    "unit": Text(),
    "meaning": Text(),
    "minimum": Real(),
    "maximum": Real(),
    "whole": YesOrNo(),
    "choices": Listed(Text()),
    "example": Text(),
}
_OF_ITS_KIND = ("minimum", "maximum", "whole", "choices", "example")
"""Told of some kinds only."""
_VALUE = AnyOf((YesOrNo(), Real(), Text()))
_SETTINGS = {
    "settings": Named(
        Shape(
            {"value": _VALUE, "set": YesOrNo(), "default": _VALUE, "per_mapping": YesOrNo(), **_KIND},
            optional=_OF_ITS_KIND,
        )
    ),
    "mapping_options": Named(Shape(_KIND, optional=_OF_ITS_KIND)),
    "version": Whole(),
}
_CHANGES = Body(
    Shape({name: OfKind(one.kind, meaning=one.meaning) for name, one in SETTINGS.items()}, has_any=True),
    {"idle_timeout": 60},
)


def add_settings_routes(admin: Blueprint, gateway: Gateway) -> None:
    catalog = gateway.catalog

    @admin.get("/settings")
    @operation(answer=_SETTINGS)
    def list_settings() -> Response:
        """Lists all settings, and what else a mapping may have of its own."""
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
    @operation(body=_CHANGES, answer={"message": Text(), "version": Whole()})
    def change_settings(said: Said) -> Response:
        """Changes settings. null takes a value back."""
        values = {name: None if value is None else check_setting(name, value) for name, value in said.values.items()}
        if values.get("anonymous_channels") and not only_here(gateway.config.host):
            text = f"anonymous_channels is for a loopback HOST: anybody who reaches {gateway.config.host} could call"
            raise AdminError(400, "invalid", text, "anonymous_channels")
        settings.change(catalog, values)
        return jsonify(success=True, message="Settings changed", version=catalog.snapshot.version)


def _described(setting: Setting) -> dict[str, Any]:
    return {**setting.kind.describe(), "meaning": setting.meaning}
