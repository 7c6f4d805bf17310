"""The addresses in a stylesheet, rewritten while it streams (CSS Syntax Module Level 3).

Addresses stand in `url(...)`, in the first string of `src(...)` and `@import`, and in the strings that `image-set()`
and `image()` hold themselves. Nothing else is touched: `@namespace` names, strings and comments stay byte for byte.
One regular expression passes over all the rest in C; the methods here see only what it stops at.
"""

from __future__ import annotations

from typing import Final, Protocol

from app.wire.pages.css_tokens import NAME_BYTES, end_of, escape, grammar_of, unescape

MAX_URL_BYTES: Final = 64 * 1024
"""A longer address passes unchanged, without being collected."""
_MAX_NAME_BYTES: Final = 256
"""A longer name is none that matters here, however it is escaped."""
_MAX_DEPTH: Final = 64
"""Of brackets within `image-set()`; deeper ones end its meaning."""

_URL, _SOURCE, _IMAGES = "url", "source", "images"
_FUNCTIONS: Final = {
    b"url": _URL,
    b"src": _SOURCE,
    b"image": _IMAGES,
    b"image-set": _IMAGES,
    b"-webkit-image-set": _IMAGES,
}
_IMAGES_END: Final = b"i"
"""On the stack of brackets: the `)` of a function whose own strings are addresses."""
_CLOSING_OF: Final = (b"", b'"', b"'", b")")
"""By the group of Grammar.plain."""
_CLOSING: Final = {ord("("): ord(")"), ord("["): ord("]"), ord("{"): ord("}")}


class References(Protocol):
    """What a stylesheet asks of app.wire.pages.links.Links."""

    def rewrite(self, reference: bytes, encoding: str = "utf-8") -> bytes | None: ...


