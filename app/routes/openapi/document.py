"""The document of the admin API (OpenAPI 3.1), made of what its routes say of themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from werkzeug.routing import Map, Rule

from app.core.said.shapes import Schema, Shape, SomeOf, YesOrNo
from app.routes.openapi.operation import Answered, Operation, operation_of

VERSION: Final = "3.1.0"
_PARAMETER: Final = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>")
_EXAMPLES: Final = {"prefix": "openai", "request_id": "req_1"}
"""Of what stands in paths; of any other an id."""
_SUCCESS: Final = YesOrNo(is_needed=True)
_ABOUT: Final = (
    "What an operator of the gateway may ask for and change. Times are in ms since 1970, money is decimal text in US "
    "dollars, ids are digits as text. What GET gave can be changed and PUT: fields that are read only are passed over."
)


def document(routes: Map, views: Mapping[str, Callable[..., Any]], pause: Callable[[], None]) -> dict[str, Any]:
    """All routes that say what they take and answer. `pause` is called after each: all of them take milliseconds."""
    schemas: dict[str, Schema] = {}
    paths: dict[str, dict[str, Any]] = {}
    for rule in sorted(routes.iter_rules(), key=lambda rule: rule.rule):
        told = operation_of(views[rule.endpoint])
        if told is None:
            continue
        path = paths.setdefault(_PARAMETER.sub(r"{\1}", rule.rule), {})
        for method in methods_of(rule):
            path[method.lower()] = _keep_titled(_operation(rule, method, told), schemas)
        pause()
    return {
        "openapi": VERSION,
        "info": {"title": "Admin API of the gateway", "version": "1", "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "ADMIN_TOKEN"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "api_proxy_admin",
                    "description": "What POST /api/admin/login sets in a browser",
                },
            },
        },
    }


def name_of_operation(endpoint: str) -> str:
    """What the document, and the audit, call it."""
    return endpoint.removeprefix("admin.").replace(".", "_")


def methods_of(rule: Rule) -> list[str]:
    """Those that a route was written for; Flask adds HEAD and OPTIONS."""
    return sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})


def _operation(rule: Rule, method: str, told: Operation) -> dict[str, Any]:
    summary, _, rest = told.about.partition(". ")
    name = name_of_operation(rule.endpoint)
    operation: dict[str, Any] = {
        "tags": [told.group or _group(rule.rule)],
        "summary": summary.removesuffix("."),
        "operationId": name if len(methods_of(rule)) == 1 else f"{name}_{method.lower()}",
    }
    if rest:
        operation["description"] = rest
    if told.access != ("bearer", "session"):
        operation["security"] = [{scheme: []} for scheme in told.access]
    parameters = [*_path_parameters(rule), *_query_parameters(told.query), *_header_parameters(told)]
    if parameters:
        operation["parameters"] = parameters
    if told.body is not None:
        operation["requestBody"] = {"required": not told.body.is_optional, "content": told.body.content()}
    operation["responses"] = {str(status): _response(status, answer) for status, answer in told.answers.items()}
    operation["responses"]["default"] = {
        "description": "It was not done; the error says why",
        "content": {"application/json": {"schema": told.failure.schema("answered")}},
    }
    return operation


def _group(path: str) -> str:
    segments = [segment for segment in path.split("/") if segment]
    return "keys" if "keys" in segments else segments[segments[0] == "api" and len(segments) > 1]


def _path_parameters(rule: Rule) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1},
            "example": _EXAMPLES.get(name, "1"),
        }
        for name in _PARAMETER.findall(rule.rule)
    ]


def _query_parameters(query: Shape | None) -> list[dict[str, Any]]:
    if query is None:
        return []
    parameters = []
    for name, field in query.fields.items():
        schema = field.schema("asked")
        parameter: dict[str, Any] = {"name": name, "in": "query", "required": field.is_needed, "schema": schema}
        if "description" in schema:
            parameter["description"] = schema.pop("description")
        if isinstance(field, SomeOf):
            parameter |= {"style": "form", "explode": False}
        parameters.append(parameter)
    return parameters


def _header_parameters(told: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "header", "description": field.meaning, "schema": {"type": "string"}}
        for name, field in (told.fields or {}).items()
    ]


def _response(status: int, answer: Answered) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if isinstance(answer, str | tuple):
        types = (answer,) if isinstance(answer, str) else answer
        return described | {"content": {type: {"schema": {"type": "string"}} for type in types}}
    shape = answer if isinstance(answer, Shape) else Shape({"success": _SUCCESS, **answer})
    return described | {"content": {"application/json": {"schema": shape.schema("answered")}}}


def _keep_titled(value: Any, schemas: dict[str, Schema]) -> Any:
    """The same, with references in place of the schemas that have a title; those are kept by it."""
    if isinstance(value, list):
        return [_keep_titled(one, schemas) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {name: one if name in ("example", "examples") else _keep_titled(one, schemas) for name, one in value.items()}
    title = kept.pop("title", None) if isinstance(value.get("properties"), dict) else None
    if not isinstance(title, str) or kept["type"] != "object":
        return kept
    schemas[title] = kept
    return {"$ref": f"#/components/schemas/{title}"}
