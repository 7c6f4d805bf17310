"""The line of a finished request."""

from __future__ import annotations

import json

import pytest

from app.core.statistics.events import ApiUse, RequestEvent
from app.telemetry.logs import MAX_WORD, describe_as_json, describe_as_text

EVENT = RequestEvent("id", 0, "/v1", "POST", 200, "", 1, 2, 3.0, 1.0)


@pytest.mark.parametrize("model", ['gpt 5"', "a\nstatus=500 b", "x=y", "模型", "\x1b[31m", "\\", "m" * 10_000])
def test_a_name_that_a_client_chose_is_one_word(model: str) -> None:
    """It ends no line, looks like no other figure, and is cut where it is long."""
    line = describe_as_text(EVENT._replace(api=ApiUse("ch", "sk-a…b", model, "up", "ok"))).decode()
    assert line.count("\n") == 1
    assert "\x1b" not in line
    shown = line.split(" model=")[1].rsplit(" upstream_model=")[0]
    assert (json.loads(shown) if shown.startswith('"') else shown) == model[:MAX_WORD]
    assert "outcome=ok" in line
    assert json.loads(describe_as_json(EVENT._replace(api=ApiUse("ch", "", model, "up", "ok"))))["model"] == model


@pytest.mark.parametrize("use", [ApiUse("ch", "sk-a…b", "m", "up", "ok"), ApiUse("ch", outcome="ok"), ApiUse()])
@pytest.mark.parametrize("token", ["", "alice"])
def test_both_forms_say_the_same_of_a_call_to_channels(use: ApiUse, token: str) -> None:
    """What is empty is left out of both."""
    use.token = token
    names = {"token", "channel", "key_hint", "model", "upstream_model", "outcome"}
    words = [word.partition("=") for word in describe_as_text(EVENT._replace(api=use)).decode().split()]
    told = json.loads(describe_as_json(EVENT._replace(api=use)))
    assert {name: value for name, _, value in words if name in names} == {
        name: value for name, value in told.items() if name in names
    }


def test_a_mappings_line_has_none_of_it() -> None:
    """What only calls to channels have stands only in their lines."""
    assert b"channel" not in describe_as_text(EVENT) + describe_as_json(EVENT)
