"""Which TCP connections a process holds."""

from __future__ import annotations

import os


def dialling(pid: int, port: int) -> int:
    """How many TCP connections to `port`, in any state, the process holds."""
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            inodes.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        except OSError:
            continue
    count = 0
    with open(f"/proc/{pid}/net/tcp") as table:
        for line in table.readlines()[1:]:
            columns = line.split()
            if int(columns[2].split(":")[1], 16) == port and f"socket:[{columns[9]}]" in inodes:
                count += 1
    return count
