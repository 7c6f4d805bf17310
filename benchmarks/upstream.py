"""The upstream of the streams and of the bulk transfers: `python -m benchmarks.upstream <port>`.

It must cost so little that it is never what is measured: one thread sends all events at their due times by plain
writes; bulk transfers get a thread each, whose work the kernel does (sendfile; received bytes are dropped uncopied).

`POST /stream?events=N&interval_ms=M`  an event stream; each event tells when it was due and when it was sent
`POST /v1/chat/completions?events=N&interval_ms=M`  the same, with the end that the OpenAI dialect has
`POST /429/...`, `/500/...`            that status at once
`POST /page?events=N&interval_ms=M`    the same as a web page, a link before each event
`GET /bulk?bytes=N`                    so many zero bytes
`POST /sink`                           takes a body of any length, answers with how much came
"""

from __future__ import annotations

import contextlib
import heapq
import os
import random
import re
import select
import socket
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

SEND_BYTES = 1 << 20
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n%b\r\n\r\n"
_CHUNKED = b"Transfer-Encoding: chunked"
_EVENT = (
    b'data: {"id":"chatcmpl-0123456789abcdef01234567","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}],'
    b'"obfuscation":"due=%018d,sent=%018d"}\n\n'
)
_LINK = b'<p><a href="/choices/0">'


def _chunk(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event % (0, 0)), event)


_EVENT_HEAD = _HEAD % (b"text/event-stream\r\nCache-Control: no-cache", _CHUNKED)
_LAST = b"0\r\n\r\n"
_STREAMS = {
    "/stream": (_EVENT_HEAD, _chunk(_EVENT), _LAST),
    "/v1/chat/completions": (_EVENT_HEAD, _chunk(_EVENT), b"e\r\ndata: [DONE]\n\n\r\n" + _LAST),
    "/page": (_HEAD % (b"text/html; charset=utf-8", _CHUNKED), _chunk(_LINK + _EVENT), _LAST),
}
"""By path: the head, a chunk, and the end."""
_FAILURES = {
    f"/{status}/v1/chat/completions": b"HTTP/1.1 %d Failed\r\nContent-Type: application/json\r\nContent-Length: 30"
    b'\r\n\r\n{"error":{"message":"failing"}}' % status
    for status in (429, 500)
}
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


class Stream:
    """One connection, and the event stream that it is being sent, if any."""

    __slots__ = ("buffer", "chunk", "due_ns", "end", "interval_ns", "left", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = b""
        self.chunk = self.end = b""
        self.left = 0
        self.due_ns = 0
        self.interval_ns = 0

    def __lt__(self, other: Stream) -> bool:
        return self.due_ns < other.due_ns

    def begin(self, target: str, phase: float) -> None:
        parts = urlsplit(target)
        query = parse_qs(parts.query)
        head, self.chunk, self.end = _STREAMS[parts.path]
        self.left = int(query["events"][0])
        self.interval_ns = int(float(query["interval_ms"][0]) * 1e6)
        self.due_ns = time.monotonic_ns() + int(self.interval_ns * phase)
        self.sock.sendall(head)

    def send_event(self) -> bool:
        """Sends the event that is due. True while there are more."""
        self.left -= 1
        data = self.chunk % (self.due_ns, time.monotonic_ns())
        self.sock.sendall(data if self.left else data + self.end)
        self.due_ns += self.interval_ns
        return self.left > 0


class Upstream:
    """Listens on loopback and serves until it is killed."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port), backlog=4096)
        self._listener.setblocking(False)
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)
        self._waiting: dict[int, Stream] = {}
        self._due: list[Stream] = []
        self._phases = random.Random(7)
        self._zeros = os.memfd_create("zeros")
        os.ftruncate(self._zeros, SEND_BYTES)

    def serve(self) -> None:
        while True:
            wait_s = (self._due[0].due_ns - time.monotonic_ns()) / 1e9 if self._due else 1.0
            if wait_s > 0:
                # epoll alone counts in milliseconds; select on it counts in microseconds.
                if select.select([self._poll], [], [], wait_s)[0]:
                    self._take_requests()
                continue
            stream = self._due[0]
            try:
                more = stream.send_event()
            except OSError:
                heapq.heappop(self._due)
                stream.sock.close()
                continue
            if more:
                heapq.heapreplace(self._due, stream)
            else:
                heapq.heappop(self._due)
                self._await_request(stream)

    def _await_request(self, stream: Stream) -> None:
        self._waiting[stream.sock.fileno()] = stream
        self._poll.register(stream.sock, select.EPOLLIN)

    def _take_requests(self) -> None:
        for number, _ in self._poll.poll(0):
            if number == self._listener.fileno():
                self._accept()
            else:
                self._receive(self._waiting[number])

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                sock, _ = self._listener.accept()
                sock.setblocking(True)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._await_request(Stream(sock))

    def _receive(self, stream: Stream) -> None:
        try:
            data = stream.sock.recv(65536)
        except OSError:
            data = b""
        stream.buffer += data
        head, found, body = stream.buffer.partition(b"\r\n\r\n")
        if data and not found:
            return
        target = head.split(b" ", 2)[1].decode("latin-1") if found else ""
        length = int(match[1]) if (match := _LENGTH.search(head)) else 0
        path = target.partition("?")[0]
        is_stream = path in _STREAMS
        if (is_stream or path in _FAILURES) and len(body) < length:
            return
        del self._waiting[stream.sock.fileno()]
        self._poll.unregister(stream.sock)
        stream.buffer = b""
        if path in _FAILURES:
            stream.sock.sendall(_FAILURES[path])
            self._await_request(stream)
        elif not found:
            stream.sock.close()
        elif is_stream:
            stream.begin(target, self._phases.random())
            heapq.heappush(self._due, stream)
        else:
            threading.Thread(target=self._bulk, args=(stream.sock, target, length - len(body)), daemon=True).start()

    def _bulk(self, sock: socket.socket, target: str, left: int) -> None:
        """Serves one bulk transfer, and closes."""
        with sock, contextlib.suppress(OSError):
            if target.startswith("/sink"):
                took = left
                while left > 0 and (count := drop(sock, left)):
                    left -= count
                answer = b'{"left":%d}' % left if took else b"{}"
                fields = b"Connection: close\r\nContent-Length: %d" % len(answer)
                sock.sendall(_HEAD % (b"application/json", fields) + answer)
                return
            size = int(parse_qs(urlsplit(target).query)["bytes"][0])
            fields = b"Connection: close\r\nContent-Length: %d" % size
            sock.sendall(_HEAD % (b"application/octet-stream", fields))
            send_zeros(sock, self._zeros, size)


def send_zeros(sock: socket.socket, zeros: int, size: int) -> None:
    """Sends `size` bytes from a file of SEND_BYTES zeros; the kernel copies."""
    while size:
        size -= os.sendfile(sock.fileno(), zeros, 0, min(size, SEND_BYTES))


_DROPPED = bytearray(SEND_BYTES)


def drop(sock: socket.socket, at_most: int) -> int:
    """Takes what came, without copying it; 0 at the end."""
    return sock.recv_into(_DROPPED, min(at_most, SEND_BYTES), socket.MSG_TRUNC)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        Upstream(int(sys.argv[1])).serve()
