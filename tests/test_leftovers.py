"""The check at the end of each test session."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.environ import clean_environ

ROOT = Path(__file__).resolve().parent.parent
SESSION = """
import subprocess
from tests.support import leftovers
from tests.support.leftovers import nothing_is_left_running

leftovers.PATIENCE_S = 0.3

def test_it():
    child = subprocess.Popen({command})
    {ends}
"""


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes under /proc")
@pytest.mark.parametrize(
    ("command", "ends", "code"),
    [
        (["sleep", "601"], "pass", 1),
        (["sh", "-c", "sleep 601 & exit"], "child.wait()", 1),  # an orphan
        (["sleep", "601"], "child.kill(); child.wait()", 0),
    ],
)
def test_a_process_that_a_test_leaves_fails_the_session(
    tmp_path: Path, command: list[str], ends: str, code: int
) -> None:
    """Whatever test it was, the process is named and ended."""
    (tmp_path / "test_it.py").write_text(SESSION.format(command=command, ends=ends))
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=ROOT,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert told.returncode == code, told.stdout
    assert ("sleep 601" in told.stdout and "tests left processes running" in told.stdout) == bool(code)
    assert subprocess.run(["pgrep", "-f", "^sleep 601"], capture_output=True).returncode == 1
