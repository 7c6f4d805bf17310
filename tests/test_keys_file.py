"""Which file of keys a start takes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.config import ROOT, load_config
from app.keys_file import KeysFile, named_keys_file, usual_keys_file


def test_keys_txt_is_taken_where_we_were_started_or_beside_the_makefile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes that begin elsewhere are told of the former."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert usual_keys_file(tmp_path) == KeysFile(tmp_path / "keys.txt", is_named=False)
    assert usual_keys_file(tmp_path).told(tmp_path) == {}
    (tmp_path / "here/keys.txt").touch()
    found = load_config({}).keys_file
    assert found == KeysFile(tmp_path / "here/keys.txt", is_named=False)
    assert found.told(ROOT) == {"KEYS_FILE": str(found.path)}
    assert found.told(tmp_path / "here") == {}
    (tmp_path / "here/keys.txt").unlink()
    (tmp_path / "here").rmdir()
    assert usual_keys_file(tmp_path).path == tmp_path / "keys.txt", "the directory is gone"


def test_another_may_be_named_or_none(tmp_path: Path) -> None:
    named = named_keys_file(tmp_path)
    assert named("mine.txt") == KeysFile(tmp_path / "mine.txt", is_named=True)
    assert named("/srv/keys.txt") == KeysFile(Path("/srv/keys.txt"), is_named=True)
    assert named("Off") is None
    assert load_config({"KEYS_FILE": "off"}).keys_file is None


def test_a_start_is_told_what_is_wrong_with_it(tmp_path: Path) -> None:
    """Only what is named must be there; what is there must be a file that can be read."""
    KeysFile(tmp_path / "none", is_named=False).check()
    with pytest.raises(ValueError, match=rf"^KEYS_FILE: there is no {tmp_path}/none: make it"):
        KeysFile(tmp_path / "none", is_named=True).check()
    for is_named, name in ((True, "KEYS_FILE"), (False, "keys.txt")):
        with pytest.raises(ValueError, match=rf"^{name}: {tmp_path} must be a file"):
            KeysFile(tmp_path, is_named=is_named).check()
    closed = tmp_path / "closed"
    closed.touch(0o000)
    if not os.access(closed, os.R_OK):  # root may read all
        with pytest.raises(ValueError, match=rf"^KEYS_FILE: {closed} must be a file that the gateway may read"):
            KeysFile(closed, is_named=True).check()
