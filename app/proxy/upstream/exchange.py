"""One request and its answer on one upstream connection.

Small bodies go out with the head in one write. What the kernel does not take at once, and all longer bodies, an
uploader greenlet sends while this one already waits for the answer, so an upstream may answer early or speak both ways.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Final

import gevent

from app.core.failures import Failure
from app.core.model import Upstream
from app.proxy.messages import RequestBody
from app.proxy.upstream import faults
from app.proxy.upstream.answer_body import AnswerBody
from app.proxy.upstream.answer_head import HeadReader
from app.proxy.upstream.incoming import READ_BYTES, Incoming
from app.proxy.upstream.pool import Connection
from app.proxy.upstream.uploading import PIECE_BYTES, Upload, first_piece, is_short
from app.waiting import Patience, send_at_once
from app.wire.http import http1
from app.wire.http.headers import Headers
from app.wire.http.http1 import UNTIL_CLOSE, HttpSyntaxError, ResponseHead

EXPECT_CONTINUE_S: Final = 1.0
"""How long an upstream may think about `Expect: 100-continue` before the body is sent all the same (as Go does)."""
NEVER: Final = float("inf")
"""The deadline of a call that may take as long as it likes."""

# Where an exchange stands. Numbers, as a compiled module compares those at once.
AWAITING: Final = 0
"""The head of the answer has not come."""
ANSWERING: Final = 1
"""Its body comes."""
SWITCHED: Final = 2
"""Both sides have left HTTP."""
COMPLETE: Final = 3
"""The whole answer was read."""
BROKEN: Final = 4
"""It was closed before that."""


class Exchange:
    """Sends one request on `connection`, then is the body of the answer: `read1` until b"", then `close`."""

    # One is made for every request, and most change little of this: so it stands in the class.
    head: ResponseHead | None = None
    first_byte_limited = True
    """False: the deadline alone bounds the wait for the head."""
    _state = AWAITING
    _written = False
    _has_body_unasked = False
    """True when the upstream has answered without having asked for the body, which it may still expect."""
    _sent_body_bytes = 0
    _upload: Upload | None = None
    _timer: Any = None
    _total_timer: Any = None

    def __init__(
        self,
        connection: Connection,
        upstream: Upstream,
        method: str,
        upgrade: str,
        deadline_s: float,
        give_back: Callable[[Connection], None],
    ) -> None:
        """`upgrade`: the protocol to which the upstream may switch, empty for none.

        `deadline_s`: when the whole call must be over, by time.monotonic(); NEVER for no limit.
        """
        self.upstream = upstream
        self._connection = connection
        self._sock = connection.sock
        self._limits = upstream.limits
        self._give_back = give_back
        self._incoming = Incoming(connection)
        self._heads = HeadReader(self._incoming, upstream, method, upgrade)
        self._body: AnswerBody | None = None
        if deadline_s != NEVER:
            self._end_at(deadline_s, faults.total_timeout(upstream))

    def _end_at(self, deadline_s: float, fault: BaseException) -> None:
        self._total_timer = gevent.get_hub().loop.timer(max(0.0, deadline_s - time.monotonic()))
        self._total_timer.start(self.break_off, fault)

    def bound(self, deadline_s: float, fault: BaseException) -> None:
        """Sets another time by which all must be over, and what is wrong when it is not."""
        if self._total_timer is not None:
            self._total_timer.stop()
        if deadline_s != NEVER and self._state < COMPLETE:
            self._end_at(deadline_s, fault)

    # --- the request ---

    def send(self, request_line: str, fields: Headers, body: RequestBody, *, expect: bool) -> None:
        """Sends the request and reads the head of the answer into `head`; a 101 is one if it switches as asked.

        Raises UpstreamFault, or what the reader of the request's body raised.
        """
        head = http1.format_head(request_line, fields)
        if self._connection.write_timeout_s != self._limits.idle_timeout:
            self._connection.limit_writes(self._limits.idle_timeout)
        if expect:
            self._write(head)
            refusal = self._heads.read(limited=True, patience_s=EXPECT_CONTINUE_S)
            if refusal is not None:
                self._has_body_unasked = True
                self._begin_body(refusal)
                return
            head = b""
        unsent = self._write_at_once(head + first_piece(body))
        self._sent_body_bytes = min(len(body.at_hand), PIECE_BYTES)
        if unsent or not is_short(body):
            self._upload = Upload(self._sock, unsent, body, self._upload_ended)
        answer = self._heads.read(limited=self._upload is None and self.first_byte_limited)
        assert answer is not None  # noqa: S101 - None is only for a wait with patience
        self._begin_body(answer)

    def _write_at_once(self, data: bytes) -> bytes:
        """Writes what the kernel takes without a wait; returns the rest."""
        if not data:
            return data
        try:
            written = send_at_once(self._sock, data)
        except OSError:
            # An upstream that refuses a body may answer and close while we still write: its answer counts.
            if self._connection.reused and not self._written:
                raise faults.failed(self.upstream, Failure.STALE, "had closed the connection") from None
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
                raise faults.not_taken(self.upstream) from None
            except OSError:
                pass  # whoever reads finds out

    def _upload_ended(self, fault: BaseException | None) -> None:
        if isinstance(fault, TimeoutError):
            self.break_off(faults.not_taken(self.upstream))
        elif fault is None or isinstance(fault, OSError):
            self._await_first_byte()  # of an error: it is gone or has answered early, whoever reads finds out which
        elif isinstance(fault, HttpSyntaxError):
            self.break_off(faults.malformed_request(fault))
        else:
            self.break_off(fault)

    def _await_first_byte(self) -> None:
        """The request is out: from now on the upstream has `first_byte_timeout` to answer."""
        if self._state == AWAITING and self.first_byte_limited:
            self._timer = gevent.get_hub().loop.timer(self._limits.first_byte_timeout)
            self._timer.start(self.break_off, faults.first_byte_timeout(self.upstream))

    def break_off(self, fault: BaseException) -> None:
        """Lays down why the exchange ends, and wakes its reader."""
        if self._state < COMPLETE:
            self._incoming.break_off(fault)

    def send_raw(self, data: bytes) -> None:
        """Bytes of a switched connection. Raises OSError."""
        self._sock.sendall(data)
        self._sent_body_bytes += len(data)

    @property
    def sent_body_bytes(self) -> int:
        """How much of the request's body was sent; of a switched connection's bytes, too."""
        return self._sent_body_bytes + (self._upload.sent_bytes if self._upload is not None else 0)

    # --- the answer ---

    def _begin_body(self, head: ResponseHead) -> None:
        self.head = head
        if head.idle_s != math.inf:
            self._connection.told_idle_s = head.idle_s
        if self._timer is not None:
            self._timer.stop()
        limit: Patience | None = None
        length = head.body_length
        if head.status == 101:
            self._state = SWITCHED  # the tunnel knows when it has been silent for too long
            length = UNTIL_CLOSE
            self._sock.settimeout(None)
        else:
            self._state = ANSWERING
            if not length:
                self._finish()
                return
            limit = self._connection.patience(self._limits.idle_timeout)
        self._body = AnswerBody(self._incoming, self.upstream, length, limit, self._finish)

    @property
    def answer(self) -> ResponseHead:
        """The head of the answer, once `send` has returned."""
        assert self.head is not None  # noqa: S101
        return self.head

    @property
    def is_complete(self) -> bool:
        """True when the whole answer was read."""
        return self._state == COMPLETE

    def read1(self, size: int = READ_BYTES) -> bytes:
        """The next piece of the body as it comes, undecoded; b"" at its end. Raises UpstreamFault when it breaks."""
        if self._body is not None:
            return self._body.read1(size)
        if self._state == BROKEN:  # what was given up must not look whole
            raise faults.failed(self.upstream, Failure.CUT_OFF, "was given up")
        return b""

    def tell_silence(self, pause_s: float) -> None:
        """From now on `read1` raises Silence whenever nothing has come for so long, within the idle timeout."""
        if self._body is not None:
            self._body.tell_silence(pause_s)

    def read_at_hand(self) -> bytes:
        """What of the body came with the head; does not wait. Raises UpstreamFault."""
        if self._state != ANSWERING or self._body is None:
            return b""
        return self._body.read_at_hand()

    # --- the end ---

    def _finish(self) -> None:
        """The answer is complete: the connection may serve another, if nothing is outstanding on it."""
        may_give_back = self._state == ANSWERING and self._may_give_back()
        self._state = COMPLETE
        self._body = None  # which holds us: nobody is to look for such rings
        if may_give_back:
            self._stop_timers()
            self._give_back(self._connection)
        else:
            self._let_go()

    def _may_give_back(self) -> bool:
        head = self.head
        if head is None or not head.keep_alive or self._has_body_unasked or self._heads.is_odd:
            return False
        if (self._body is not None and self._body.is_odd) or (self._upload is not None and not self._upload.is_whole):
            return False
        # What comes in bulk may have more behind it in the kernel; a small piece was all there was.
        incoming = self._incoming
        return not (incoming.buffer or (incoming.is_bulk and self._connection.has_unread))

    def close(self) -> None:
        """Closes the connection unless the answer was complete and it went back to the pool."""
        if self._state < COMPLETE:
            self._state = BROKEN
            self._body = None
            self._let_go()

    def _let_go(self) -> None:
        self._stop_timers()
        self._connection.close()
        if self._upload is not None:
            self._upload.stop()

    def _stop_timers(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        if self._total_timer is not None:
            self._total_timer.stop()
