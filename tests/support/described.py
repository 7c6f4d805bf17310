"""The document of the admin API as tests use it: its operations, the least that each allows, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator

from tests.support.gateway import GatewayProcess, Reply

ODD: tuple[Any, ...] = ({}, [], [{}], True, 1.5, -(10**15), 10**15, "x" * 20_000)
"""Values of many kinds: what of them a schema refuses, its route must refuse."""


@dataclass(frozen=True)
class Described:
    """One operation of the document."""

    method: str
    path: str
    told: dict[str, Any]
    document: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """Of its query."""
        return [one for one in self.told.get("parameters", []) if one["in"] == "query"]

    @property
    def body(self) -> dict[str, Any] | None:
        """The schema of its JSON body, without references at its top."""
        content = self.told.get("requestBody", {}).get("content", {})
        return self.resolved(content["application/json"]["schema"]) if "application/json" in content else None

    @property
    def takes_a_file(self) -> bool:
        """And nothing but a file."""
        return self.body is None and "requestBody" in self.told

    @property
    def example(self) -> Any:
        return self.told["requestBody"]["content"]["application/json"]["example"]

    @property
    def needed(self) -> list[str]:
        return list((self.body or {}).get("required", []))

    @property
    def open(self) -> bool:
        return self.told.get("security") == []

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in schema:
            return schema
        found: dict[str, Any] = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found

    def least(self, schema: dict[str, Any]) -> Any:
        """The smallest value that a schema allows, or an example of one."""
        schema = self.resolved(schema)
        if "examples" in schema:
            return schema["examples"][0]
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type")
        match kind[0] if isinstance(kind, list) else kind:
            case "object":
                return self._least_object(schema)
            case "array":
                return [self.least(schema["items"])] * schema.get("minItems", 0)
            case "integer" | "number":
                return schema.get("minimum", 0)
            case "boolean":
                return True
        return "x"

    def _least_object(self, schema: dict[str, Any]) -> dict[str, Any]:
        properties = schema.get("properties", {})
        names = [*schema.get("required", []), *list(properties)[: schema.get("minProperties", 0)]]
        for word in ("oneOf", "anyOf"):
            names += schema.get(word, [{"required": []}])[0]["required"]
        return {name: self.least(properties[name]) for name in names}

    def alone(self, body: dict[str, Any], name: str) -> dict[str, Any]:
        """A body without what may not stand beside a field."""
        rivals = {one["required"][0] for one in (self.body or {}).get("oneOf", [])}
        return {other: value for other, value in body.items() if name not in rivals or other not in rivals}

    def misfits(self) -> Iterator[tuple[str, Any]]:
        """Fields of the body, each with values that its schema refuses: one of another kind, one beyond its bounds."""
        for name, schema in (self.body or {"properties": {}})["properties"].items():
            kind = {word: schema[word] for word in ("type", "anyOf", "$ref") if word in schema}
            whole, kinds = self._validator(schema, strict=False), self._validator(kind, strict=False)
            bad = [value for value in ODD if not whole.is_valid(value)]
            beyond = [value for value in bad if kinds.is_valid(value)]
            of_another = [value for value in bad if value not in beyond]
            for value in [*of_another[:1], *beyond[:1]]:
                yield name, value

    def misfit(self, body: Any) -> list[str]:
        """Why the document does not allow a body."""
        errors = self._validator(self.body or {}, strict=False).iter_errors(body)
        return [f"{one.json_path} {one.message[:300]}" for one in errors]

    def odd_parameters(self) -> Iterator[tuple[str, str]]:
        """Parameters of the query, each with a word that its schema refuses."""
        for one in self.parameters:
            schema = one["schema"]
            if schema["type"] in ("integer", "boolean") or "enum" in schema.get("items", schema):
                yield one["name"], "unheard"
            if "maximum" in schema:
                yield one["name"], str(schema["maximum"] + 1)

    def complaints(self, reply: Reply) -> list[str]:
        """What the document did not foresee of an answer: a status, a type, a field too many or missing."""
        responses = self.told["responses"]
        response = responses.get(str(reply.status)) or (responses["default"] if reply.status >= 400 else None)
        if response is None:
            return [f"{self} answers {reply.status}, which the document does not tell of: {reply.body[:300]!r}"]
        kind = (reply.field("content-type") or "").partition(";")[0]
        if "*/*" in response["content"]:
            return []
        if kind not in response["content"]:
            return [f"{self} answers {kind}, and the document says {', '.join(response['content'])}"]
        if kind != "application/json":
            return []
        validator = self._validator(response["content"][kind]["schema"], strict=True)
        return [
            f"{self} {reply.status}: {one.json_path} {one.message[:300]}" for one in validator.iter_errors(reply.json())
        ]

    def _validator(self, schema: dict[str, Any], *, strict: bool) -> Draft202012Validator:
        whole = {**schema, "components": self.document["components"]}
        return Draft202012Validator(_closed(whole) if strict else whole)


def operations_of(document: dict[str, Any]) -> list[Described]:
    return [
        Described(method, path, told, document)
        for path, operations in document["paths"].items()
        for method, told in operations.items()
    ]


def read_document(gateway: GatewayProcess) -> dict[str, Any]:
    reply = gateway.admin("GET", "/api/openapi.json")
    assert reply.status == 200, reply.body
    document: dict[str, Any] = reply.json()
    return document


def _closed(schema: Any) -> Any:
    """The same, where no object may have a field that is not described."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(one) for name, one in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") is not None:
        closed.setdefault("additionalProperties", False)
    return closed
