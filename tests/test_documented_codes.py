"""Every code that a call may end with is explained to whoever runs the gateway."""

from __future__ import annotations

import re

from app.core.failures import Failure
from tests.support.gateway import ROOT


def test_each_code_of_a_call_stands_in_the_documents() -> None:
    """In a table, with its status, or as one that only the log has."""
    doors = [ROOT / "app" / "routes" / name for name in ("proxy.py", "api_door.py", "__init__.py")]
    sources = "".join(path.read_text() for path in [*(ROOT / "app" / "proxy").rglob("*.py"), *doors])
    errors = "ApiError|Busy|ClientFault|OperatorFault|AddressRefused"
    raised = set(re.findall(rf'(?:{errors})\(\s*(\d+), "(\w+)"', sources))
    assert len(raised) > 20
    document = (ROOT / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| (`.*?) \| (\d{3}) \|", document, re.MULTILINE)
    told = {(status, code) for codes, status in rows for code in re.findall(r"`(\w+)`", codes)}
    assert raised - told == set()
    assert {failure.code for failure in Failure if f"`{failure.code}`" not in document} == set()
