"""The calls of the demo: believable, and of the same seed the same."""

from __future__ import annotations

from collections import Counter

from scripts.demo.house import Channel, House, Key, Token
from scripts.demo.traffic import DAY_MS, USES, traffic

NOON_MS = 1_790_000_000_000
NAMES = {name for use in USES for name in use.channels}
HOUSE = House(
    {name: Channel(name, name, "openai", (Key("1", "sk-1…aaaa"),)) for name in NAMES},
    {use.token: Token(use.token, use.token, "sk-gw-1") for use in USES},
)


def test_the_demo_has_calls_of_each_hour_and_kind() -> None:
    """In their order, of all tokens, some that fail, some after others failed, and a few that were refused here."""
    events = list(traffic(HOUSE, NOON_MS, 8, 800))
    assert 4_000 < len(events) < 9_000
    assert {event.ended_at_ms // DAY_MS for event in events} >= {NOON_MS // DAY_MS - ago for ago in range(7)}
    used = [event.api for event in events if event.api is not None]
    assert {use.token for use in used} == {use.token for use in USES}
    assert any(event.is_error for event in events)
    assert any(use.failed for use in used)
    assert Counter(event.attempts for event in events)[0] > 10
    assert all(use.cost_nano for use in used if use.outcome == "ok" and use.usage and use.usage.output)


def test_the_same_seed_makes_the_same_calls() -> None:
    first, again, other = (list(traffic(HOUSE, NOON_MS, 1, 300, seed)) for seed in (1, 1, 2))
    ids = [[event.request_id for event in events] for events in (first, again, other)]
    assert ids[0] == ids[1] != ids[2]
