"""Notes which of our modules run for each request. A gunicorn configuration imports `post_worker_init`."""

from __future__ import annotations

import atexit
import json
import os
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import greenlet

PASSED_TO = "TEST_PASSED_TO"
"""The variable that names the file to which [path, modules] of each request are written when the process ends."""


def post_worker_init(worker: Any) -> None:
    """From now on every call of a function is looked at. What runs from one call of the door to the next is a request,
    whichever greenlet it runs in."""
    import app

    sources = f"{Path(app.__file__).parent}/"
    requests: list[tuple[str, set[str]]] = [("", set())]

    def note(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(sources):
            return
        module = f"app/{code.co_filename.removeprefix(sources)}"
        if module == "app/routes/proxy.py" and code.co_name == "__call__":
            requests.append((frame.f_locals["environ"]["PATH_INFO"], set()))
        requests[-1][1].add(module)

    def write() -> None:
        greenlet.settrace(None)
        sys.setprofile(None)
        passed = [(path, sorted(modules)) for path, modules in requests]
        Path(os.environ[PASSED_TO]).write_text(json.dumps(passed))

    greenlet.settrace(lambda event, switched: sys.setprofile(note))  # each greenlet has a profiler of its own
    sys.setprofile(note)
    atexit.register(write)
