"""The journal: what was appended outlives its process, and goes off once and in order whoever sends it."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.storage import journal as journal_module
from app.storage import journal_files
from app.storage.journal import STEP_BYTES, Batch, Journal
from app.storage.journal_files import create, folder_of, left_behind
from tests.support.dying_process import die
from tests.support.gateway import ROOT


def drain(journal: Journal, most: int = 500) -> list[Batch]:
    batches = []
    while batch := journal.next_batch(most):
        batches.append(batch)
        journal.confirm()
    return batches


def rows_of(batches: list[Batch]) -> list[bytes]:
    return [row for batch in batches for row in batch.rows]


def test_rows_go_off_in_order_in_numbered_batches(tmp_path: Path) -> None:
    """Batches count 1, 2, 3, ... and hold at most so many rows as were asked for."""
    journal = create(tmp_path / "j", "me", 100)
    rows = [b"row %d" % number for number in range(10)]
    assert [journal.append(row) for row in rows] == [True] * 10
    batches = drain(journal, 4)
    assert [(batch.seq, len(batch.rows)) for batch in batches] == [(1, 4), (2, 4), (3, 2)]
    assert rows_of(batches) == rows
    assert (journal.waiting, journal.appended) == (0, 10)
    journal.close()
    assert not (tmp_path / "j").exists()


def test_a_batch_is_the_same_until_it_is_confirmed(tmp_path: Path) -> None:
    """Rows and drops that come meanwhile wait for the next, in the process itself and in whoever finds it dead."""
    folder = tmp_path / "j"
    journal = create(folder, "me", 3)
    for row in (b"one", b"two"):
        journal.append(row)
    first = journal.next_batch(500)
    for row in (b"three", b"too much"):
        journal.append(row)
    assert journal.next_batch(500) == first == Batch(1, 0, [b"one", b"two"])
    die(journal)
    (found,) = left_behind(folder)
    assert found.sender == "me"
    assert found.is_open
    assert drain(found) == [first, Batch(2, 1, [b"three"])]
    found.close()
    assert not folder.exists()


def test_whoever_goes_on_may_be_killed_too(tmp_path: Path) -> None:
    """Batches that one of them confirmed are not given to the next, one that it had open is, as it was."""
    folder = tmp_path / "j"
    journal = create(folder, "me", 100)
    for number in range(10):
        journal.append(b"row %d" % number)
    die(journal)
    seen = []
    for _ in range(4):
        for found in left_behind(folder):
            seen.append(found.next_batch(3))
            die(found)
        for found in left_behind(folder):
            assert found.next_batch(3) == seen[-1]
            found.confirm()
            die(found)
    assert [batch.seq for batch in seen if batch] == [1, 2, 3, 4]
    assert [row for batch in seen if batch for row in batch.rows] == [b"row %d" % number for number in range(10)]


def test_a_living_process_keeps_its_journal(tmp_path: Path) -> None:
    """Nobody takes rows from a process that lives, nor what somebody else is sending already."""
    folder = tmp_path / "j"
    journal = create(folder, "me", 100)
    journal.append(b"row")
    assert not list(left_behind(folder))
    die(journal)
    for found in left_behind(folder):
        assert not list(left_behind(folder))
        die(found)
    assert len(list(left_behind(folder))) == 1


def test_rows_go_round_and_the_file_grows_and_shrinks(tmp_path: Path) -> None:
    """Whatever waits, and however long it has run: every row once, in order; the file is small when nothing waits."""
    dice = random.Random(4)
    journal = create(tmp_path / "j", "me", 5000)
    assert journal.path is not None
    sent, got = [], []
    for turn in range(300):
        for _ in range(dice.randrange(400)):
            row = b"%d %b" % (len(sent), b"x" * dice.randrange(900))
            if journal.append(row):
                sent.append(row)
        for _ in range(dice.randrange(4) if turn % 50 else 1000):
            if batch := journal.next_batch(200):
                got += batch.rows
                journal.confirm()
    got += rows_of(drain(journal))
    assert got == sent
    assert len(sent) > 30_000
    assert journal.path.stat().st_blocks * 512 <= STEP_BYTES + 4096
    journal.close()


def test_what_went_round_is_found(tmp_path: Path) -> None:
    """Rows that begin anew at the start of the file are found there after a kill."""
    folder = tmp_path / "j"
    journal = create(folder, "me", 100_000)
    row = b"y" * 4000
    while journal._tail >= journal._head:
        assert journal.append(b"%d" % journal.appended + row)
        if journal.waiting > 300:
            journal.next_batch(100)
            journal.confirm()
    first, waiting = journal._head_number, journal.waiting
    die(journal)
    (found,) = left_behind(folder)
    assert rows_of(drain(found)) == [b"%d" % number + row for number in range(first, first + waiting)]
    found.close()


def test_a_full_journal_counts_what_it_drops(tmp_path: Path) -> None:
    """By number or by bytes: what finds no room is counted, and the count goes off with the next batch, once."""
    journal = create(tmp_path / "j", "me", 3)
    for _ in range(5):
        journal.append(b"row")
    assert [(batch.dropped, len(batch.rows)) for batch in drain(journal)] == [(2, 3)]
    while journal.append(b"z" * 700_000):
        pass
    assert [batch.dropped for batch in drain(journal)] == [1]
    journal.close()


def test_a_disk_without_room_is_a_full_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file does not grow where the disk has no room: rows are dropped and counted, and nothing dies of it."""
    journal = create(tmp_path / "j", "me", 10_000)

    def no_room(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", no_room)
    taken = [journal.append(b"z" * 500) for _ in range(5000)]
    assert taken.count(True) == journal.waiting < 5000
    assert journal.dropped == taken.count(False)
    assert len(rows_of(drain(journal))) == taken.count(True)
    journal.close()


@pytest.mark.parametrize("at", [0, 3, 4, 7, 8, 12])
def test_a_row_half_written_is_none(tmp_path: Path, at: int) -> None:
    """A row whose head or bytes are not all there ends the journal; those before it stand."""
    folder = tmp_path / "j"
    journal = create(folder, "me", 100)
    journal.append(b"whole")
    begin = journal._tail
    journal.append(b"half written")
    journal._memory[begin + at] ^= 0x55
    die(journal)
    (found,) = left_behind(folder)
    assert rows_of(drain(found)) == [b"whole"]
    found.close()


def test_a_claim_half_written_is_none(tmp_path: Path) -> None:
    """The claim before it holds: the batch was not sent yet, because it is claimed first."""
    folder = tmp_path / "j"
    journal = create(folder, "me", 100)
    for row in (b"one", b"two"):
        journal.append(row)
        journal.next_batch(500)
        version = journal._version
        if row == b"one":
            journal.confirm()
    journal._memory[journal_module._CLAIMS_AT[version % 2] + 9] ^= 0x55
    die(journal)
    (found,) = left_behind(folder)
    assert drain(found) == [Batch(2, 0, [b"two"])]
    found.close()


@pytest.mark.parametrize("content", [b"", b"\0" * STEP_BYTES, os.urandom(2 * STEP_BYTES)])
def test_what_is_no_journal_is_removed(tmp_path: Path, content: bytes) -> None:
    """A file that was killed before it was a journal, or that is damaged, is in nobody's way."""
    (tmp_path / "x.journal").write_bytes(content)
    assert not list(left_behind(tmp_path))
    assert not list(tmp_path.iterdir())


def test_it_is_private(tmp_path: Path) -> None:
    """Directory and file are their owner's alone."""
    journal = create(tmp_path / "j", "me", 100)
    assert journal.path is not None
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "j").stat().st_mode) == 0o700
    journal.close()


