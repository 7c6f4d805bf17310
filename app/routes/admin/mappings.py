"""The operator's mappings: list, add, change, delete, reload."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.core.errors import InvalidMapping, OperatorFault
from app.core.routing import parse_mapping
from app.gateway import Gateway
from app.storage.catalog import MappingExists, MappingNotFound

Answer = Response | tuple[Response, int]


def add_mapping_routes(admin: Blueprint, gateway: Gateway) -> None:
    catalog = gateway.catalog

    @admin.get("/mappings")
    def list_mappings() -> Answer:
        snapshot = catalog.load()
        mappings = {prefix: mapping.target for prefix, mapping in snapshot.mappings.items()}
        return jsonify(
            success=True,
            count=len(mappings),
            mappings=mappings,
            rejected=snapshot.rejected,
            version=snapshot.version,
        )

    @admin.post("/mappings")
    def add_mapping() -> Answer:
        prefix, target = _text("prefix"), _text("target")
        gateway.dialer.check(parse_mapping(prefix, target))
        catalog.add_mapping(prefix, target)
        mapping = {"prefix": prefix, "target": target}
        return jsonify(success=True, message="Mapping added successfully", mapping=mapping), 201

    @admin.put("/mappings/<path:prefix>")
    def update_mapping(prefix: str) -> Answer:
        target = _text("target")
        gateway.dialer.check(parse_mapping(f"/{prefix}", target))
        catalog.update_mapping(f"/{prefix}", target)
        mapping = {"prefix": f"/{prefix}", "target": target}
        return jsonify(success=True, message="Mapping updated successfully", mapping=mapping)

    @admin.delete("/mappings/<path:prefix>")
    def delete_mapping(prefix: str) -> Answer:
        catalog.delete_mapping(f"/{prefix}")
        return jsonify(success=True, message="Mapping deleted successfully", prefix=f"/{prefix}")

    @admin.post("/mappings/reload")
    def reload_mappings() -> Answer:
        snapshot = catalog.load()
        return jsonify(success=True, message="Mappings reloaded", version=snapshot.version)

    @admin.errorhandler(InvalidMapping)
    @admin.errorhandler(MappingExists)
    @admin.errorhandler(OperatorFault)
    def refused(error: Exception) -> Answer:
        return jsonify(error=str(error)), 400

    @admin.errorhandler(MappingNotFound)
    def not_found(error: Exception) -> Answer:
        return jsonify(error=str(error)), 404


def _text(name: str) -> str:
    """A string of the JSON body. Raises InvalidMapping, which says what is missing."""
    body: Any = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise InvalidMapping('Invalid request body: send JSON such as {"prefix": "/openai", "target": "https://..."}')
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidMapping(f"{name} is missing: send it as a string in the JSON body")
    return value.strip()
