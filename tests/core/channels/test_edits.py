"""How a request's fields follow a channel's rules."""

from __future__ import annotations

import pytest

from app.core.channels.edits import edit_fields
from app.core.model import HeaderRule
from app.wire.http.headers import Headers

FIELDS = [("Host", "a"), ("User-Agent", "cli"), ("anthropic-beta", "x,y"), ("X-Two", "1"), ("x-two", "2")]
FILLED_IN = {"client_ip": "192.0.2.1", "now_ms": "5", "channel": "%E4%B8%BB", "request_id": "r-1"}


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        (HeaderRule("set", "user-agent", "mine"), {1: ("user-agent", "mine")}),
        (HeaderRule("remove", "USER-AGENT", ""), {1: None}),
        (HeaderRule("append", "Anthropic-Beta", "z"), {2: ("anthropic-beta", "x,y, z")}),
        (HeaderRule("set", "x-two", "3"), {3: ("x-two", "3"), 4: None}),
        (HeaderRule("remove", "x-two", ""), {3: None, 4: None}),
        (HeaderRule("append", "x-two", "3"), {4: ("x-two", "2, 3")}),
        (HeaderRule("set", "X-New", "{client_ip} {now_ms} {channel} {request_id} {other}"),
         {5: ("X-New", "192.0.2.1 5 %E4%B8%BB r-1 {other}")}),
        (HeaderRule("append", "X-New", "a"), {5: ("X-New", "a")}),
        (HeaderRule("remove", "X-New", ""), {}),
        (HeaderRule("remove", "Anthropic-Beta", "x"), {2: ("anthropic-beta", "y")}),
        (HeaderRule("remove", "anthropic-beta", "z"), {}),
        (HeaderRule("remove", "anthropic-beta", "x,y"), {}),
        (HeaderRule("remove", "X-Two", "2"), {4: None}),
        (HeaderRule("remove", "X-New", "a"), {}),
    ],
)  # fmt: skip
def test_a_rule_edits_one_field_and_leaves_the_rest(
    rule: HeaderRule, changed: dict[int, tuple[str, str] | None]
) -> None:
    """Names match without regard to case; what is not named keeps its place and spelling."""
    expected = [changed.get(place, field) for place, field in enumerate(FIELDS)] + [changed.get(len(FIELDS))]
    given = list(FIELDS)
    assert edit_fields(given, (rule,), FILLED_IN) == [field for field in expected if field]
    assert given == FIELDS


def test_rules_follow_each_other() -> None:
    """A later one sees what an earlier one made."""
    rules = (HeaderRule("set", "X-A", "1"), HeaderRule("append", "x-a", "2"), HeaderRule("remove", "Host", ""))
    fields: Headers = [("Host", "a")]
    assert edit_fields(fields, rules, {}) == [("X-A", "1, 2")]
