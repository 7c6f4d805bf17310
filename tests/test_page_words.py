"""The words of the pages: each page loads those that its modules ask for."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[1] / "admin_ui" / "js"
IMPORTED = re.compile(r"(?:from|import)\s*\(?'(\.[^']+)'")
DEFINED = re.compile(r"(?:^|[{,]\s)\s*(\w+): \[", re.MULTILINE)
ASKED = re.compile(r"\bt\('(\w+)'")


def modules_of(page: Path) -> set[Path]:
    """All that a page's script imports, itself among it."""
    found: set[Path] = set()
    left = [page]
    while left:
        module = left.pop()
        if module not in found:
            found.add(module)
            beside = (Path(os.path.normpath(module.parent / name)) for name in IMPORTED.findall(module.read_text()))
            left += [one for one in beside if one.is_file()]
    return found


def defines_words(module: Path) -> bool:
    return module.name == "i18n.js" or module.parent.name == "words"


@pytest.mark.parametrize("name", ["admin", "dashboard", "not_found", "web_pages"])
def test_a_page_loads_each_word_that_it_asks_for(name: str) -> None:
    """A word that another page alone loads is none here."""
    modules = modules_of(SCRIPTS / f"{name}.js")
    known = {word for module in modules if defines_words(module) for word in DEFINED.findall(module.read_text())}
    asked = {word: module.name for module in modules for word in ASKED.findall(module.read_text())}
    assert len(asked) > 5
    assert not {word: module for word, module in asked.items() if word not in known}
