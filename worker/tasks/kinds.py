"""Which kinds of tasks there are, and what does each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from worker.checks.clock import CHECK, REVALIDATE
from worker.tasks.checking import check_channels, revalidate_keys
from worker.tasks.imports import import_keys
from worker.tasks.key_batches import DELETE, DISABLE, ENABLE, RESTORE, change_keys
from worker.tasks.model_lists import fetch_model_lists
from worker.tasks.running import Running
from worker.tasks.validating import validate_keys

Kind = Callable[[Running], Mapping[str, Any]]
"""Does the task and returns its result; of one that was cancelled, what it did until then. Raises TaskFailed."""

KINDS: dict[str, Kind] = {
    "import_keys": import_keys,
    "delete_keys": partial(change_keys, act=DELETE),
    "restore_keys": partial(change_keys, act=RESTORE),
    "enable_keys": partial(change_keys, act=ENABLE),
    "disable_keys": partial(change_keys, act=DISABLE),
    "validate_keys": validate_keys,
    "fetch_models": fetch_model_lists,
    REVALIDATE: revalidate_keys,
    CHECK: check_channels,
}
