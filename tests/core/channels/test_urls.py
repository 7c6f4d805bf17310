"""Which of a channel's urls is asked: those that never answered first, then the quick and the heavy more often."""

from __future__ import annotations

import random
from collections import Counter

from app.core.channels.urls import urls_in_order
from app.core.choosing.standing import Rest
from tests.support.standing import StandingHealth, channel

NOW_MS = 1_000
A, B, C = "https://a.example", "https://b.example", "https://c.example"


def urls(*weights: int) -> list[dict[str, object]]:
    return [{"url": url, "weight": weight} for url, weight in zip((A, B, C), weights, strict=False)]


THREE = channel("1", urls=urls(1, 1, 2))


def first_shares(health: StandingHealth, calls: int = 4000) -> Counter[str]:
    """How often each url goes first."""
    chance = random.Random(3).random
    return Counter(urls_in_order(THREE, "openai", health, NOW_MS, chance)[0].url for _ in range(calls))


def test_untried_ones_go_first() -> None:
    """Whatever the others' times are; among them by weight."""
    health = StandingHealth()
    health.first_bytes_ms = {A: 1.0}
    for seed in range(50):
        order = urls_in_order(THREE, "openai", health, NOW_MS, random.Random(seed).random)
        assert order[2].url == A
    assert abs(first_shares(health)[C] / 4000 - 2 / 3) < 0.03


def test_weight_over_time_is_the_share() -> None:
    """1/100, 1/400 and 2/200 are shares of 4, 1 and 4 in 9."""
    health = StandingHealth()
    health.first_bytes_ms = {A: 100.0, B: 400.0, C: 200.0}
    shares = first_shares(health)
    assert all(abs(shares[url] / 4000 - part / 9) < 0.03 for url, part in {A: 4, B: 1, C: 4}.items())
    assert len(urls_in_order(THREE, "openai", health, NOW_MS, lambda: 1.0)) == 3


def test_resting_ones_are_left_out() -> None:
    """Until their rest is over; as a last resort they follow, but for those that were told how long."""
    health = StandingHealth()
    health.first_bytes_ms = {A: 100.0, B: 100.0, C: 100.0}
    health.urls = {A: Rest(NOW_MS + 50), B: Rest(NOW_MS + 10, told=True), C: Rest(NOW_MS)}

    def order(falls_back: bool) -> list[str]:
        found = urls_in_order(THREE, "openai", health, NOW_MS, random.Random(1).random, falls_back=falls_back)
        return [url.url for url in found]

    assert order(False) == [C]
    assert order(True) == [C, A]
    health.urls |= {B: Rest(NOW_MS + 10), C: Rest(NOW_MS + 20)}
    assert order(False) == []
    assert order(True) == [B, C, A]


def test_a_single_url_rests_as_well() -> None:
    """The quick way of most channels follows the same rules."""
    one, health = channel("1", urls=urls(1)), StandingHealth()
    assert [url.url for url in urls_in_order(one, "openai", health, NOW_MS, random.random)] == [A]
    health.urls[A] = Rest(NOW_MS + 1)
    assert urls_in_order(one, "openai", health, NOW_MS, random.random) == []
    assert len(urls_in_order(one, "openai", health, NOW_MS, random.random, falls_back=True)) == 1
    health.urls[A] = Rest(NOW_MS + 1, told=True)
    assert urls_in_order(one, "openai", health, NOW_MS, random.random, falls_back=True) == []


def test_a_url_speaks_only_its_dialects() -> None:
    """An entry without any speaks all of the channel's."""
    both = channel("1", dialects=["openai", "gemini"], urls=[{"url": A, "dialects": ["gemini"]}, {"url": B}])
    health = StandingHealth()
    assert [url.url for url in urls_in_order(both, "openai", health, NOW_MS, random.random)] == [B]
    assert {url.url for url in urls_in_order(both, "gemini", health, NOW_MS, random.random)} == {A, B}


def test_a_version_at_the_end_of_a_url_is_dropped() -> None:
    """For the request's path has one; with `exact` the url stays whole."""
    paths = {"/v1": "", "/v1/": "", "/api/v1beta": "/api", "/api/v4": "/api/v4", "/v1/x": "/v1/x"}
    for path, base_path in paths.items():
        assert channel("1", urls=[{"url": A + path}]).urls[0].upstream.base_path == base_path
    exact = channel("1", urls=[{"url": f"{A}/api/v1", "exact": True}])
    assert exact.urls[0].upstream.base_path == "/api/v1"
