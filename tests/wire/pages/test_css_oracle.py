"""Stylesheets, judged by a parser that is not ours: only the addresses differ between what came and what goes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tinycss2
from hypothesis import given
from hypothesis import strategies as st

from app.wire.pages.links import Links
from tests.support.css_table import FRAGMENTS, PAGE, REWRITTEN, STAYS, rewritten
from tests.support.examples import examples

Change = Callable[[str], str]
IMAGE_FUNCTIONS = {"image-set", "-webkit-image-set", "image"}

NOT_READ_RIGHT = re.compile(r"url\(.*\\[\n\r\f\\]", re.IGNORECASE | re.DOTALL)
"""This parser takes a backslash before a line break for a character of the address, and `\\\\)` in a void one for an
escaped parenthesis; the tables have these cases."""


def proxied(reference: str) -> str:
    change = Links(PAGE, "/proxy/").rewrite(reference.encode())
    return reference if change is None else change.decode()


class Flat:
    """A sheet's tokens in their order, with what `change` makes of its addresses."""

    def __init__(self, sheet: str, change: Change) -> None:
        self._change = change
        self._in_namespace = False
        self.tokens = list(self._walk(tinycss2.parse_component_value_list(sheet, skip_comments=True), "", ""))

    def _walk(self, nodes: list[Any], inside: str, awaits: str) -> Iterator[tuple[str, ...]]:
        for node in nodes:
            is_address = not self._in_namespace and (bool(awaits) or inside in IMAGE_FUNCTIONS)
            if node.type != "whitespace":
                awaits = ""
            if node.type == "url":
                yield "url", node.value if self._in_namespace else self._change(node.value)
            elif node.type == "string":
                yield "string", self._change(node.value) if is_address else node.value
            elif node.type == "at-keyword":
                awaits = "import" if node.lower_value == "import" else ""
                self._in_namespace = self._in_namespace or node.lower_value == "namespace"
                yield "at-keyword", node.value
            elif node.type == "function":
                yield "function", node.name
                name = node.lower_name
                yield from self._walk(node.arguments, name, "first" if name in ("src", "url") else "")
                yield ("end",)
            elif node.type.endswith("block"):
                yield ("block", node.type)
                if node.type == "{} block":
                    self._in_namespace = False
                yield from self._walk(node.content, "", "")
                if node.type == "{} block":
                    self._in_namespace = False
                yield ("end",)
            elif node.type == "literal":
                self._in_namespace = self._in_namespace and node.value not in ";}"
                yield "literal", node.value
            elif node.type == "error":
                self._in_namespace = self._in_namespace and node.kind != "}"
                yield "error", node.kind
            else:
                yield node.type, node.serialize()


def agrees(sheet: str) -> None:
    sheet = sheet.replace(r"\d800", r"\fffd")  # the same (4.3.7), but not to this parser
    if NOT_READ_RIGHT.search(sheet):
        return
    out = rewritten(sheet.encode()).decode()
    assert Flat(out, str).tokens == Flat(sheet, proxied).tokens


@pytest.mark.parametrize("sheet", [sheet for sheet, _ in REWRITTEN] + STAYS)
def test_a_foreign_parser_agrees_with_the_tables(sheet: str) -> None:
    """What the tables call an address is one."""
    agrees(sheet)


@examples(300)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join))
def test_a_foreign_parser_agrees(sheet: str) -> None:
    """Whatever the sheet, the addresses that a CSS parser finds are those rewritten, and it finds no other change."""
    agrees(sheet)
