"""The head of an answer, and the interim ones before it."""

from __future__ import annotations

import time

from gevent import socket

from app.core.errors import UpstreamFault
from app.core.failures import Failure
from app.core.model import Upstream
from app.proxy.upstream import faults
from app.proxy.upstream.certificates import broken_off_because
from app.proxy.upstream.incoming import READ_BYTES, Incoming
from app.waiting import Patience
from app.wire.http import http1, lenient
from app.wire.http.headers import find
from app.wire.http.http1 import HttpSyntaxError, ResponseHead


class HeadReader:
    """Reads the final head of the answer to one request."""

    __slots__ = ("_head_bytes", "_incoming", "_may_be_stale", "_method", "_upgrade", "_upstream", "is_odd")

    def __init__(self, incoming: Incoming, upstream: Upstream, method: str, upgrade: str) -> None:
        """`upgrade`: the protocol to which the upstream may switch; empty: to none."""
        self._incoming = incoming
        self._upstream = upstream
        self._method = method
        self._upgrade = upgrade
        self._may_be_stale = incoming.connection.reused
        self._head_bytes = 0
        """Of all heads that have come: interim answers have one bound together, as in Go's net/http."""
        self.is_odd = False
        """True when the upstream does not keep to the rules, so that where its next answer begins is uncertain."""

    def read(self, *, limited: bool, patience_s: float | None = None) -> ResponseHead | None:
        """The head of the final answer. With `patience_s`: None when a 100 came, or nothing within that time.

        With `limited` the upstream has its first-byte timeout for it; else it is the uploader, and then its timer, that
        say when it has been too long. Raises UpstreamFault, or what was laid down.
        """
        incoming = self._incoming
        first_byte_timeout = self._upstream.limits.first_byte_timeout
        limit = incoming.connection.patience(first_byte_timeout) if limited else None
        searched = 0
        deadline_s = 0.0
        while self._head_bytes <= lenient.MAX_HEAD_BYTES:
            while not incoming.buffer or (head := self._take(searched)) is None:
                searched = len(incoming.buffer)
                if limited and (searched or self._head_bytes):  # the rest has no more time than all of it
                    deadline_s = deadline_s or time.monotonic() + first_byte_timeout
                    limit = Patience(max(0.001, deadline_s - time.monotonic()))
                if patience_s is not None and not self._readable_within(patience_s):
                    return None
                incoming.buffer += self._receive(limit)
            searched = 0
            if head.status >= 200 or (head.status == 101 and self._is_asked_for(head)):
                return head
            if head.status == 101:
                raise faults.no_http(self._upstream, "it switched to a protocol that it was not asked for")
            if head.status == 100 and patience_s is not None:
                return None
        raise faults.no_http(self._upstream, "it sent too many interim answers")

    def _is_asked_for(self, head: ResponseHead) -> bool:
        return bool(self._upgrade) and (find(head.headers, "upgrade") or "").lower() == self._upgrade.lower()

    def _take(self, searched: int) -> ResponseHead | None:
        """Takes a head out of the buffer; None while it is not complete."""
        incoming = self._incoming
        try:
            end = http1.find_head_end(incoming.buffer, searched, lenient.MAX_HEAD_BYTES)
            if end < 0:
                return None
            block, incoming.buffer = incoming.buffer[:end], incoming.buffer[end:]
            self._head_bytes += end
            try:
                return http1.parse_response_head(block, self._method)
            except HttpSyntaxError:
                self.is_odd = True
                return lenient.parse_response_head(block, self._method)
        except HttpSyntaxError as error:
            raise faults.no_http(self._upstream, error) from None

    def _readable_within(self, timeout_s: float) -> bool:
        try:
            socket.wait_read(self._incoming.connection.sock.fileno(), timeout=timeout_s)
        except TimeoutError:
            return False
        return True

    def _receive(self, limit: Patience | None) -> bytes:
        try:
            data = self._incoming.receive(READ_BYTES, limit)
        except TimeoutError:
            raise faults.first_byte_timeout(self._upstream) from None
        except OSError as error:
            raise self._ended(broken_off_because(error)) from None
        if not data:
            raise self._ended("it closed the connection")
        self._may_be_stale = False
        return data

    def _ended(self, reason: str) -> UpstreamFault:
        if self._may_be_stale:
            text = "closed a connection that it had kept, and did not answer"
            return faults.failed(self._upstream, Failure.STALE_WRITTEN, text)
        failure = Failure.HEAD_CUT_OFF if self._incoming.buffer else Failure.NO_ANSWER
        return faults.failed(self._upstream, failure, f"gave no answer: {reason}")
