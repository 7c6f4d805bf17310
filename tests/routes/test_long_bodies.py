"""How long others wait in a web process while it takes 16 MiB of keys."""

from __future__ import annotations

import json
from collections.abc import Iterator

import flask
import pytest

from app.routes.admin.files import uploads
from app.routes.admin.tasks import long_objects
from app.routes.admin.tasks.imports import GIVEN
from tests.support.turns import steps_of

STEP_S = 0.015
"""CPU time of one step, where a machine is three times slower than one that takes 5 ms."""
TEXT = "\n".join(f"sk-{number:037d}" for number in range(390_000))
FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="k.txt"\r\n\r\n%s\r\n--b--\r\n'


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """CPU time between two moments when others had their turn."""
    with steps_of(monkeypatch, long_objects, uploads) as took:
        yield took


@pytest.mark.timing
@pytest.mark.parametrize("type", ["application/json", "multipart/form-data; boundary=b", "text/csv"])
def test_a_long_body_is_taken_in_short_steps(steps: list[float], type: str) -> None:
    """Whatever its form is: a text in JSON, a form with a file, a file."""
    body = {"application/json": lambda: json.dumps({"text": TEXT}).encode(), "text/csv": TEXT.encode}.get(
        type, lambda: FORM % TEXT.encode()
    )()
    assert len(body) > 15_900_000
    with flask.Flask("").test_request_context("/", method="POST", data=body, content_type=type):
        steps.clear()
        given = GIVEN.read()
    assert sum(map(len, given.pieces)) >= len(TEXT)
    assert len(steps) > 200
    assert max(steps[1:]) < STEP_S, sorted(steps)[-5:]
