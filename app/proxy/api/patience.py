"""Streams that are begun with comments while nobody has given a good answer yet (`keepalive_before_commit`).

Routers and CDNs give a silent answer up after half a minute or two (Heroku after 30 s, Cloudflare after 100 s), and a
model may think for longer than that. Whoever is told a comment has got status 200, so what fails later is told by an
event of the stream. A call that is answered or refused within `keepalive_comment_s` is as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import Any, Final

import gevent

from app.client_gone import ClientGone
from app.core.errors import GatewayError
from app.core.settings import Settings
from app.proxy.api.request import ApiRequest
from app.proxy.api.served import Served
from app.proxy.call import Call
from app.proxy.messages import Reply
from app.wire.dialects.dialect import OurError
from app.wire.dialects.observers import COMMENT
from app.wire.error_bodies import read_error
from app.wire.http.headers import Headers, find

_ASKING: Final[set[Any]] = set()
"""Those whose greenlet runs."""
_FIELDS: Headers = [("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache")]


def is_patient(request: ApiRequest, settings: Settings) -> bool:
    """Whether comments may be sent to whoever waits for this."""
    wanted = settings.keepalive_before_commit and settings.keepalive_comment_s > 0
    return wanted and request.is_stream and request.asked.dialect.allows_comments and not request.asked.is_realtime


def patiently(act: Callable[[], Served], call: Call, request: ApiRequest, pause_s: float) -> Served:
    """What `act` gives, or a stream that has begun and will give it. Raises what `act` raises in time."""
    asking = _Asking(act, call)
    try:
        asking.wait(pause_s)
    except BaseException:
        asking.close()
        raise
    if asking.is_over:
        return asking.served()
    return Served(Reply(200, "OK", list(_FIELDS), _LateBody(asking, request, pause_s)), "", None, "")


class _Asking:
    """Asks in a greenlet of its own, which is the one that learns that the client has left."""

    def __init__(self, act: Callable[[], Served], call: Call) -> None:
        self._act = act
        self._call = call
        self._served: Served | None = None
        self._error: BaseException | None = None
        self._waiting: Any = gevent.getcurrent()
        self._greenlet: Any = gevent.spawn(copy_context().run, self._run)

    def _run(self) -> None:
        """Compiled code only borrows what it is called with, and gevent lets go of that when it kills a greenlet, which
        may still have to wait then: so all stands here, and this is held until the end.
        """
        _ASKING.add(self)
        self._call.greenlet = gevent.getcurrent()
        try:
            self._served = self._act()
        except BaseException as error:  # whoever waits is told, whatever it is
            self._error = error
        if self._call.watch is not None:
            self._call.watch.throw_into(self._waiting)
        self._call.greenlet = self._waiting
        _ASKING.discard(self)

    @property
    def is_over(self) -> bool:
        return bool(self._greenlet.ready())

    def wait(self, longest_s: float) -> None:
        self._greenlet.join(longest_s)

    def served(self) -> Served:
        """Raises what asking raised."""
        if self._error is not None:
            raise self._error
        assert self._served is not None  # noqa: S101 - it is over
        return self._served

    def close(self) -> None:
        """Nobody wants to know any more."""
        if not self.is_over:
            self._greenlet.kill(ClientGone, block=False)
        elif self._served is not None:
            close = getattr(self._served.reply.body, "close", None)
            if close is not None:
                close()


class _LateBody:
    """Comments, and then what was asked for."""

    def __init__(self, asking: _Asking, request: ApiRequest, pause_s: float) -> None:
        self._asking = asking
        self._request = request
        self._pause_s = pause_s
        self._has_begun = False
        self._pieces: Iterator[bytes] | None = None
        """What comes after the comments."""

    def __iter__(self) -> _LateBody:
        return self

    def __next__(self) -> bytes:
        if not self._has_begun:
            self._has_begun = True
            return COMMENT
        if self._pieces is None:
            self._asking.wait(self._pause_s)
            if not self._asking.is_over:
                return COMMENT
            self._pieces = self._begin()
        return next(self._pieces)

    def close(self) -> None:
        self._asking.close()

    def _begin(self) -> Iterator[bytes]:
        try:
            served = self._asking.served()
        except GatewayError as error:
            return iter([self._event(error.status, error.code, error.message, is_final=error.is_final)])
        reply = served.reply
        if reply.status < 300 and (find(reply.headers, "content-type") or "").startswith("text/event-stream"):
            return iter(reply.body)
        told = read_error(b"".join(reply.body), find(reply.headers, "content-type") or "")
        message = told.shown or f"the upstream answered {reply.status}, and no stream"
        return iter([self._event(reply.status if reply.status >= 400 else 502, "upstream_error", message)])

    def _event(self, status: int, code: str, message: str, *, is_final: bool = False) -> bytes:
        request = self._request
        error = OurError(status, code, message, request.inbound.request_id, is_final=is_final)
        return request.asked.dialect.error_events(error, 0, "")
