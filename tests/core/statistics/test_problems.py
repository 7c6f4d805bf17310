"""The latest problems: all that failed, nothing that an outsider should not see, and room for each kind."""

from __future__ import annotations

import random

import pytest

from app.core.statistics.events import ApiUse, RequestEvent
from app.core.statistics.problems import MOST, MOST_OF_A_KIND, Problem, decode, encode, latest, problems_of

NOW_MS = 1_790_000_000_000
ID = "0123456789abcdef0123456789abcdef"


def event(
    status: int, code: str = "", at_ms: int = NOW_MS, endpoint: str = "/openai", attempts: int = 1
) -> RequestEvent:
    plain = RequestEvent(ID, at_ms, endpoint, "POST", status, code, 1, 2, 10.0, 5.0)
    return plain._replace(attempts=attempts)


def test_only_errors_are_problems() -> None:
    """What went well, whose client left, and what an operator ended is none."""
    fine = [
        event(200),
        event(304),
        event(499, "client_gone"),
        event(200, "client_gone"),
        event(503, "ended_by_operator"),
    ]
    failed = [event(429), event(502, "upstream_unreachable"), event(200, "idle_timeout")]
    found = problems_of([*fine, *failed], NOW_MS)
    assert [(one.status, one.code) for one in found] == [
        (429, "rate_limited"), (502, "upstream_unreachable"), (200, "idle_timeout"),
    ]  # fmt: skip


def test_a_problem_says_no_more_than_where_when_and_how() -> None:
    """Nothing of the call's path, client, token, key, channel, model, reason or user agent is in what is stored."""
    use = ApiUse(
        channel="secret-channel", key_hint="secret-hint", model="secret-model", upstream_model="secret-model",
        outcome="refused_key", dialect="openai", mapping="", path="/v1/secret-path", user_agent="secret-agent",
    )  # fmt: skip
    use.token, use.token_id, use.reason, use.channel_id, use.key_id = ("secret",) * 5
    call = event(401)._replace(client="secret-client", upstream="secret-upstream", trace_id="secret-trace", api=use)
    (found,) = problems_of([call], NOW_MS)
    assert found == Problem(NOW_MS, "/openai", 401, "refused_key", ID)
    assert b"secret" not in encode([found])


@pytest.mark.parametrize("strange", ["sk-live-0123456789", "a sentence", "UPPER", "", "x" * 61, "é"])
def test_a_code_that_is_none_of_ours_is_not_told(strange: str) -> None:
    """Whatever stood in its place, the outcome stands there."""
    (found,) = problems_of([event(500, strange)], NOW_MS)
    assert found.code in ("server_error", "refused")


def test_a_strange_request_id_is_not_told() -> None:
    """Ids of ours are letters and digits; what somebody else put there may be anything."""
    (found,) = problems_of([event(500)._replace(request_id="me@example.com")], NOW_MS)
    assert found.request_id == ""


def test_what_is_no_event_is_left_out() -> None:
    """Broken events are counted elsewhere, and hold up no others."""
    broken = [event(500)._replace(status="x"), event(500)._replace(endpoint=None), event(500)._replace(request_id=5)]
    assert len(problems_of([*broken, event(500)], NOW_MS)) == 1  # type: ignore[list-item]


def test_one_trouble_leaves_room_for_others() -> None:
    """Of each kind the latest stay: a thousand of one are not seen instead of one of another."""
    rare = problems_of([event(502, "upstream_unreachable", NOW_MS - 500_000, "/rare")], NOW_MS)
    flood = problems_of([event(429, "", NOW_MS - age) for age in range(1000)], NOW_MS)
    stay = latest([*rare, *flood])
    assert stay[0] == rare[0]
    assert [one.at_ms for one in stay[1:]] == [NOW_MS - age for age in reversed(range(MOST_OF_A_KIND))]


def test_strangers_cannot_push_out_the_rest() -> None:
    """Calls with credentials that nobody knows, on however many paths, are one kind."""
    strangers = [event(401, "access_token_invalid", NOW_MS, f"/{number}", 0) for number in range(500)]
    mine = problems_of([event(500, "", NOW_MS - 60_000)], NOW_MS)
    assert len(latest([*mine, *problems_of(strangers, NOW_MS)])) == 1 + MOST_OF_A_KIND


def test_the_list_is_bounded_and_keeps_the_latest_in_order() -> None:
    """However many kinds there are; it is read back as it was stored, the latest first for who reads it."""
    dice = random.Random(2)
    many = [event(500, "", NOW_MS - dice.randrange(10**6), f"/{number}") for number in range(300)]
    stay = latest(problems_of(many, NOW_MS))
    assert len(stay) == MOST
    times = sorted((one.ended_at_ms for one in many), reverse=True)[:MOST]
    assert [one.at_ms for one in reversed(stay)] == times
    assert decode(encode(stay)) == stay


@pytest.mark.parametrize("stored", [None, b"", b"rubbish", b"{}", b"[1]", b'[{"at_ms":1}]'])
def test_what_somebody_else_stored_is_no_problem(stored: bytes | None) -> None:
    """The list begins anew."""
    assert decode(stored) == []
