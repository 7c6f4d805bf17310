"""The built-in table finds a model by its name, and what it costs at a moment."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from app.core.money.table import ALWAYS_MS, NEVER_MS, PriceTable, written
from app.core.money.tariff import ANY

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
NEW_YEAR_MS = 1_767_225_600_000  # 2026-01-01, UTC


def table(*, aliases: dict[str, str] | None = None, **models: Any) -> PriceTable:
    entries = {name.replace("_", "-"): {"prices": [{"input": usd, "output": "0"}]} for name, usd in models.items()}
    return PriceTable("t", written(entries, aliases or {}))


def input_of(found: PriceTable, model: str, at_ms: int = 0) -> str | None:
    quote = found.quote(model, at_ms)
    return None if quote is None else str(quote.tariff["input"][0][1])


@pytest.mark.parametrize(
    "model",
    [
        "gpt-5",
        "GPT-5",
        "gpt-5-2025-08-07",
        "gpt-5-20250807",
        "gpt-5@20250807",
        "gpt-5-latest",
        "five",
        "five-latest",
    ],
)
def test_a_name_is_found_in_any_capitals_with_a_date_and_with_latest_and_by_another_name(model: str) -> None:
    assert input_of(table(gpt_5="1", aliases={"five": "gpt-5"}), model) == "1"


@pytest.mark.parametrize(
    "model",
    [
        "gpt-5-codex",
        "gpt-5.1",
        "gpt-50",
        "xgpt-5",
        "gpt",
        "gpt-5-2025",
        "gpt-5-0807",
        "gpt-5-2025-13-07",
        "gpt-5-latest-preview",
        "gpt-5-2025-08-07-latest",
        "gpt-5:free",
        "openai/gpt-5",
        "",
        "\n",
        "gpt-5\t",
        "=",
        "x" * 301,
    ],
)
def test_a_longer_name_or_another_one_is_not_found(model: str) -> None:
    assert table(gpt_5="1").quote(model, 0) is None


def test_a_name_with_a_date_of_its_own_goes_before_the_one_without() -> None:
    found = PriceTable(
        "t",
        written(
            {
                "gpt-4o": {"prices": [{"input": "2.5", "output": "10"}]},
                "gpt-4o-2024-05-13": {"prices": [{"input": "5", "output": "15"}]},
            },
            {},
        ),
    )
    assert [input_of(found, name) for name in ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06")] == ["5", "5/2"]


def test_without_a_table_nothing_is_found() -> None:
    assert PriceTable().quote("gpt-5", 0) is None
    assert len(PriceTable()) == 0


def test_the_last_price_that_has_come_into_force_counts_and_is_said_to_hold_until_the_next() -> None:
    prices = [
        {"input": "1", "output": "0"},
        {"from_ms": NEW_YEAR_MS, "input": "2", "output": "0"},
        {"from_ms": NEW_YEAR_MS + DAY_MS, "input": "3", "output": "0"},
    ]
    found = PriceTable("t", written({"m": {"prices": prices}}, {}))
    moments = [NEW_YEAR_MS - 1, NEW_YEAR_MS, NEW_YEAR_MS + DAY_MS - 1, NEW_YEAR_MS + DAY_MS]
    assert [input_of(found, "m", at_ms) for at_ms in moments] == ["1", "2", "2", "3"]
    spans = [(quote.from_ms, quote.until_ms) for at_ms in moments if (quote := found.quote("m", at_ms))]
    assert spans == [
        (ALWAYS_MS, NEW_YEAR_MS),
        (NEW_YEAR_MS, NEW_YEAR_MS + DAY_MS),
        (NEW_YEAR_MS, NEW_YEAR_MS + DAY_MS),
        (NEW_YEAR_MS + DAY_MS, NEVER_MS),
    ]


@pytest.mark.parametrize(
    ("between", "hours", "dear"), [([60, 240], (0, 1, 3, 4), "0110"), ([1380, 60], (22, 23, 0, 1), "0110")]
)
def test_prices_by_the_hour_hold_within_their_hours_every_day(
    between: list[int], hours: tuple[int, ...], dear: str
) -> None:
    prices = [{"input": "0", "output": "0"}, {"between": between, "input": "1", "output": "0"}]
    found = PriceTable("t", written({"m": {"prices": prices}}, {}))
    for day in (0, 1, 200):
        moments = [NEW_YEAR_MS + day * DAY_MS + hour * HOUR_MS for hour in hours]
        assert "".join(input_of(found, "m", at_ms) or "-" for at_ms in moments) == dear
        for at_ms in moments:
            quote = found.quote("m", at_ms)
            assert quote is not None
            assert quote.from_ms <= at_ms < quote.until_ms <= at_ms + DAY_MS
            for edge_ms in (quote.from_ms, quote.until_ms - 1):
                assert input_of(found, "m", edge_ms) == input_of(found, "m", at_ms)


def test_of_a_service_tiers_prices_the_first_that_is_in_force_counts_for_each_part() -> None:
    model = {
        "prices": [{"input": "4", "cached": "1", "output": "8"}],
        "tiers": {"flex": [{"from_ms": NEW_YEAR_MS, "input": "3"}, {"input": "2", "output": "4"}]},
    }
    found = PriceTable("t", written({"m": model}, {}))
    before, after = found.quote("m", 0), found.quote("m", NEW_YEAR_MS)
    assert before is not None
    assert after is not None
    parts = ("input", "cached", "output")
    assert [before.tiers["flex"][part][0][1] for part in parts] == [2, 1, 4]
    assert [after.tiers["flex"][part][0][1] for part in parts] == [3, 1, 4]


def test_what_a_model_has_no_price_for_is_usual_for_its_input_or_output_step_by_step() -> None:
    found = PriceTable("t", written({"m": {"prices": [{"input": ["4", [10, "8"]], "output": "6"}]}}, {})).quote("m", 0)
    assert found is not None
    assert found.tariff["cached"] == [(ANY, 4), (10, 8)]
    assert found.tariff["cache_write_5m"] == [(ANY, 5), (10, 10)]
    assert found.tariff["cache_write_1h"] == [(ANY, 8), (10, 16)]
    assert found.tariff["reasoning"] == [(ANY, Fraction(6))]
    assert "audio_input" not in found.tariff
