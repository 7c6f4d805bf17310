"""What ends a request from outside: its client has left, or the operator ends it."""

from __future__ import annotations

import gevent


class ClientGone(gevent.GreenletExit):
    """The client closed its connection, or stalled in the middle of its request.

    A GreenletExit, so that WSGI servers end the request without a traceback.
    """


class CallEnded(gevent.GreenletExit):
    """The operator has ended the call. Its client is still there, and is told as far as that can be."""
