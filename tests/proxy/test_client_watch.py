"""A client's connection is watched by one watcher, for as long as there is the connection."""

from __future__ import annotations

import gc

from gevent import socket

from app.proxy import client_watch
from app.proxy.client_watch import ClientWatch


def test_a_connection_has_one_watcher_and_leaves_none_behind() -> None:
    """However many calls come on it."""
    before = set(client_watch._watchers)
    ours, theirs = socket.socketpair()
    for _ in range(3):
        ClientWatch(ours).stop()
    made = set(client_watch._watchers) - before
    assert len(made) == 1
    ours.close()
    theirs.close()
    del ours
    gc.collect()
    assert not made & set(client_watch._watchers)
