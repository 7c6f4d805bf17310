"""What a dialect says: the wire format of a provider family, read and written.

An answer is read for a few facts (`Seen`): whether it holds useful content, whether it is an error, whether it came to
its end. Nothing here keeps an answer or changes one.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Any, Final

import orjson

MAX_ERROR_BYTES: Final = 64 * 1024
"""So much of an error is kept."""
DONE: Final = b"[DONE]"
"""The last event's data in OpenAI's streams; other families' relays send it too."""


_TYPE = re.compile(rb'"type"\s*+:\s*+"([^"]++)"')


class OurError:
    """An error that the gateway itself tells a caller."""

    __slots__ = ("code", "is_final", "message", "request_id", "retry_after_s", "status")

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        request_id: str = "",
        retry_after_s: int | None = None,
        is_final: bool = False,
    ) -> None:
        self.status = status
        self.code = code
        """In snake case."""
        self.message = message
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        """What goes out as `Retry-After`; None where none does."""
        self.is_final = is_final
        """True where `x-should-retry: false` goes out."""


class Seen:
    """What an answer has said so far."""

    def __init__(self) -> None:
        self.is_useful = False
        """It holds useful content: text, a tool call, a refusal or reasoning. An error is not counted here."""
        self.is_ended = False
        """The dialect's end marker has come."""
        self.is_malformed = False
        """Before any useful content: an event, or the body, that should be JSON and is none."""
        self.stopped_by_itself = False
        """The model says that it had no more to say, as against a limit or a filter. Of answers that are not useful."""
        self.is_failed = False
        """It says of itself that it failed."""
        self.error = b""
        """The JSON (or text) that says an error; empty while there is none. A soft error is judged by it."""
        self.response_id = ""
        """The `id` of the answer, in dialects whose error event repeats it."""
        self.whole: Any = None
        """The value of an answer in one piece of JSON, while that is looked at."""


class Dialect(ABC):
    """The wire format of a provider family."""

    def __init__(self, name: str, host: str, words: tuple[str, ...], sends_done: bool, allows_comments: bool) -> None:
        self.name = name
        self.host = host
        """Where the provider itself speaks it."""
        self.words = words
        """What addresses of those who speak it are called after."""
        self.sends_done = sends_done
        """`[DONE]` is an end marker."""
        self.allows_comments = allows_comments
        """Its clients pass over comments in a stream (Gemini CLI dies of them)."""
        self.is_numbered = False
        """Its events have a `sequence_number`."""
        self.ends_cleanly = True
        """After an error event of ours the body ends in order; else it breaks, as clients would go on asking."""

    # --- what we say ---

    @abstractmethod
    def error_value(self, error: OurError) -> dict[str, Any]:
        """The JSON object that tells an error."""

    def error_body(self, error: OurError) -> bytes:
        """The body of an answer that tells an error, of the type `application/json`."""
        return orjson.dumps(self.error_value(error))

    def error_events(self, error: OurError, sequence_number: int, response_id: str) -> bytes:
        """The events that end a stream which has begun. `sequence_number` is that of the first."""
        return b"data: %b\n\n" % self.error_body(error)

    # --- what upstreams say ---

    @abstractmethod
    def is_telling(self, piece: bytes) -> bool:
        """False for events, whole or in part, that surely hold neither an error nor an end marker.

        Asked for each piece of a stream after its first useful content, so it must cost next to nothing.
        """

    @abstractmethod
    def read_event(self, value: dict[str, Any], seen: Seen) -> None:
        """Notes what an event of a stream says that is no error by the rules that all dialects share."""

    @abstractmethod
    def read_whole(self, value: dict[str, Any], seen: Seen) -> None:
        """Notes what an answer in one piece of JSON says that is no error."""

    def judge_event(self, name: bytes, data: bytes, seen: Seen) -> None:
        """Notes what an event says, by its name and data."""
        if data.strip() == DONE:
            seen.is_ended = seen.is_ended or self.sends_done
            return
        value = parsed(data)
        if name == b"error" or says_error(value):
            seen.error = seen.error or data[:MAX_ERROR_BYTES]
        elif isinstance(value, dict):
            self.read_event(value, seen)
            if seen.is_failed:
                seen.error = seen.error or data[:MAX_ERROR_BYTES]
        elif not seen.is_useful:
            seen.is_malformed = True

    def judge_long(self, ends: bytes, seen: Seen) -> None:
        """Notes what an event says of which only the two ends are at hand: it is long, so it has content."""
        seen.is_useful = True
        kind = _TYPE.search(ends)
        if kind is not None:
            self.read_event({"type": kind.group(1).decode("latin-1")}, seen)

    def judge_whole(self, body: bytes, seen: Seen) -> None:
        """Notes what a whole body of JSON says."""
        value = parsed(body)
        seen.whole = value
        if isinstance(value, list) and len(value) == 1:  # Google wraps errors so where an array was asked for
            value = value[0]
        if says_error(value):
            seen.error = body[:MAX_ERROR_BYTES]
        elif isinstance(value, dict):
            self.read_whole(value, seen)
        elif value is MALFORMED:
            seen.is_malformed = True
        else:
            seen.is_useful = True
        seen.is_ended = not seen.is_malformed


class _Malformed:
    """What is no JSON."""


MALFORMED: Final = _Malformed()


def parsed(data: bytes) -> Any:
    """The value of a JSON text, or MALFORMED."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return MALFORMED


def says_error(value: Any) -> bool:
    """True for an object with a top-level `error` that is not null, or of the type `error` (in any case)."""
    if not isinstance(value, dict):
        return False
    error = value.get("error")
    if error is not None and error is not False:
        return True
    kind = value.get("type")
    return isinstance(kind, str) and kind.lower() == "error"


def may_say_error(piece: bytes) -> bool:
    """False where surely no event says an error: neither a member of that name, nor an event, nor a type."""
    return b"error" in piece and (b'"error"' in piece or b"event: error" in piece or b"event:error" in piece)


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; none where it is no list."""
    return [member for member in value if isinstance(member, dict)] if isinstance(value, list) else []
