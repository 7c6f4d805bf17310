"""Asks the system for a name's addresses, in gevent's threads, so that waiting holds up nobody else.

A lookup that hangs cannot be ended. So all who ask for one name at once share one lookup: a name whose servers are
silent takes one thread, and there are threads for many such names.
"""

from __future__ import annotations

from typing import Any

import gevent
from gevent import socket

MAX_LOOKUPS = 64
"""Names that may be looked up at once; gevent's own limit is 10."""


class Resolver:
    def __init__(self) -> None:
        gevent.get_hub().threadpool.maxsize = MAX_LOOKUPS
        self._lookups: dict[tuple[str, int], gevent.Greenlet] = {}

    def addresses(self, host: str, port: int) -> list[Any]:
        """What getaddrinfo says of a canonical name (`core.addresses`), for streams. Raises its OSError."""
        lookup = self._lookups.get((host, port))
        if lookup is None:
            lookup = self._lookups[host, port] = gevent.spawn(self._look_up, host, port)
        found = lookup.get()
        if isinstance(found, OSError):
            raise found
        addresses: list[Any] = found
        return addresses

    def _look_up(self, host: str, port: int) -> list[Any] | OSError:
        """An error as a value, because gevent prints what a greenlet raises."""
        try:
            # As bytes: a name that is canonical must not go through Python's own, older rules for international ones.
            found: list[Any] = socket.getaddrinfo(host.encode(), port, type=socket.SOCK_STREAM)
            return found
        except OSError as error:
            return error
        finally:
            del self._lookups[host, port]
