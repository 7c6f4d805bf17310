"""The operator's mappings: list, add, change, delete, reload."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from types import MappingProxyType
from typing import Any

from flask import Blueprint, Response, jsonify

from app.core.channels.definition import comparable
from app.core.channels.shape import own_options
from app.core.errors import InvalidMapping
from app.core.kinds import Value
from app.core.model import Mapping
from app.core.routing import parse_mapping
from app.core.said.reading import Said
from app.core.said.shapes import Named, Shape, Text, Whole
from app.core.setting_table import OPTIONS
from app.core.settings import check_options, shown_options, unmasked_options
from app.core.snapshot import CHANNELS
from app.gateway import Gateway
from app.routes.openapi.operation import Body, operation
from app.storage.catalog import mappings

Answer = Response | tuple[Response, int]

_OPTIONS = own_options(OPTIONS)
_TARGET = Text(is_needed=True, example="https://api.openai.com", meaning="An address, or channel:<name>")
_ADDED = Body(
    Shape({"prefix": Text(is_needed=True, example="/openai"), "target": _TARGET, "options": _OPTIONS}),
    {"prefix": "/openai", "target": "https://api.openai.com"},
)
_GIVEN = Body(
    Shape({"target": _TARGET, "options": _OPTIONS}, {"prefix": Text()}, any_of=("target", "options"), is_change=True),
    {"options": {"idle_timeout": 60}},
)
"""`prefix` may stand in a change too: what was listed can be sent back. The path says which mapping is meant."""
_CHANGED = {
    "message": Text(),
    "mapping": Shape({"prefix": Text(), "target": Text(), "options": _OPTIONS}, is_partial=True),
}
_MAPPINGS = {
    "count": Whole(),
    "mappings": Named(Text(), meaning="Targets by prefix"),
    "options": Named(_OPTIONS, meaning="By prefix, of those that have any"),
    "rejected": Named(Text(), meaning="Why something stored cannot be, by its name"),
    "rejected_errors": Named(Shape({"code": Text(), "field": Text()}, is_partial=True)),
    "version": Whole(),
}


def add_mapping_routes(admin: Blueprint, gateway: Gateway) -> None:
    catalog = gateway.catalog
    _add_changes(admin, gateway)

    @admin.get("/mappings")
    @operation("Lists the mappings, and what of them cannot be.", answer=_MAPPINGS)
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

    @admin.post("/mappings/reload")
    @operation("Reads all that is stored again.", answer={"message": Text(), "version": Whole()})
    def reload_mappings() -> Answer:
        snapshot = catalog.reload()
        return jsonify(success=True, message="Mappings reloaded", version=snapshot.version)


def _add_changes(admin: Blueprint, gateway: Gateway) -> None:
    catalog = gateway.catalog

    @admin.post("/mappings")
    @operation("Adds a mapping.", body=_ADDED, answer=_CHANGED, status=201)
    def add_mapping(said: Said) -> Answer:
        prefix, target = said.text("prefix"), said.text("target")
        options = _options(said)
        _check_target(gateway, parse_mapping(prefix, target))
        mappings.add(catalog, prefix, target, options)
        mapping = _told(prefix, target, options)
        return jsonify(success=True, message="Mapping added successfully", mapping=mapping), 201

    @admin.put("/mappings/<path:prefix>")
    @operation("Changes a mapping. Options that are said replace all that it has.", body=_GIVEN, answer=_CHANGED)
    def update_mapping(said: Said, prefix: str) -> Answer:
        options = _options(said, catalog.snapshot.options.get(f"/{prefix}", {}))
        target = said.text("target") if said.has("target") else None
        if target is not None:
            _check_target(gateway, parse_mapping(f"/{prefix}", target))
        mappings.update(catalog, f"/{prefix}", target, options)
        mapping = _told(f"/{prefix}", target, options)
        return jsonify(success=True, message="Mapping updated successfully", mapping=mapping)

    @admin.delete("/mappings/<path:prefix>")
    @operation("Deletes a mapping.", answer={"message": Text(), "prefix": Text()})
    def delete_mapping(prefix: str) -> Answer:
        mappings.delete(catalog, f"/{prefix}")
        return jsonify(success=True, message="Mapping deleted successfully", prefix=f"/{prefix}")


def _check_target(gateway: Gateway, mapping: Mapping) -> None:
    """Raises InvalidMapping for a channel that does not exist, and AddressRefused."""
    if not mapping.channel:
        gateway.dialer.check(mapping.upstream)
    elif comparable(mapping.channel) not in CHANNELS.of(gateway.catalog.in_hand()).by_name:
        raise InvalidMapping(f"there is no channel {mapping.channel!r}: add it first", "target")


def _options(said: Said, stored: MappingOf[str, Value] = MappingProxyType({})) -> dict[str, Value] | None:
    """What the body sets for this mapping; None when it says nothing of it. `stored`: what holds until then."""
    options = said.any("options")
    if options is None:
        return None
    return check_options(unmasked_options(options, stored) if isinstance(options, dict) else options)


def _told(prefix: str, target: str | None, options: dict[str, Value] | None) -> dict[str, Any]:
    """A mapping that was set, as the answer shows it: without what the request did not say."""
    said = {"target": target, "options": options and shown_options(options)}
    return {"prefix": prefix} | {name: value for name, value in said.items() if value is not None}
