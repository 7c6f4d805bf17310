"""Writes docs/settings.md anew from the table of settings (`core/setting_table.py`): `make settings-page`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.core.kinds import Choice, Flag, Number
from app.core.setting_table import GROUPS, MAPPING_OPTIONS, SETTINGS, Setting

PAGE = Path(__file__).resolve().parent.parent / "docs/settings.md"
_HEAD = """\
# Settings

<!-- Made from app/core/setting_table.py by `make settings-page`. Change the meaning of a setting there. -->

What can be set for the gateway as a whole, and for a mapping or a channel alone.
The first of these that says something counts:

1. the mapping's or the channel's own value (its `options`), where the last column names them;
2. the value that was set on the page Settings of `/admin`, or by PUT `/api/settings`; it works at once;
3. the environment variable or line of `.env`, read at the start;
4. the default below.

PUT `/api/settings` with `null` for a setting takes the second one back; so does POST `/api/settings/reset` with
`{"names": ["idle_timeout"]}`. GET `/api/settings` tells each with the value in force, its default (the third, else the
fourth) and what it may be. Where `TIME_ZONE` is not said, `TZ` counts, if it names a zone.
"""
_TABLE = """
| setting | default | may be | meaning | variable | own value |
| --- | --- | --- | --- | --- | --- |
"""
_OPTIONS = """
## What only a mapping may have

In its `options`; there is no general value.

| option | default | may be | meaning |
| --- | --- | --- | --- |
"""


def page() -> str:
    """The text of docs/settings.md."""
    parts = [_HEAD]
    for group, title in GROUPS.items():
        rows = (_row(setting) for setting in SETTINGS.values() if setting.group == group)
        parts += [f"\n## {title}\n", _TABLE, *rows]
    own = (_line(_what(setting)) for setting in MAPPING_OPTIONS.values())
    return "".join([*parts, _OPTIONS, *own])


def _row(setting: Setting) -> str:
    return _line([*_what(setting), f"`{setting.name.upper()}`", ", ".join(setting.owners) or "none"])


def _what(setting: Setting) -> list[str]:
    return [f"`{setting.name}`", _default(setting), _may_be(setting), setting.meaning]


def _default(setting: Setting) -> str:
    """As it may be written."""
    match setting.kind:
        case Number(of=of):
            return f"{setting.default:g}" if of is float else f"{setting.default}"
        case kind:
            return kind.written(setting.default) or "none"


def _may_be(setting: Setting) -> str:
    match setting.kind:
        case Number(of, minimum, maximum, unit):
            whole = ", whole" if of is int and unit != "bytes" else ""
            return f"{minimum:,} to {maximum:,} {unit}{whole}"
        case Flag():
            return "true, false"
        case Choice(words):
            return ", ".join(words)
        case kind:
            told = kind.describe()
            return f"{told['unit']} such as `{told['example']}`".lstrip()


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
