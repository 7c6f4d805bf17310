"""What Python and its modules take for standard error: all that is logged or printed there goes into the sink.

These two are not compiled: `logging` and `io` keep weak references to them, which mypyc's classes do not clear.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import signal
import sys
from collections.abc import Callable

from app.telemetry.log_sink import LogSink, end_all, sink_of

STDERR = 2


class SinkStream(io.TextIOBase):
    """What `sys.stderr` is: tracebacks, warnings and whatever is printed there goes into the sink, line by line."""

    def __init__(self, sink: LogSink) -> None:
        self._sink = sink
        self._rest = ""

    def write(self, text: str) -> int:
        lines, end, rest = (self._rest + text).rpartition("\n")
        self._rest = rest
        if end:
            self._sink.write(f"{lines}\n".encode("utf-8", "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        rest, self._rest = self._rest, ""
        if rest:
            self._sink.write(rest.encode("utf-8", "backslashreplace"))

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._sink.fd

    def isatty(self) -> bool:
        return os.isatty(self._sink.fd)


class SinkHandler(logging.Handler):
    """Formats a record where it was made, and leaves the writing to the sink of standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sink_of(STDERR).write(self.format(record).encode("utf-8", "backslashreplace") + b"\n")
        except Exception:
            self.handleError(record)


def take_over_stderr() -> None:
    """From here on nothing in this process waits for whoever reads its standard error."""
    if not isinstance(sys.stderr, SinkStream):
        sys.stderr = SinkStream(sink_of(STDERR))


def in_child(act: Callable[[], int]) -> int:
    """The exit code of `act`, done by a child that ends then; what it said is written, what it imported gone.

    An exception that breaks the wait off ends the child.
    """
    child = os.fork()
    if child == 0:
        code = 1
        gc.disable()  # it ends before that could win anything
        try:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)  # our parent's are for our parent
            code = act()
        except Exception:
            logging.getLogger(__name__).exception("a child failed")
        finally:
            end_all()
            os._exit(code)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