@pytest.mark.parametrize("place", ["a file", "open to others", "a link", "crowded"])
def test_without_a_place_it_goes_on_and_says_so(tmp_path: Path, place: str, caplog: pytest.LogCaptureFixture) -> None:
    """Where no file can be, rows wait in memory, and one line says what a kill costs."""
    folder = tmp_path / "j"
    if place == "a file":
        folder.write_text("")
    elif place == "a link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.mkdir(mode=0o700)
        if place == "open to others":
            folder.chmod(0o755)
        for number in range(journal_files.MAX_LEFT_BEHIND if place == "crowded" else 0):
            (folder / f"{number}.journal").write_text("")
    journal = create(folder, "me", 100)
    assert journal.path is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "JOURNAL_DIR" in caplog.text
    journal.append(b"row")
    assert rows_of(drain(journal)) == [b"row"]
    journal.close()
    assert not journal.append(b"late")


def test_each_redis_has_a_place_of_its_own(tmp_path: Path) -> None:
    """Journals for different Redises do not meet; a new password is no new Redis and is in no name."""
    one = folder_of(tmp_path, tmp_path, "redis://:secret@h:1/0")
    assert one == folder_of(tmp_path, tmp_path, "redis://:other@h:1/0")
    assert one != folder_of(tmp_path, tmp_path, "redis://:secret@h:1/1")
    assert "secret" not in str(one)


CHILD = """
import sys
from pathlib import Path
from app.storage.journal_files import create
journal = create(Path(sys.argv[1]), sys.argv[2], 5000)
number = 0
while True:
    for _ in range(37):
        if journal.append(b"%d " % number + b"x" * (number * 7919 % 600)):
            number += 1
            if number % 10 == 0:
                print("appended", number, flush=True)
    batch = journal.next_batch(50)
    print("sent", batch.seq, ",".join(row.split()[0].decode() for row in batch.rows), flush=True)
    journal.confirm()
"""


def test_a_kill_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Every row that was appended before the kill goes off under one number, and a number stands for the same rows."""
    dice = random.Random()
    folder = tmp_path / "j"
    for turn in range(12):
        command = [sys.executable, "-c", CHILD, str(folder), f"sender{turn}"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(dice.uniform(0, 0.05))
            child.send_signal(signal.SIGKILL)
            told = [line.split() for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        appended = max((int(words[1]) for words in told if words[0] == "appended"), default=0)
        received = {int(words[1]): words[2].split(",") for words in told if words[0] == "sent" and len(words) == 3}
        (found,) = left_behind(folder)
        assert found.sender == f"sender{turn}"
        for batch in drain(found, 50):
            numbers = [row.split()[0].decode() for row in batch.rows]
            assert received.setdefault(batch.seq, numbers) == numbers
        found.close()
        got = [int(number) for seq in sorted(received) for number in received[seq]]
        assert got == list(range(len(got)))
        assert len(got) >= appended
    assert not folder.exists()