class StylesheetRewriter:
    """Takes a stylesheet in pieces and gives it back with its addresses rewritten.

    Held back is only an unfinished name, escape or address. `encoding` is a Python codec that extends ASCII;
    it may be set anew between two pieces.
    """

    def __init__(self, links: References, encoding: str = "utf-8") -> None:
        self._links = links
        self.encoding = encoding
        self._step = self._text
        self._data = b""
        self._out: list[bytes] = []
        self._copied = 0
        self._in_name = False
        self._awaits = ""
        self._in_namespace = False
        self._brackets = bytearray()
        self._closing = b""
        self._collected: bytearray | None = None

    @property
    def encoding(self) -> str:
        return self._encoding

    @encoding.setter
    def encoding(self, encoding: str) -> None:
        self._encoding = encoding
        self._grammar = grammar_of(encoding)

    def feed(self, data: bytes) -> bytes:
        """The next piece, as far as it is decided."""
        self._data = data = self._data + data if self._data else data
        self._copied = position = 0
        while position < len(data):
            step = self._step
            after = step(position)
            if after == position and self._step is step:
                break  # what begins here needs the next piece
            position = after
        self._copy(position)
        self._data = data[position:]
        return self._take()

    def finish(self) -> bytes:
        """What was held back. A string or `url(` that the end cuts off is valid (section 4.3), and is rewritten."""
        rest, self._data = self._data, b""
        collected, self._collected = self._collected, None
        if collected is None:
            return rest
        return self._replacement(bytes(collected) + rest, self._closing)

    # --- the steps: each takes a position and gives the next one, or the same if it needs more bytes ---

    def _text(self, start: int) -> int:
        data, grammar = self._data, self._grammar
        if self._in_name:
            start = end_of(grammar.name, data, start)
            if self._is_open(start):
                return start
            self._in_name = False
            if data[start] == 0x28:
                return self._parenthesis(start, start, start)
        if self._awaits:
            return self._argument(start)
        if self._brackets or self._in_namespace:
            stop = end_of(grammar.careful, data, start)
        else:
            start, stop = self._plain(start)
        if stop == len(data):
            return self._hold_name(start, stop)
        byte = data[stop]
        if byte == 0x28:  # (
            return self._parenthesis(start, self._name_start(start, stop), stop)
        if byte in b"\"'":
            return self._open(data[stop : stop + 1], stop + 1, self._takes_strings())
        if byte == 0x40:  # @
            return self._at_keyword(stop)
        if byte == 0x2F:  # /
            return self._slash(stop)
        if byte in b"[]{});":
            return self._punctuation(byte, stop + 1)
        return self._escaped_name(start, stop)

    def _plain(self, start: int) -> tuple[int, int]:
        """Passes over plain text and simple addresses, which is nearly all of a sheet.

        Gives where the last address ended, and where the text behind it stops.
        """
        data, encoding, rewrite, out = self._data, self._encoding, self._links.rewrite, self._out
        match_plain, barred = self._grammar.plain.match, self._grammar.barred
        copied = self._copied
        while (match := match_plain(data, start)) and (kind := match.lastindex):
            start = match.end()
            raw = match[kind]
            if len(raw) > MAX_URL_BYTES or (rewritten := rewrite(raw, encoding)) is None:
                continue
            first, end = match.span(kind)
            if barred[_CLOSING_OF[kind]].search(rewritten):
                rewritten = escape(self._grammar, rewritten, _CLOSING_OF[kind])
            out += data[copied:first], rewritten
            copied = end
        self._copied = copied
        return start, match.end() if match else start

    def _argument(self, start: int) -> int:
        """What follows `url(`, `src(` or `@import`: if it is a string, it is an address."""
        data = self._data
        blanks = self._grammar.spaces if self._awaits == _URL else self._grammar.blanks
        stop = end_of(blanks, data, start)
        if stop == len(data):
            return stop
        if data[stop] == 0x2F and self._awaits != _URL and data[stop + 1 : stop + 2] in (b"", b"*"):
            return self._slash(stop)
        awaited, self._awaits = self._awaits, ""
        quoted = data[stop] in b"\"'"
        if awaited == _URL and not quoted:
            return self._open(b")", stop, not self._in_namespace)
        if awaited != "import":
            self._push(0x28)
        if quoted:
            return self._open(data[stop : stop + 1], stop + 1, not self._in_namespace)
        return self._text(stop)

    def _inside(self, start: int) -> int:
        """Within a string, or within `url(` without quotes, until the byte that ends it."""
        stop = end_of(self._grammar.inside[self._closing], self._data, start)
        if self._collected is not None:
            self._collected += self._data[start:stop]
            self._copied = stop
            if len(self._collected) > MAX_URL_BYTES:
                self._out.append(bytes(self._collected))
                self._collected = None
        if self._is_open(stop):
            return stop
        self._step = self._text
        collected, self._collected = self._collected, None
        if self._data[stop : stop + 1] != self._closing:  # a line break ends a string, and makes it void (4.3.5)
            self._out.append(bytes(collected or b""))
            return stop
        if collected is not None:
            self._out.append(self._replacement(bytes(collected), self._closing))
        return stop + 1

    def _comment(self, start: int) -> int:
        end = self._data.find(b"*/", start)
        if end < 0:
            return len(self._data) - self._data.endswith(b"*", start)
        self._step = self._text
        return end + 2

    # --- what the steps are made of ---

    def _slash(self, stop: int) -> int:
        if stop + 1 == len(self._data):
            return stop
        self._step = self._comment
        return stop + 2

    def _open(self, closing: bytes, start: int, is_address: bool) -> int:
        self._closing = closing
        self._step = self._inside
        if is_address:
            self._copy(start)
            self._collected = bytearray()
        return start

    def _parenthesis(self, start: int, name_start: int, stop: int) -> int:
        """At a `(`, which makes the name before it a function's unless that belongs to a hash or at-keyword."""
        data = self._data
        function = None
        if name_start == start or data[name_start - 1] not in b"@#":
            function = _FUNCTIONS.get(unescape(self._grammar, data[name_start:stop], self._encoding).lower())
        if function in (_URL, _SOURCE):
            self._awaits = function
            return stop + 1
        if function == _IMAGES and not self._in_namespace:
            self._brackets += _IMAGES_END
        else:
            self._push(0x28)
        return stop + 1

    def _at_keyword(self, stop: int) -> int:
        end = end_of(self._grammar.name, self._data, stop + 1)
        if self._is_open(end):
            return self._hold(stop, end)
        keyword = unescape(self._grammar, self._data[stop + 1 : end], self._encoding).lower()
        if keyword == b"namespace":
            self._in_namespace = True
        if self._data[end] == 0x28:
            return self._parenthesis(end, end, end)
        if keyword == b"import":
            self._awaits = "import"
        return end

    def _escaped_name(self, start: int, stop: int) -> int:
        """At a backslash: the whole name that it is in, if it is in one."""
        name_start = self._name_start(start, stop)
        end = end_of(self._grammar.name, self._data, name_start)
        if self._is_open(end):
            return self._hold(self._with_sigil(start, name_start), end)
        if self._data[end] == 0x28:
            return self._parenthesis(start, name_start, end)
        return max(end, stop + 1)

    def _punctuation(self, byte: int, after: int) -> int:
        if byte in b";{}":
            self._in_namespace = False
        if byte in _CLOSING:
            self._push(byte)
        elif self._brackets and byte == (0x29 if self._brackets.endswith(_IMAGES_END) else self._brackets[-1]):
            self._brackets.pop()
        return after

    def _push(self, bracket: int) -> None:
        if self._brackets:
            self._brackets.append(_CLOSING[bracket])
            if len(self._brackets) > _MAX_DEPTH:
                self._brackets.clear()

    def _takes_strings(self) -> bool:
        return self._brackets.endswith(_IMAGES_END) and not self._in_namespace

    def _name_start(self, start: int, stop: int) -> int:
        data, leads = self._data, self._grammar.leads
        name_start = start + len(data[start:stop].rstrip(NAME_BYTES))
        # Is the byte before it the second half of a character? Then the name goes on before that.
        while leads and name_start > start and data[name_start - 1] >= 0x40 and stop - name_start < _MAX_NAME_BYTES:
            before = data[start : name_start - 1]
            if not (len(before) - len(before.rstrip(leads))) % 2:
                break
            name_start = start + len(before.rstrip(NAME_BYTES))
        return name_start

    def _with_sigil(self, start: int, name_start: int) -> int:
        return name_start - (name_start > start and self._data[name_start - 1] in b"@#")

    def _is_open(self, stop: int) -> bool:
        """Whether what ends at `stop` may go on there with the next piece."""
        return stop == len(self._data) or self._grammar.partial.match(self._data, stop) is not None

    def _hold_name(self, start: int, stop: int) -> int:
        name_start = self._name_start(start, stop)
        if stop == name_start:
            return self._with_sigil(start, stop)
        return self._hold(
            self._with_sigil(start, name_start),
            end_of(self._grammar.name, self._data, name_start),
        )

    def _hold(self, name_start: int, decided: int) -> int:
        """Waits for the end of a name; one that is too long flows on as far as it is `decided`."""
        if len(self._data) - name_start <= _MAX_NAME_BYTES:
            return name_start
        self._in_name = True
        return decided

    def _replacement(self, raw: bytes, closing: bytes) -> bytes:
        """`raw` itself where the address stays as it is."""
        grammar = self._grammar
        if closing == b")":
            valid = grammar.unquoted.fullmatch(raw)
            if valid is None:
                return raw
            end = valid.end(1)
        else:
            end = len(raw)
        rewritten = self._links.rewrite(unescape(grammar, raw[:end], self._encoding), self._encoding)
        if rewritten is None:
            return raw
        return escape(grammar, rewritten, closing) + raw[end:]

    def _copy(self, stop: int) -> None:
        if stop > self._copied:
            self._out.append(self._data[self._copied : stop])
        self._copied = max(stop, self._copied)

    def _take(self) -> bytes:
        out = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        return out


def rewrite_style(value: bytes, links: References, encoding: str = "utf-8") -> bytes | None:
    """The value of a `style` attribute with its addresses rewritten, or None when all stay as they are."""
    if b"(" not in value:  # there are no at-rules here
        return None
    rewriter = StylesheetRewriter(links, encoding)
    rewritten = rewriter.feed(value) + rewriter.finish()
    return None if rewritten == value else rewritten
