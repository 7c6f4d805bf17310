"""Which tasks are given to the tasks process."""

from __future__ import annotations

from app.storage.tasks.stored import Open
from worker.tasks.keeper import AT_ONCE, next_of


def test_a_few_of_each_kind_run_at_once_and_no_kind_waits_for_another() -> None:
    """The oldest first; what another process has counts, whatever became silent waits again."""
    running = [Open(f"v{number}", "validate_keys", True, "one") for number in range(AT_ONCE - 2)]
    waiting = [Open(f"w{number}", "validate_keys", False, "") for number in range(5)]
    others = [Open("silent", "import_keys", False, "dead"), Open("i", "import_keys", False, "")]
    assert next_of([*running, *waiting, *others]) == ["w0", "w1", "silent", "i"]
    assert next_of([*running, running[0], running[1], *waiting]) == []
