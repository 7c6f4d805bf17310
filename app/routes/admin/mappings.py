"""The operator's mappings: list, add, change, delete, reload."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from types import MappingProxyType
from typing import Any

from flask import Blueprint, Response, jsonify

from app.core.channels.definition import comparable
from app.core.errors import InvalidMapping
from app.core.kinds import Value
from app.core.model import Mapping
from app.core.routing import parse_mapping
from app.core.settings import check_options, shown_options, unmasked_options
from app.core.snapshot import CHANNELS
from app.gateway import Gateway
from app.routes.admin.answers import read_object
from app.storage.catalog import mappings

Answer = Response | tuple[Response, int]


def add_mapping_routes(admin: Blueprint, gateway: Gateway) -> None:
    catalog = gateway.catalog

    @admin.get("/mappings")
    def list_mappings() -> Answer:
        snapshot = catalog.in_hand()
        targets = {prefix: mapping.target for prefix, mapping in snapshot.mappings.items()}
        return jsonify(
            success=True,
            count=len(targets),
            mappings=targets,
            options={prefix: shown_options(options) for prefix, options in snapshot.options.items()},
            rejected={name: str(error) for name, error in snapshot.rejected.items()},
            rejected_errors={name: error.told() for name, error in snapshot.rejected.items()},
            version=snapshot.version,
        )

    @admin.post("/mappings")
    def add_mapping() -> Answer:
        prefix, target = _text("prefix"), _text("target")
        options = _options()
        _check_target(gateway, parse_mapping(prefix, target))
        mappings.add(catalog, prefix, target, options)
        mapping = _told(prefix, target, options)
        return jsonify(success=True, message="Mapping added successfully", mapping=mapping), 201

    @admin.put("/mappings/<path:prefix>")
    def update_mapping(prefix: str) -> Answer:
        options = _options(catalog.snapshot.options.get(f"/{prefix}", {}))
        target = None if options is not None and "target" not in _body() else _text("target")
        if target is not None:
            _check_target(gateway, parse_mapping(f"/{prefix}", target))
        mappings.update(catalog, f"/{prefix}", target, options)
        mapping = _told(f"/{prefix}", target, options)
        return jsonify(success=True, message="Mapping updated successfully", mapping=mapping)

    @admin.delete("/mappings/<path:prefix>")
    def delete_mapping(prefix: str) -> Answer:
        mappings.delete(catalog, f"/{prefix}")
        return jsonify(success=True, message="Mapping deleted successfully", prefix=f"/{prefix}")

    @admin.post("/mappings/reload")
    def reload_mappings() -> Answer:
        snapshot = catalog.reload()
        return jsonify(success=True, message="Mappings reloaded", version=snapshot.version)


def _check_target(gateway: Gateway, mapping: Mapping) -> None:
    """Raises InvalidMapping for a channel that does not exist, and AddressRefused."""
    if not mapping.channel:
        gateway.dialer.check(mapping.upstream)
    elif comparable(mapping.channel) not in CHANNELS.of(gateway.catalog.in_hand()).by_name:
        raise InvalidMapping(f"there is no channel {mapping.channel!r}: add it first", "target")


def _body() -> dict[str, Any]:
    """`prefix` may stand in a change too: what was listed can be sent back. The path says which mapping is meant."""
    return read_object('{"prefix": "/openai", "target": "https://..."}', known=("prefix", "target", "options"))


def _options(stored: MappingOf[str, Value] = MappingProxyType({})) -> dict[str, Value] | None:
    """What the body sets for this mapping; None when it says nothing of it. `stored`: what holds until then."""
    options = _body().get("options")
    if options is None:
        return None
    return check_options(unmasked_options(options, stored) if isinstance(options, dict) else options)


def _told(prefix: str, target: str | None, options: dict[str, Value] | None) -> dict[str, Any]:
    """A mapping that was set, as the answer shows it: without what the request did not say."""
    said = {"target": target, "options": options and shown_options(options)}
    return {"prefix": prefix} | {name: value for name, value in said.items() if value is not None}


def _text(name: str) -> str:
    """A string of the JSON body. Raises InvalidMapping, which says what is missing."""
    value = _body().get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidMapping(f"{name} is missing: send it as a string in the JSON body", name)
    return value.strip()
