"""A file is read by a thread of its own, so that nobody else waits for a disk."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.storage.keys_file import file
from app.storage.keys_file.file import CannotRead, NotThere, WatchedFile
from tests.support.waiting import wait_until


@pytest.fixture
def watched(tmp_path: Path) -> WatchedFile:
    return WatchedFile(tmp_path / "keys.txt")


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """It answers when this is set."""
    answers = threading.Event()
    stat = os.stat

    def slow(path: Path) -> os.stat_result:
        answers.wait(10)
        return stat(path)

    monkeypatch.setattr("app.storage.keys_file.file.os.stat", slow)
    monkeypatch.setattr(file, "PATIENCE_S", 0.05)
    yield answers
    answers.set()


def test_a_change_is_noticed_without_reading(watched: WatchedFile) -> None:
    """Of its content, of its size, and when another file stands in its place."""
    with pytest.raises(NotThere):
        watched.mark()
    watched.path.write_text("one")
    marks = [watched.mark()]
    os.utime(watched.path, (1, 1))
    marks.append(watched.mark())
    watched.path.write_text("three")
    marks.append(watched.mark())
    watched.path.rename(watched.path.with_suffix(".old"))
    watched.path.write_text("three")
    marks.append(watched.mark())
    assert len(set(marks)) == 4
    assert (watched.read().data, watched.read().mark) == (b"three", marks[-1])


def test_what_is_written_meanwhile_is_not_taken(watched: WatchedFile, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.path.write_text("half")
    fstat = os.fstat

    def grow(fd: int) -> os.stat_result:
        with watched.path.open("a") as more:
            more.write("more")
        return fstat(fd)

    monkeypatch.setattr("app.storage.keys_file.file.os.fstat", grow)
    with pytest.raises(CannotRead, match="is being written"):
        watched.read()


def test_a_huge_file_is_no_file_of_keys(watched: WatchedFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "MAX_BYTES", 1 << 20)
    watched.path.write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(CannotRead, match="is larger than 1 MiB"):
        watched.read()


def test_a_disk_that_does_not_answer_costs_one_thread(watched: WatchedFile, slow_disk: threading.Event) -> None:
    """Not one with each look; when it answers again, all is as before."""
    watched.path.write_text("one")
    with pytest.raises(CannotRead, match="the disk does not answer"):
        watched.mark()
    for _ in range(3):
        with pytest.raises(CannotRead, match="has not answered yet"):
            watched.mark()
    slow_disk.set()

    def answers() -> bool:
        try:
            return watched.mark().size == 3
        except CannotRead:
            return False

    wait_until(answers, "the disk answers")
