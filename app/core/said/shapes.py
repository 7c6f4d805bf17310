"""What may stand in a JSON object, field by field: `Said` reads by it, and the document of the admin API tells it.

A field is described once, where it is read. JSON Schema (2020-12, as OpenAPI 3.1 takes it) follows from that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from app.core.kinds import Kind

Schema = dict[str, Any]
Way = Literal["said", "asked", "answered"]
"""In a body, in a query, in an answer: null may stand in a body where a field may be left out, and means the same."""

DECIMAL = r"^\d{1,12}(\.\d{1,9})?$"
"""Money as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field(ABC):
    """What a value may be."""

    meaning: str = ""
    """For people who read the document."""
    example: Any = None
    """One that is taken, where the first that fits would not be."""
    is_needed: bool = False
    """Must be said."""
    is_null: bool = False
    """An answer says null where there is none."""

    def schema(self, way: Way, *, is_counted: bool = False) -> Schema:
        """`is_counted`: it counts whether it is said, so null may not stand for what is left out."""
        schema = self._schema(way)
        if self.is_null if way == "answered" else way == "said" and not (self.is_needed or is_counted):
            _allow_null(schema)
        if self.meaning:
            schema["description"] = self.meaning
        if self.example is not None:
            schema["examples"] = [self.example]
        return schema

    @abstractmethod
    def _schema(self, way: Way) -> Schema:
        """Without what all have in common."""


@dataclass(frozen=True, slots=True)
class Anything(Field):
    """Any JSON."""

    def _schema(self, way: Way) -> Schema:
        return {}


@dataclass(frozen=True, slots=True)
class Text(Field):
    """A text without blanks around it. One that is needed is not empty."""

    longest: int | None = None
    default: str = ""
    lines: bool = False
    """Whether it may have several."""
    pattern: str = ""

    def _schema(self, way: Way) -> Schema:
        schema: Schema = {"type": "string"}
        if way == "answered":
            return schema
        if self.longest is not None:
            schema["maxLength"] = self.longest
        if pattern := self.pattern or (r"\S" if self.is_needed else ""):
            schema["pattern"] = pattern
        return schema if self.is_needed or self.pattern else schema | {"default": self.default}


@dataclass(frozen=True, slots=True)
class Whole(Field):
    """A whole number in a span."""

    default: int = 0
    minimum: int | None = None
    maximum: int | None = None

    def _schema(self, way: Way) -> Schema:
        schema: Schema = {"type": "integer"}
        if way != "answered":
            schema |= _span(self.minimum, self.maximum)
            if not (self.is_needed or self.is_null):
                schema["default"] = self.default
        return schema


@dataclass(frozen=True, slots=True)
class Real(Field):
    """A number in a span."""

    default: float = 0.0
    minimum: float | None = None
    maximum: float | None = None

    def _schema(self, way: Way) -> Schema:
        schema: Schema = {"type": "number"}
        if way != "answered":
            schema |= _span(self.minimum, self.maximum)
            if not self.is_needed:
                schema["default"] = self.default
        return schema


@dataclass(frozen=True, slots=True)
class YesOrNo(Field):
    default: bool | None = False
    """None: neither."""

    def _schema(self, way: Way) -> Schema:
        schema: Schema = {"type": "boolean"}
        return schema if way == "answered" or self.default is None else schema | {"default": self.default}


@dataclass(frozen=True, slots=True)
class OneOf(Field):
    """One of some words."""

    words: tuple[str, ...]
    default: str | None = None
    """None where it is needed."""

    def _schema(self, way: Way) -> Schema:
        schema: Schema = {"type": "string", "enum": list(self.words)}
        return schema if way == "answered" or self.default is None else schema | {"default": self.default}


@dataclass(frozen=True, slots=True)
class SomeOf(Field):
    """Some of some words, each once; in a query with commas between them."""

    words: tuple[str, ...]

    def _schema(self, way: Way) -> Schema:
        schema: Schema = {"type": "array", "items": {"type": "string", "enum": list(self.words)}}
        return schema | {"minItems": 1} if self.is_needed and way != "answered" else schema


@dataclass(frozen=True, slots=True)
class Usd(Field):
    """Dollars, or a factor, as decimal text."""

    default: str | None = None

    def _schema(self, way: Way) -> Schema:
        schema: Schema = {"type": "string", "pattern": r"^-?\d+(\.\d+)?$" if way == "answered" else DECIMAL}
        return schema if way == "answered" or self.is_needed else schema | {"default": self.default}


