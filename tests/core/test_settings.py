"""The table of limits and what may stand in it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from app.core.errors import InvalidSetting
from app.core.kinds import Choice, Flag, Number
from app.core.setting_table import CHANNEL_OPTIONS, GATEWAY_SETTINGS, GROUPS, LIMITS, SETTINGS, Setting
from app.core.settings import Limits, Settings, burst_of, check_options, check_setting


@pytest.mark.parametrize(("table", "values"), [(LIMITS, Limits), (GATEWAY_SETTINGS, Settings)])
def test_table_and_values_agree(table: dict[str, Setting], values: type[Limits] | type[Settings]) -> None:
    """What holds in force has exactly the settings of its table, in their order and with their defaults."""
    assert [(field.name, field.default) for field in fields(values)] == [
        (name, setting.default) for name, setting in table.items()
    ]


def test_every_setting_is_in_a_group() -> None:
    """Those of a group stand together, the groups in their order, and no name is there twice."""
    groups = [setting.group for setting in SETTINGS.values()]
    assert list(dict.fromkeys(groups)) == list(GROUPS)
    assert groups == sorted(groups, key=list(GROUPS).index)
    assert {**LIMITS, **GATEWAY_SETTINGS} == SETTINGS
    assert LIMITS.keys() & GATEWAY_SETTINGS.keys() == set()


def test_what_a_channel_may_have_of_its_own() -> None:
    """Times and sizes; for its calls at once and rates it has fields."""
    assert set(CHANNEL_OPTIONS) == {
        "connect_timeout", "first_byte_timeout", "first_useful_timeout", "idle_timeout", "total_timeout",
        "queue_timeout", "max_body_bytes",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "checked"),
    [("connect_timeout", "2.5", 2.5), ("max_concurrency", 7, 7), ("max_concurrency", "7", 7), ("burst", 3.0, 3)],
)
def test_numbers_may_come_as_text(name: str, value: Any, checked: float) -> None:
    """A number is taken in its setting's kind, from JSON or from the environment."""
    result = check_setting(name, value)
    kind = SETTINGS[name].kind
    assert isinstance(kind, Number)
    assert (result, type(result)) == (checked, kind.of)
    assert kind.parse(kind.written(result)) == checked


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("connect_timeout", 0),
        ("connect_timeout", "soon"),
        ("connect_timeout", float("nan")),
        ("connect_timeout", 1e9),
        ("max_concurrency", 1.5),
        ("max_concurrency", -1),
        ("max_concurrency", True),
        ("max_concurrency", [1]),
        ("no_such", 1),
    ],
)
def test_bad_values_are_refused_by_name(name: str, value: Any) -> None:
    """A value out of range or of another kind is refused with a text that names the setting."""
    with pytest.raises(InvalidSetting, match=name):
        check_setting(name, value)


def test_global_settings_are_not_a_mappings() -> None:
    """What is the whole gateway's cannot be set for one mapping."""
    with pytest.raises(InvalidSetting):
        check_options({"global_burst": 1})


def test_null_means_unset() -> None:
    """A null leaves the setting to whatever stands behind it."""
    assert check_options({"burst": None, "idle_timeout": 5}) == {"idle_timeout": 5.0}


def test_defaults_are_of_their_kind() -> None:
    """A default is a whole number or not as its kind says, so that it reads alike whether it is compiled or not."""
    for name, setting in SETTINGS.items():
        parsed = setting.kind.parse(setting.default)
        assert (parsed, type(parsed)) == (setting.default, type(setting.default)), name


def test_burst_is_one_seconds_worth_unless_set() -> None:
    """Without a burst of its own a rate lets through what one second holds, and at least one call."""
    assert (burst_of(2.5, 0), burst_of(0.1, 0), burst_of(10, 3)) == (3, 1, 3)


@pytest.mark.parametrize(
    ("said", "value"), [(True, True), (False, False), ("true", True), (" ON ", True), ("0", False), ("no", False)]
)
def test_a_flag_is_yes_or_no(said: Any, value: bool) -> None:
    """JSON's words, and those that variables may say; what is stored is read as it was meant."""
    result = check_setting("empty_is_error", said)
    assert result is value
    assert Flag().parse(Flag().written(result)) is value


@pytest.mark.parametrize("said", [1, 0, "maybe", "", None, 1.5, ["true"]])
def test_a_flag_is_nothing_else(said: Any) -> None:
    """A number is no flag: whoever sends one means another setting."""
    with pytest.raises(InvalidSetting, match="true or false"):
        check_setting("empty_is_error", said)


def test_a_choice_is_one_of_its_words() -> None:
    """In either case; the page is told them."""
    kind = Choice(("off", "ids"))
    assert kind.parse(" IDS ") == "ids"
    assert kind.describe()["choices"] == ["off", "ids"]
    for said in ("others", "", True, None, 3):
        with pytest.raises(ValueError, match="off, ids"):
            kind.parse(said)


@pytest.mark.parametrize(("value", "taken"), [("2.50", "2.50"), (" 1 ", "1"), (3, "3"), ("0", "0")])
def test_money_is_a_decimal_text(value: Any, taken: str) -> None:
    """As it was written, and never a float."""
    assert check_setting("budget_local_usd", value) == taken


@pytest.mark.parametrize("value", [2.5, "-1", "1e3", "much", None, True, "1.0000000001"])
def test_what_is_no_money_is_refused(value: Any) -> None:
    """A float would already be another number."""
    with pytest.raises(InvalidSetting, match="budget_local_usd must be a decimal number"):
        check_setting("budget_local_usd", value)
