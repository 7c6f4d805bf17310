"""A request's body read whatever its type and coding: which model, whether a stream, and few members more.

The body itself goes on as it came. Where it is edited it goes on without its coding, so that spans are those of the
decoded bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from app.wire.bodies.forms import Form, boundary_of
from app.wire.bodies.images import Images
from app.wire.bodies.members import Members
from app.wire.bodies.top_level import TopLevel
from app.wire.http.codings import MAX_PIECE_BYTES, CodingError, Decoder, decoder_for

_UNBOUNDED: Final = 1 << 62
_STEP_BYTES: Final = 256 * 1024
"""Undone and read at once; few bytes of a compressed body may stand for many."""
_MAYBE_JSON = frozenset({"", "text/plain", "application/x-www-form-urlencoded"})
"""What clients say that forget to name the type: curl's default among them."""


class RequestBodyReading:
    """One body's. Feed it what comes, then `finish`, then look."""

    def __init__(self, members: Members, says_json: bool, content_encoding: str, max_bytes: int) -> None:
        self.members = members
        self.images: Images | None = None
        """Looks for images in it, too; None: nobody asked for that."""
        self.is_unreadable = False
        """It says it is JSON, or begins like it, and cannot be read; or its coding is broken or not known here."""
        self.is_too_large = False
        """It is coded, and stands for more than `max_bytes`."""
        self.is_coded = bool(content_encoding.strip(" \t")) and content_encoding.strip(" \t").lower() != "identity"
        self._says_json = says_json
        self._decoder: Decoder | None = None
        self._max_bytes = max_bytes if self.is_coded else _UNBOUNDED
        self._length = 0
        if self.is_coded:
            self._decoder = decoder_for(content_encoding, max_bytes + MAX_PIECE_BYTES)  # so that we see it first
            self.is_unreadable = self._decoder is None

    def feed(self, piece: bytes) -> Iterable[None]:
        """Takes note of the next piece. Yields where it has worked for a while, so that others may have their turn."""
        if self.is_unreadable or self.is_too_large:
            return ()
        if self._decoder is None and len(piece) <= MAX_PIECE_BYTES:  # as most are: without the cost of a generator
            self._length += len(piece)
            if self.images is not None:
                self.images.feed(piece)
            self.members.begin(piece)
            return self._steps() if self.members.step() else ()
        return self._feed(piece)

    def _steps(self) -> Iterator[None]:
        yield
        while self.members.step():
            yield

    def _feed(self, piece: bytes) -> Iterator[None]:
        passed_bytes = 0
        for part in self._decoded(piece):
            self._length += len(part)
            if self._length > self._max_bytes:
                self.is_too_large = True
                return
            self.members.begin(part)
            while self.members.step():
                yield
            if self.images is not None:
                self.images.feed(part)
            passed_bytes += len(part)
            if passed_bytes >= _STEP_BYTES:
                passed_bytes = 0
                yield

    def finish(self) -> None:
        """There is no more."""
        if self.is_too_large or self.is_unreadable:
            return
        if self._decoder is not None:
            try:
                self._decoder.finish()
            except CodingError:
                self.is_unreadable = True
        if self._length:
            members = self.members
            members.finish()
            self.is_unreadable = self.is_unreadable or self.is_misread

    @property
    def is_misread(self) -> bool:
        """What has come so far cannot be read, and should be readable."""
        members = self.members
        return members.is_unreadable and (self._says_json or members.is_begun)

    def _decoded(self, piece: bytes) -> Iterator[bytes]:
        if self._decoder is None:
            for start in range(0, len(piece), MAX_PIECE_BYTES):
                yield piece[start : start + MAX_PIECE_BYTES] if len(piece) > MAX_PIECE_BYTES else piece
            return
        try:
            yield from self._decoder.feed(piece)
        except CodingError:
            self.is_unreadable = True


def reading_of(
    content_type: str, content_encoding: str, wanted: frozenset[str], max_bytes: int
) -> RequestBodyReading | None:
    """For a body by its fields' values; None where it names no model: neither JSON nor a form."""
    kind = content_type.partition(";")[0].strip(" \t").lower()
    if kind == "multipart/form-data":
        boundary = boundary_of(content_type)
        return RequestBodyReading(Form(boundary, wanted), False, content_encoding, max_bytes) if boundary else None
    says_json = kind == "application/json" or kind.endswith("+json")
    if says_json or kind in _MAYBE_JSON:
        return RequestBodyReading(TopLevel(wanted), says_json, content_encoding, max_bytes)
    return None


def images_of(content_type: str, *, counts_prompts: bool) -> Images:
    """For a body that `reading_of` reads."""
    boundary = boundary_of(content_type)
    return Images(b"\r\n--" + boundary if boundary else b"", counts_prompts=counts_prompts)


def decoded(pieces: Iterable[bytes], content_encoding: str, max_bytes: int) -> Iterator[bytes]:
    """A body without its coding. Raises CodingError, which a reading of it has not met before."""
    decoder = decoder_for(content_encoding, max_bytes)
    if decoder is None:
        raise CodingError("its coding is not known here")
    for piece in pieces:
        yield from decoder.feed(piece)
    decoder.finish()