@dataclass(frozen=True, slots=True)
class AnyOf(Field):
    """Any of some."""

    fields: tuple[Field, ...]

    def _schema(self, way: Way) -> Schema:
        return {"anyOf": [replace(one, is_needed=True).schema(way) for one in self.fields]}


@dataclass(frozen=True, slots=True)
class OfKind(Field):
    """What a setting may be; null takes it back."""

    kind: Kind

    def _schema(self, way: Way) -> Schema:
        return self.kind.schema()


@dataclass(frozen=True, slots=True)
class Listed(Field):
    """A list."""

    of: Field
    most: int | None = None
    least: int = 0

    def _schema(self, way: Way) -> Schema:
        schema: Schema = {"type": "array", "items": replace(self.of, is_needed=True).schema(way)}
        if way != "answered":
            schema |= _span(self.least or None, self.most, "minItems", "maxItems")
        return schema


@dataclass(frozen=True, slots=True)
class Named(Field):
    """An object whose names anybody may choose."""

    of: Field

    def _schema(self, way: Way) -> Schema:
        return {"type": "object", "additionalProperties": replace(self.of, is_needed=True).schema(way)}


@dataclass(frozen=True, slots=True)
class Shape(Field):
    """An object: which fields it has."""

    fields: Mapping[str, Field]
    read_only: Mapping[str, Field] = field(default_factory=dict)
    """What is answered with it: passed over where it comes back, so that what GET gave can be changed and PUT."""
    title: str = ""
    """Under which the document keeps it."""
    whole: str = "the body"
    """What errors call it."""
    one_of: tuple[str, ...] = ()
    """Just one of these must be said."""
    any_of: tuple[str, ...] = ()
    """One or more of these must be said."""
    unanswered: tuple[str, ...] = ()
    """Fields that are said, and told in other words."""
    optional: tuple[str, ...] = ()
    """Fields that an answer may lack."""
    is_partial: bool = False
    """An answer may lack any."""
    has_any: bool = False
    """Something must be said."""
    is_change: bool = False
    """What is not said stays as it is, so nothing is needed."""

    def changes(self) -> Shape:
        """The same, where only what changes is said."""
        return replace(self, is_change=True)

    def needing(self, *names: str, any_of: tuple[str, ...] = ()) -> Shape:
        """The same, where these must be said, and any of those."""
        needed = {name: replace(self.fields[name], is_needed=True) for name in names}
        return replace(self, fields={**self.fields, **needed}, any_of=any_of)

    def with_fields(self, **more: Field) -> Shape:
        return replace(self, fields={**self.fields, **more})

    def _schema(self, way: Way) -> Schema:
        if way == "answered":
            fields = {**self.fields, **self.read_only}
            known = {name: one for name, one in fields.items() if name not in self.unanswered}
            schema: Schema = {"properties": {name: known[name].schema(way) for name in known}}
            if not self.is_partial:
                schema["required"] = [name for name in known if name not in self.optional]
        else:
            schema = self._said_schema()
        if self.title:
            schema = {"title": self.title if way == "answered" else self._said_title(), **schema}
        return {"type": "object", **schema}

    def _said_title(self) -> str:
        return f"{self.title}Changes" if self.is_change else f"{self.title}Said"

    def _said_schema(self) -> Schema:
        counted = (*self.one_of, *self.any_of)
        fields = {name: one.schema("said", is_counted=name in counted) for name, one in self.fields.items()}
        passed_over: Schema = {name: {"readOnly": True} for name in self.read_only if name not in fields}
        needed = [] if self.is_change else [name for name, one in self.fields.items() if one.is_needed]
        schema: Schema = {"properties": fields | passed_over, "additionalProperties": False}
        if needed:
            schema["required"] = needed
        if self.has_any:
            schema["minProperties"] = 1
        for word, names in (("oneOf", self.one_of), ("anyOf", self.any_of)):
            if names:
                schema[word] = [{"required": [name]} for name in names]
        return schema


def _span(low: float | None, high: float | None, lowest: str = "minimum", highest: str = "maximum") -> Schema:
    return {name: bound for name, bound in ((lowest, low), (highest, high)) if bound is not None}


def _allow_null(schema: Schema) -> None:
    if "type" in schema:
        schema["type"] = [schema["type"], "null"]
    elif "anyOf" in schema:
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
