"""One request and its answer on one upstream connection.

Small bodies go out with the head in one write. What the kernel does not take at once, and all longer bodies, an
uploader greenlet sends while this one already waits for the answer, so an upstream may answer early or speak both ways.
Faults that another greenlet or a timer finds are laid down in `fault` and the socket is shut down:
whoever reads it wakes up, looks there, and no greenlet is ever interrupted where it does not expect it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent import socket

from app.core.errors import ClientFault, GatewayError, UpstreamFault
from app.core.failures import Failure
from app.core.model import Upstream
from app.proxy.messages import RequestBody
from app.proxy.upstream.pool import Connection
from app.proxy.upstream.uploading import PIECE_BYTES, Upload, first_piece, is_short
from app.waiting import Patience, give_way, receive, send_at_once
from app.wire import http1, lenient
from app.wire.headers import Headers, find
from app.wire.http1 import CHUNKED, UNTIL_CLOSE, ChunkedDecoder, HttpSyntaxError, ResponseHead
from app.wire.lenient import LenientChunkedDecoder

READ_BYTES = 64 * 1024
BULK_BYTES = 16 * 1024
YIELD_BYTES = 1024 * 1024
"""So much of one body is passed on before other requests get their turn, although neither side has to be waited for."""
EXPECT_CONTINUE_S = 1.0
"""How long an upstream may think about `Expect: 100-continue` before the body is sent all the same (as Go does)."""
NEVER = float("inf")
"""The deadline of a call that may take as long as it likes."""


def total_timeout(upstream: Upstream) -> GatewayError:
    text = f"the call to {upstream.authority} was not over within {upstream.limits.total_timeout:g} s"
    return UpstreamFault(Failure.TOTAL_TIMEOUT, text)


def malformed_body(error: HttpSyntaxError) -> GatewayError:
    return ClientFault(400, "bad_request", f"the request's body is malformed: {error}")


class Exchange:
    """Sends one request on `connection`, then is the body of the answer: `read1` until b"", then `close`."""

    # One is made for every request, and most change little of this: so it stands in the class.
    head: ResponseHead | None = None
    fault: BaseException | None = None
    is_complete = False
    """True when the whole answer was read."""
    _written = False
    _sent_body_bytes = 0
    _buffer = b""
    _head_bytes = 0
    """Of all heads that have come: interim answers have one bound together, as in Go's net/http."""
    _is_odd = False
    """True when the upstream does not keep to the rules, so that where its next answer begins is uncertain."""
    _left = 0
    _bulk = False
    """True while so much comes that more may be there already, so that asking beats waiting."""
    _unyielded = 0
    _decoder: ChunkedDecoder | None = None
    _upload: Upload | None = None
    _timer: Any = None
    _total_timer: Any = None
    _upgrade = ""
    _switched = False
    _may_give_back = False
    _closed = False

    def __init__(
        self, connection: Connection, upstream: Upstream, deadline_s: float, give_back: Callable[[Connection], None]
    ) -> None:
        """`deadline_s`: when the whole call must be over, by time.monotonic(); NEVER for no limit."""
        self.upstream = upstream
        self._connection = connection
        self._sock = connection.sock
        self._limits = upstream.limits
        self._give_back = give_back
        self._may_be_stale = connection.reused
        if deadline_s != NEVER:
            self._total_timer = gevent.get_hub().loop.timer(max(0.0, deadline_s - time.monotonic()))
            self._total_timer.start(self.break_off, total_timeout(upstream))

    # --- the request ---

    def send(
        self,
        method: str,
        target: str,
        fields: Headers,
        body: RequestBody,
        *,
        expect: bool = False,
        upgrade: str = "",
    ) -> None:
        """Sends the request and reads the head of the answer into `head`; a 101 is one if it switches to `upgrade`.

        Raises UpstreamFault, or what the reader of the request's body raised.
        """
        head = http1.format_head(f"{method} {target} HTTP/1.1", fields)
        self._upgrade = upgrade
        if self._connection.write_timeout_s != self._limits.idle_timeout:
            self._connection.limit_writes(self._limits.idle_timeout)
        if expect:
            self._write(head)
            refusal = self._read_head(method, patience_s=EXPECT_CONTINUE_S)
            if refusal is not None:
                self._begin_body(refusal, complete=False)
                return
            head = b""
        unsent = self._write_at_once(head + first_piece(body))
        self._sent_body_bytes = min(len(body.at_hand), PIECE_BYTES)
        if unsent or not is_short(body):
            self._upload = Upload(self._sock, unsent, body, self._upload_ended)
        answer = self._read_head(method)
        assert answer is not None  # noqa: S101 - None is only for a wait with patience
        self._begin_body(answer, complete=True)

    def _write_at_once(self, data: bytes) -> bytes:
        """Writes what the kernel takes without a wait; returns the rest."""
        if not data:
            return data
        try:
            written = send_at_once(self._sock, data)
        except OSError:
            # An upstream that refuses a body may answer and close while we still write: its answer counts.
            if self._may_be_stale and not self._written:
                raise self._failed(Failure.STALE, "had closed the connection") from None
            return b""
        self._written = self._written or written > 0
        return data[written:]

    def _write(self, data: bytes) -> None:
        """Writes all. For a head alone: a body that waits here would keep us from an early answer."""
        unsent = self._write_at_once(data)
        if unsent:
            try:
                self._sock.sendall(unsent)
            except TimeoutError:
                raise self._not_taken() from None
            except OSError:
                pass  # whoever reads finds out

    def _upload_ended(self, fault: BaseException | None) -> None:
        if isinstance(fault, TimeoutError):
            self.break_off(self._not_taken())
        elif fault is None or isinstance(fault, OSError):
            self._await_first_byte()  # of an error: it is gone or has answered early, whoever reads finds out which
        elif isinstance(fault, HttpSyntaxError):
            self.break_off(malformed_body(fault))
        else:
            self.break_off(fault)

    def _await_first_byte(self) -> None:
        """The request is out: from now on the upstream has `first_byte_s` to answer."""
        if self.head is not None or self._closed:
            return
        self._timer = gevent.get_hub().loop.timer(self._limits.first_byte_timeout)
        self._timer.start(self.break_off, self._first_byte_timeout())

    def break_off(self, fault: BaseException) -> None:
        """Lays down why the exchange ends, and wakes its reader."""
        if self._closed:
            return
        self.fault = fault
        try:
            # Not SSLSocket.shutdown, which would take the TLS object from under a reader.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
        except OSError:
            pass  # it is shut already, so its reader is awake

    def send_raw(self, data: bytes) -> None:
        """Bytes of a switched connection. Raises OSError."""
        self._sock.sendall(data)
        self._sent_body_bytes += len(data)

    @property
    def sent_body_bytes(self) -> int:
        """How much of the request's body was sent; of a switched connection's bytes, too."""
        return self._sent_body_bytes + (self._upload.sent_bytes if self._upload is not None else 0)

    # --- the answer ---

    def _read_head(self, method: str, patience_s: float | None = None) -> ResponseHead | None:
        """The head of the final answer. With `patience_s`: None when a 100 came, or nothing within that time."""
        searched = 0
        limit = self._connection.patience(self._limits.first_byte_timeout)
        deadline_s = 0.0
        while self._head_bytes <= lenient.MAX_HEAD_BYTES:
            while not self._buffer or (head := self._take_head(method, searched)) is None:
                searched = len(self._buffer)
                if (searched or self._head_bytes) and self._upload is None:  # the rest has no more time than all of it
                    deadline_s = deadline_s or time.monotonic() + self._limits.first_byte_timeout
                    limit = Patience(max(0.001, deadline_s - time.monotonic()))
                if patience_s is not None and not self._readable_within(patience_s):
                    return None
                self._buffer += self._receive_head(None if self._upload is not None else limit)
            searched = 0
            if head.status >= 200:
                return head
            if head.status == 101:
                if self._upgrade and (find(head.headers, "upgrade") or "").lower() == self._upgrade.lower():
                    return head
                raise self._garbage("it switched to a protocol that it was not asked for")
            if head.status == 100 and patience_s is not None:
                return None
        raise self._garbage("it sent too many interim answers")

    def _take_head(self, method: str, searched: int) -> ResponseHead | None:
        """Takes a head out of the buffer; None while it is not complete."""
        try:
            end = http1.find_head_end(self._buffer, searched, lenient.MAX_HEAD_BYTES)
            if end < 0:
                return None
            block, self._buffer = self._buffer[:end], self._buffer[end:]
            self._head_bytes += end
            try:
                return http1.parse_response_head(block, method)
            except HttpSyntaxError:
                self._is_odd = True
                return lenient.parse_response_head(block, method)
        except HttpSyntaxError as error:
            raise self._garbage(error) from None

    def _readable_within(self, timeout_s: float) -> bool:
        try:
            socket.wait_read(self._sock.fileno(), timeout=timeout_s)
        except TimeoutError:
            return False
        return True

    def _receive_head(self, limit: Patience | None) -> bytes:
        """None for a limit: it is the uploader, and then its timer, that say when it has been too long."""
        data, reason = b"", "it closed the connection"
        try:
            data = limit.receive(self._sock, READ_BYTES) if limit else receive(self._sock, READ_BYTES)
        except TimeoutError:
            raise self._first_byte_timeout() from None
        except OSError as error:
            reason = str(error)
        if data:
            self._may_be_stale = False
            self._bulk = len(data) >= BULK_BYTES
            return data
        if self.fault is not None:
            raise self.fault
        if self._may_be_stale:
            raise self._failed(Failure.STALE_WRITTEN, "closed a connection that it had kept, and did not answer")
        failure = Failure.HEAD_CUT_OFF if self._buffer else Failure.NO_ANSWER
        raise self._failed(failure, f"gave no answer: {reason}")

    def _begin_body(self, head: ResponseHead, *, complete: bool) -> None:
        """`complete` is False when the upstream answered without having asked for the body."""
        self.head = head
        self._switched = head.status == 101
        self._may_give_back = complete and head.keep_alive and not self._is_odd
        if self._timer is not None:
            self._timer.stop()
        if self._switched:
            self._may_give_back = False
            self._left = UNTIL_CLOSE
            self._sock.settimeout(None)
            return
        if head.body_length == CHUNKED:
            self._decoder = LenientChunkedDecoder()
        else:
            self._left = head.body_length
        if head.body_length == 0:
            self._finish()

    def read1(self, size: int = READ_BYTES) -> bytes:
        """The next piece of the body as it comes, undecoded; b"" at its end. Raises UpstreamFault when it breaks."""
        if self._closed:
            return b""
        if self._decoder is not None:
            return self._read_chunked(self._decoder)
        data = self._receive_body(size)  # and not only what is left: more than that must be seen
        if self._left == UNTIL_CLOSE:
            if not data:
                self._finish()
            return data
        if not data:
            raise self._failed(Failure.CUT_OFF, "broke off its answer")
        if len(data) > self._left:
            data, self._buffer = data[: self._left], data[self._left :]
        self._left -= len(data)
        if not self._left:
            self._finish()
        return data

    def read_at_hand(self) -> bytes:
        """What of the body came with the head; does not wait. Raises UpstreamFault."""
        if self._closed or self._switched or not self._buffer:
            return b""
        if self._decoder is None:
            return self.read1()
        data, self._buffer = self._buffer, b""
        return self._decode(self._decoder, data)

    def _read_chunked(self, decoder: ChunkedDecoder) -> bytes:
        while True:
            data = self._receive_body(READ_BYTES)
            if not data:
                raise self._failed(Failure.CUT_OFF, "broke off its answer")
            content = self._decode(decoder, data)
            if content or decoder.done:
                return content

    def _decode(self, decoder: ChunkedDecoder, data: bytes) -> bytes:
        try:
            content = decoder.feed(data)
        except HttpSyntaxError as error:
            raise self._garbage(error) from None
        if decoder.done:
            self._buffer = decoder.rest
            self._may_give_back = self._may_give_back and not decoder.is_odd
            self._finish()
        return content

    def _receive_body(self, size: int) -> bytes:
        data = self._buffer
        if data:
            self._buffer = b""
            return data
        try:
            data = self._receive(size)
        except TimeoutError:
            text = f"sent nothing for {self._limits.idle_timeout:g} s"
            raise self._failed(Failure.SILENT, text) from None
        except OSError as error:
            if self.fault is None:
                raise self._failed(Failure.CUT_OFF, f"broke off its answer: {error}") from None
            data = b""
        if self.fault is not None:
            raise self.fault
        return data

    def _receive(self, size: int) -> bytes:
        if self._bulk and not self._connection.is_tls:
            try:
                data: bytes = self._sock._sock.recv(size)
                self._unyielded += len(data)
                if self._unyielded >= YIELD_BYTES:
                    self._unyielded = 0
                    give_way()
                return data
            except BlockingIOError:
                pass
        if self._switched:
            return receive(self._sock, size)  # the tunnel knows when it has been silent for too long
        data = self._connection.patience(self._limits.idle_timeout).receive(self._sock, size)
        self._bulk = len(data) >= BULK_BYTES
        return data

    # --- the end ---

    def _finish(self) -> None:
        """The answer is complete: the connection may serve another, if nothing is outstanding on it."""
        self.is_complete = True
        if self._timer is not None or self._total_timer is not None:
            self._stop_timers()
        # What comes in bulk may have more behind it in the kernel; a small piece was all there was.
        may_say_more = self._buffer or (self._bulk and self._connection.has_unread)
        is_sent = self._upload is None or self._upload.is_whole
        if self._may_give_back and is_sent and not may_say_more:
            self._closed = True
            self._give_back(self._connection)
        else:
            self.close()

    def close(self) -> None:
        """Closes the connection unless the answer was complete and it went back to the pool."""
        if self._closed:
            return
        self._closed = True
        self._stop_timers()
        self._connection.close()
        if self._upload is not None:
            self._upload.stop()

    def _stop_timers(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        if self._total_timer is not None:
            self._total_timer.stop()

    def _failed(self, failure: Failure, what: str) -> UpstreamFault:
        """`what` goes on from the upstream's name."""
        return UpstreamFault(failure, f"{self.upstream.authority} {what}")

    def _not_taken(self) -> UpstreamFault:
        return self._failed(Failure.NOT_TAKEN, f"took no more of the request for {self._limits.idle_timeout:g} s")

    def _first_byte_timeout(self) -> UpstreamFault:
        text = f"did not begin to answer within {self._limits.first_byte_timeout:g} s"
        return self._failed(Failure.FIRST_BYTE_TIMEOUT, text)

    def _garbage(self, reason: object) -> UpstreamFault:
        failure = Failure.NO_HTTP if self.head is None else Failure.MALFORMED
        return self._failed(failure, f"did not answer in HTTP/1.1: {reason}")
