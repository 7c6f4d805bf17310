"""The operator's general settings: list, change and take back; and what else a mapping may have of its own."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response, jsonify

from app.core.said.reading import Said
from app.core.said.shapes import AnyOf, Field, Listed, Named, OfKind, OneOf, Real, Shape, SomeOf, Text, Whole, YesOrNo
from app.core.setting_table import GROUPS, MAPPING_OPTIONS, SETTINGS, Setting
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
_GENERAL: dict[str, Field] = {
    "value": _VALUE,
    "set": YesOrNo(meaning="Whether it was set here, and is not the default"),
    "default": _VALUE,
    "group": OneOf(tuple(GROUPS)),
    "per_mapping": YesOrNo(meaning="Whether a mapping may have its own"),
    "per_channel": YesOrNo(meaning="Whether a channel may have its own"),
}
_SETTINGS = {
    "settings": Named(Shape({**_GENERAL, **_KIND}, optional=_OF_ITS_KIND)),
    "mapping_options": Named(Shape(_KIND, optional=_OF_ITS_KIND)),
    "version": Whole(),
}
_CHANGES = Body(
    Shape({name: OfKind(one.kind, meaning=one.meaning) for name, one in SETTINGS.items()}, has_any=True),
    {"idle_timeout": 60},
)
_NAMES = Body(Shape({"names": SomeOf(tuple(SETTINGS), is_needed=True)}), {"names": ["idle_timeout"]})
_CHANGED: dict[str, Field] = {"message": Text(), "version": Whole()}


def add_settings_routes(admin: Blueprint, gateway: Gateway) -> None:
    catalog = gateway.catalog

    @admin.get("/settings")
    @operation(
        "Lists all settings, and what else a mapping may have of its own. They stand as they are best shown.",
        answer=_SETTINGS,
    )
    def list_settings() -> Response:
        # jsonify would sort them
        return Response(orjson.dumps(_all_settings(gateway)), mimetype="application/json")

    @admin.put("/settings")
    @operation("Changes settings. null takes a value back.", body=_CHANGES, answer=_CHANGED)
    def change_settings(said: Said) -> Response:
        values = {name: None if value is None else check_setting(name, value) for name, value in said.values.items()}
        if values.get("anonymous_channels") and gateway.config.exposure:
            text = f"anonymous_channels is for this machine alone: {gateway.config.exposure}, so anybody could call"
            raise AdminError(400, "invalid", text, "anonymous_channels")
        settings.change(catalog, values)
        return jsonify(success=True, message="Settings changed", version=catalog.snapshot.version)

    @admin.post("/settings/reset")
    @operation(
        "Takes settings back to the deployment's values. What mappings and channels have of their own stays.",
        body=_NAMES,
        answer=_CHANGED,
    )
    def reset_settings(said: Said) -> Response:
        settings.change(catalog, dict.fromkeys(said.words("names")))
        return jsonify(success=True, message="Settings taken back", version=catalog.snapshot.version)


def _all_settings(gateway: Gateway) -> dict[str, Any]:
    snapshot = gateway.catalog.in_hand()
    deployed = values_of(gateway.config.limits, gateway.config.settings)
    in_force = values_of(snapshot.limits, snapshot.settings)
    told = {
        name: {
            "value": in_force[name],
            "set": name in snapshot.changed,
            "default": deployed[name],
            "group": setting.group,
            "per_mapping": "mapping" in setting.owners,
            "per_channel": "channel" in setting.owners,
            **_described(setting),
        }
        for name, setting in SETTINGS.items()
    }
    own = {name: _described(setting) for name, setting in MAPPING_OPTIONS.items()}
    return {"success": True, "settings": told, "mapping_options": own, "version": snapshot.version}


def _described(setting: Setting) -> dict[str, Any]:
    return {**setting.kind.describe(), "meaning": setting.meaning}
