"""What a greenlet owes to the others."""

from __future__ import annotations

import gevent
from gevent import socket

from app.waiting import give_way, receive


def test_others_get_their_turn() -> None:
    """Who gives way once or twice lets those run for whom something has come."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        other = gevent.spawn(receive, theirs, 1)
        give_way()
        ours.send(b"x")
        give_way()
        give_way()
        assert other.ready()
        assert other.value == b"x"
