"""docs/settings.md says what the table of settings says."""

from __future__ import annotations

import re

import pytest

from app.config import load_config
from app.core.setting_table import CHANNEL_OPTIONS, LIMITS, SETTINGS
from app.core.settings import values_of
from scripts.settings_page import PAGE, page

ROW = re.compile(r"^\| `(\w+)` \| (\S+) \| [^|]+ \| [^|]+ \| `(\w+)` \| ([^|]+) \|$", re.MULTILINE)
ROWS = {name: (default, variable, owners) for name, default, variable, owners in ROW.findall(page())}


def test_the_page_is_as_the_table_is() -> None:
    """Who changes a setting runs `make settings-page`."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_each_setting_has_a_row_that_says_who_may_have_his_own() -> None:
    """In the order of the table."""
    assert list(ROWS) == list(SETTINGS)
    assert {name for name, (_, _, owners) in ROWS.items() if "mapping" in owners} == set(LIMITS)
    assert {name for name, (_, _, owners) in ROWS.items() if "channel" in owners} == set(CHANNEL_OPTIONS)


@pytest.mark.parametrize("name", ["idle_timeout", "hold_max_bytes", "affinity", "time_zone", "route_headers"])
def test_what_stands_there_may_be_said(name: str) -> None:
    """The variable of a row is read, and its default, said in it, is the default."""
    default, variable, _ = ROWS[name]
    unsaid, said = load_config({}), load_config({variable: default})
    assert values_of(said.limits, said.settings) == values_of(unsaid.limits, unsaid.settings)
    with pytest.raises(ValueError, match=variable):
        load_config({variable: "no such value"})
