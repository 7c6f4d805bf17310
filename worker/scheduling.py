"""How the worker shares a core with web processes: it works in long turns, so a call that comes meanwhile goes first.

Linux lets who wakes up wait until the turn of the running process is over, some milliseconds, unless its own turns are
the shorter ones (EEVDF, from Linux 6.12 on: https://docs.kernel.org/scheduler/sched-eevdf.html). What is asked for here
changes the length of turns and nothing of the share.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from typing import Final

TURN_NS: Final = 100_000_000
"""The most that Linux grants; usual are about 3 ms."""
_SET: Final = {"x86_64": 314, "aarch64": 274}
"""The number of `sched_setattr` by machine: only the newest C libraries have a function for it."""
_ATTRIBUTES: Final = "=IIQiIQQQ"
"""`struct sched_attr`: its size, policy, flags, nice, priority, runtime, deadline, period."""


def take_long_turns() -> bool:
    """For the calling thread, and those and the children that it begins from now on. False where nobody can say so."""
    number = _SET.get(platform.machine())
    if sys.platform != "linux" or number is None:
        return False
    size, usual_policy = struct.calcsize(_ATTRIBUTES), 0
    wanted = struct.pack(_ATTRIBUTES, size, usual_policy, 0, os.getpriority(os.PRIO_PROCESS, 0), 0, TURN_NS, 0, 0)
    return bool(ctypes.CDLL(None).syscall(number, 0, wanted, 0) == 0)
