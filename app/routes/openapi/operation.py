"""A route of the admin API says here once what it takes and answers: it is read by that, and the document tells it.

    @admin.post("/channels/<channel_id>/copy")
    @operation("Copies a channel. What is observed of it stays.", body=COPY, answer={"channel": CHANNEL}, status=201)
    def copy_channel(said: Said, channel_id: str) -> Answer:

What the query says comes first, then what the body says, then what the path holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, Protocol

import orjson
from flask import request

from app.core.said.reading import Said, asked_in
from app.core.said.shapes import Field, OneOf, Shape, Text
from app.routes.admin.answers import CODES, AdminError, read_json

View = Callable[..., Any]
Answered = Shape | Mapping[str, Field] | str | tuple[str, ...]
"""All of an answer; or what stands in it beside `success`; or the type of one that is no JSON, or several."""

ADMIN: Final = ("bearer", "session")
"""Who may: any of these."""
ERROR: Final = Shape(
    {
        "error": Text(meaning="A sentence that says what to do"),
        "code": OneOf(CODES, meaning="For programs; stable"),
        "field": Text(meaning="The path of the value to blame, such as urls[0].url; left out where none is"),
    },
    optional=("field",),
    title="Error",
)


class Taken(Protocol):
    """What a route takes as its body."""

    is_optional: bool
    """Whether the body may be left out."""

    def read(self) -> Any:
        """What the route is given of it. Raises AdminError and Invalid."""

    def content(self) -> dict[str, Any]:
        """What the document tells of it, by type."""


@dataclass
class Body:
    """An object of JSON; a route is given it as Said."""

    shape: Shape
    example: Any
    """One that is taken; errors show it, too."""
    is_optional: bool = False
    """Nothing at all is taken for an object without fields."""

    def read(self) -> Any:
        """Raises AdminError and Invalid."""
        return self.said({} if self.is_optional and not request.content_length else read_json())

    def said(self, value: Any) -> Said:
        """What JSON means. Raises AdminError and Invalid."""
        if not isinstance(value, dict):
            text = f"Invalid request body: send a JSON object such as {orjson.dumps(self.example).decode()}"
            raise AdminError(400, "bad_json", text)
        return Said(value, "", self.shape)

    def content(self) -> dict[str, Any]:
        schema = {**self.shape.schema("said"), "type": "object"}  # and never null
        return {"application/json": {"schema": schema, "example": self.example}}


def form_content(name: str) -> dict[str, Any]:
    """What the document tells of a multipart form with a file of that name."""
    file = {"type": "string", "format": "binary"}
    return {"multipart/form-data": {"schema": {"type": "object", "properties": {name: file}, "required": [name]}}}


@dataclass(frozen=True)
class Operation:
    """What a route does, takes and answers."""

    about: str
    """In sentences; the first is its summary. No docstring: web processes go without those."""
    answers: Mapping[int, Answered]
    """By status: of those that are no error."""
    query: Shape | None = None
    fields: Mapping[str, Field] | None = None
    """Header fields that it reads."""
    body: Taken | None = None
    access: tuple[str, ...] = ADMIN
    """Empty: anybody may."""
    audited: bool | None = None
    """Whether it is an act that the audit tells of; None: where it is no GET."""
    group: str = ""
    """Under which the document tells it; empty: what its path begins with."""
    failure: Shape = ERROR
    """The shape of its errors."""


def operation(
    about: str,
    *,
    answer: Answered,
    status: int = 200,
    also: Mapping[int, Answered] | None = None,
    query: Mapping[str, Field] | None = None,
    fields: Mapping[str, Field] | None = None,
    body: Taken | None = None,
    access: tuple[str, ...] = ADMIN,
    audited: bool | None = None,
    group: str = "",
    failure: Shape = ERROR,
) -> Callable[[View], View]:
    """`also`: what it may answer with another status. `fields`: header fields, which the route reads itself."""
    asked = None if query is None else Shape(query)
    answers = {status: answer, **(also or {})}
    told = Operation(about, answers, asked, fields, body, access, audited, group, failure)

    def wrap(view: View) -> View:
        @wraps(view)
        def read_and_view(**path: Any) -> Any:
            read: list[Any] = [] if asked is None else [asked_in(request.args, asked)]
            if body is not None:
                read.append(body.read())
            return view(*read, **path)

        read_and_view.operation = told  # type: ignore[attr-defined]
        return read_and_view

    return wrap


def operation_of(view: View) -> Operation | None:
    """What `operation` said of a route; None where nobody did."""
    told: Operation | None = getattr(view, "operation", None)
    return told
