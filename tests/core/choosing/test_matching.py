"""Which channels serve a model, and under which name."""

from __future__ import annotations

import pytest

from app.core.choosing.matching import Serving
from app.core.model import Channel
from tests.support.standing import channel


def served(
    channels: list[Channel], model: str, *, strip_date: bool = True, contains: bool = False, dialect: str = "openai"
) -> str:
    """Who serves it, as `channel=upstream model`, in a line."""
    found = Serving(channels).candidates(dialect, model, strip_date=strip_date, contains=contains)
    return " ".join(f"{one.channel.id}={one.upstream_model}" for one in found)


DATED = [channel("a", models=["claude-4-20250929"]), channel("b", models=["claude-4"]), channel("c", models=["claude"])]


@pytest.mark.parametrize(
    ("model", "how", "expected"),
    [
        ("claude-4", {}, "b=claude-4"),
        ("claude-4-20250929", {}, "a=claude-4-20250929"),
        ("claude-4-20250101", {}, "b=claude-4"),
        ("claude-4-2025-01-01", {}, "b=claude-4"),
        ("claude-4-20259901", {}, ""),
        ("claude-4-20250101", {"strip_date": False}, ""),
        ("claude-20250101", {}, "c=claude"),
        ("laude-4", {}, ""),
        ("LAUDE-4", {"contains": True}, "a=claude-4-20250929 b=claude-4"),
        ("claude-4", {"contains": True}, "b=claude-4"),
        ("claude-4", {"dialect": "gemini"}, ""),
    ],
)
def test_exact_goes_before_dated_before_contains(model: str, how: dict[str, bool], expected: str) -> None:
    """A looser way counts only where nobody matches more closely, over all channels."""
    assert served(DATED, model, **how) == expected  # type: ignore[arg-type]


def test_a_disabled_channel_hides_no_looser_match() -> None:
    """Nobody is kept from being served by a channel that serves nobody; without others it is told all the same."""
    off = channel("off", models=["m"], enabled=False)
    assert served([off, channel("a", models=["m-20250929"])], "m") == "a=m-20250929"
    assert served([off], "m") == "off=m"


def test_of_several_models_of_a_channel_the_newest_counts() -> None:
    """By date, an undated one being oldest; then by the numbers in the name, the longer list first; then by name."""
    for names, newest in {
        ("m-20240101", "m-20250101"): "m-20250101",
        ("m-2-pro", "m-10-pro"): "m-10-pro",
        ("m-4-20240101", "m-5"): "m-4-20240101",
        ("m-4", "m-4-1"): "m-4-1",
        ("m-a", "m-b"): "m-b",
    }.items():
        for order in (names, names[::-1]):
            assert served([channel("a", models=order)], "m-", contains=True) == f"a={newest}"


def test_redirects_name_what_the_upstream_is_asked_for() -> None:
    """A channel's own names for models, and all names that it has for one."""
    channels = [channel("a", models=["gpt-5>gpt-5-eu"]), channel("b", models=["*>one-for-all"], priority=-1)]
    assert served(channels, "gpt-5") == "a=gpt-5-eu b=one-for-all"
    one, other = Serving(channels).candidates("openai", "gpt-5", strip_date=True, contains=False)
    assert (one.models, other.models) == (("gpt-5", "gpt-5-eu"), ("gpt-5", "one-for-all"))


def test_a_star_serves_all_beside_those_that_name_it() -> None:
    """By priority, then name, each channel once, under the name that it lists; alone it serves what names no model."""
    channels = [
        channel("a", models=["*"], priority=5),
        channel("b", models=["m>x", "*"]),
        channel("c", models=["m"], name="aa"),
    ]
    assert served(channels, "m") == "a=m c=m b=x"
    assert served(channels, "other") == "a=other b=other"
    assert served(channels, "m-20250929") == "a=m-20250929 c=m b=x"
    assert served(channels, "") == "a= b="
    assert Serving(channels).candidates("openai", "", strip_date=True, contains=False)[0].models == ()


def test_model_lists_name_what_enabled_channels_serve() -> None:
    """Sorted, each once, never `*`, and of the dialect asked for."""
    channels = [
        channel("a", models=["z", "y", "*"]),
        channel("b", models=["y"]),
        channel("c", models=["off"], enabled=False),
        channel("d", models=["other"], dialects=["gemini"]),
    ]
    assert Serving(channels).models("openai") == ["y", "z"]
    assert Serving(channels).models("gemini") == ["other"]
