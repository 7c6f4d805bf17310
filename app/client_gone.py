"""What ends a request whose client has left."""

from __future__ import annotations

import gevent


class ClientGone(gevent.GreenletExit):
    """The client closed its connection, or stalled in the middle of its request.

    A GreenletExit, so that WSGI servers end the request without a traceback.
    """
