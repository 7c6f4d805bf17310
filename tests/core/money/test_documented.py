"""docs/money.md reckons what the gateway reckons: its examples are read as answers, and paid at its prices."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from app.core.money.amounts import parse_usd
from app.core.money.overrides import check_overrides
from app.core.usage import usage_of
from app.wire.dialects.asked import dialect_of
from app.wire.usage.meter import meter_for
from tests.support.gateway import ROOT
from tests.support.prices import prices

TEXT = (ROOT / "docs/money.md").read_text()
EXAMPLES = TEXT.partition("## Worked examples")[2].split("\n### ")[1:]
PATHS = {
    "Anthropic": "/v1/messages",
    "OpenAI, chat": "/v1/chat/completions",
    "OpenAI, responses": "/v1/responses",
    "Gemini": "/v1beta/models/m:generateContent",
}
SEARCHES = "web searches"


def rows_of(example: str) -> dict[str, list[str]]:
    """By the first column."""
    lines = [line for line in example.split("\n") if line.startswith("| ") and "---" not in line]
    cells = [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines[1:]]
    return {name: rest for name, *rest in cells}


def answer_of(example: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(example.partition("```json\n")[2].partition("```")[0])
    return answer


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.partition("\n")[0] for example in EXAMPLES])
def test_an_example_costs_what_it_says_part_by_part_and_as_a_whole(example: str) -> None:
    title, rows = example.partition("\n")[0], rows_of(example)
    path = next(path for name, path in PATHS.items() if title.startswith(name))
    asked = dialect_of("POST", path, {})
    assert asked is not None
    meter = meter_for(asked)
    assert meter is not None
    meter.read_whole(json.dumps(answer_of(example)).encode(), answer_of(example))
    meter.is_whole = True
    usage = usage_of(meter.told(), lambda: 0)
    cost, parts = rows.pop("cost"), {name: row for name, row in rows.items() if row[2]}
    counted = {name: count for name, count in usage._asdict().items() if isinstance(count, int) and count}
    searches = usage.other.get("web_search_requests", 0)
    assert {name: int(row[0]) for name, row in parts.items() if name != SEARCHES} == counted
    assert int(parts[SEARCHES][0] if SEARCHES in parts else 0) == searches
    per = {name: Decimal(1000 if name == SEARCHES else 1_000_000) for name in parts}
    for name, (count, price, dollars) in parts.items():
        assert Decimal(count) * Decimal(price.split()[0]) / per[name] == Decimal(dollars), name
    times = next((row[1].removeprefix("× ") for row in rows.values() if row[1].startswith("× ")), "1")
    known = {name: row[1] for name, row in parts.items() if name != SEARCHES}
    found = prices(m=known | {"web_search": "10"})
    assert found.cost(usage, "m", parse_usd(times), 0).nano == parse_usd(cost[2])


def test_the_overrides_that_are_shown_may_be_put() -> None:
    shown = json.loads(TEXT.partition("```json\n")[2].partition("```")[0])
    assert len(check_overrides(shown["overrides"])) == len(shown["overrides"])
