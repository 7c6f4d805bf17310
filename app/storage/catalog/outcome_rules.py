"""What an operator does to the rules that go before the table of outcomes: they are replaced as a whole."""

from __future__ import annotations

from typing import Any

import orjson

from app.core.judging.rules import OutcomeRule, check_rules
from app.core.snapshot import OUTCOME_RULES
from app.storage.catalog.catalog import Catalog
from app.storage.catalog.changes import Edit


def put(catalog: Catalog, values: Any) -> tuple[OutcomeRule, ...]:
    """Raises Invalid, which names the field, and RedisError."""
    rules = check_rules(values)
    text = orjson.dumps([rule.said for rule in rules]).decode()
    catalog.change(OUTCOME_RULES, "updated", [Edit("put", OUTCOME_RULES.tables[0], "rules", text)])
    return rules
