"""When keys and channels are tried again: about once in an interval, and not all at the same time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.channels.definition import parse_channel
from app.core.judging.troubles import Trouble
from app.core.model import Snapshot
from app.core.settings import Limits, Settings
from app.core.snapshot import Stored, build_snapshot
from tests.support.channels import said_of_channel
from worker.checks.due import ALL_CHANNELS, ALL_KEYS, JITTER, due_channels, due_keys, due_ms, name_of_channel

HOUR_MS = 3_600_000
SINCE_MS = 1_700_000_000_000
TROUBLE = Trouble(changed_ms=SINCE_MS, blacklisted_ms=SINCE_MS - HOUR_MS)


def snapshot(*, keys_s: float = 3600, channels_s: float = 3600, **said: object) -> Snapshot:
    settings = Settings(revalidate_interval_s=keys_s, check_interval_s=channels_s)
    channel = parse_channel("7", said_of_channel("one", **({"check_model": "m"} | said)))
    built = build_snapshot(Stored(1, {}), Limits(), settings)
    return replace(built, channels=(channel,))


def keys(now_ms: int, tried_ms: dict[str, int] | None = None, **said: object) -> list[str]:
    found = due_keys([("7", "1", TROUBLE)], tried_ms or {}, snapshot(**said), now_ms)
    return [key_id for _, _, key_id in found]


def test_what_fell_out_together_comes_apart() -> None:
    """By a tenth of the interval at most, and the same for whoever reckons it."""
    found = [due_ms(f"key {number}", SINCE_MS, 3600) - SINCE_MS for number in range(1000)]
    assert min(found) >= (1 - JITTER) * HOUR_MS
    assert max(found) <= (1 + JITTER) * HOUR_MS
    assert max(found) - min(found) > JITTER * HOUR_MS
    assert found == [due_ms(f"key {number}", SINCE_MS, 3600) - SINCE_MS for number in range(1000)]


@pytest.mark.parametrize(
    ("tried_ms", "since_ms"),
    [
        ({}, SINCE_MS),
        ({"key 1": SINCE_MS + HOUR_MS}, SINCE_MS + HOUR_MS),
        ({ALL_KEYS: SINCE_MS + HOUR_MS}, SINCE_MS + HOUR_MS),
    ],
)
def test_a_key_is_due_an_interval_after_it_last_failed_or_was_tried(tried_ms: dict[str, int], since_ms: int) -> None:
    assert keys(since_ms + round(0.9 * HOUR_MS) - 1, tried_ms) == []
    assert keys(since_ms + round(1.1 * HOUR_MS), tried_ms) == ["1"]


@pytest.mark.parametrize("said", [{"keys_s": 0}, {"enabled": False}, {"hours": "00:00-00:01 Etc/GMT-12"}])
def test_a_key_is_never_due_where_nobody_may_try_it(said: dict[str, object]) -> None:
    assert keys(SINCE_MS + 10 * HOUR_MS, **said) == []


def test_a_channel_is_due_at_once_and_then_once_in_an_interval() -> None:
    assert list(due_channels({}, snapshot(), SINCE_MS)) == [(0, "7")]
    assert not list(due_channels({}, snapshot(channels_s=0), SINCE_MS))
    assert not list(due_channels({}, snapshot(check_model=""), SINCE_MS))
    for name in (name_of_channel("7"), ALL_CHANNELS):
        assert not list(due_channels({name: SINCE_MS}, snapshot(), SINCE_MS + round(0.9 * HOUR_MS) - 1))
        [(_, channel_id)] = due_channels({name: SINCE_MS}, snapshot(), SINCE_MS + round(1.1 * HOUR_MS))
        assert channel_id == "7"
