"""An HTML page on its way to the browser: its links are rewritten, all else leaves as it came.

The page is read as a browser reads it (HTML standard, 13.2.5), so that what only looks like a tag, in scripts, comments
or values, is left alone. One regular expression passes over all that stays, and puts the prefix into plain links, in C;
the methods here see only what it stops at, and what a cut has left unfinished.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from app.wire.pages.css import StylesheetRewriter
from app.wire.pages.html import markup, places, raw_text
from app.wire.pages.html.attributes import SURELY_SHORT, TagRewriter, holds_long_value
from app.wire.pages.html.foreign import ForeignContent
from app.wire.pages.html.grammar import TAG_NAME, WHOLE_TAG, after_name, is_self_closing
from app.wire.pages.html.leaving import edits_by_kind
from app.wire.pages.html.passing import FIRST, FURTHER, ODD, TAG
from app.wire.pages.html.raw_text import Inner, RawText, ScriptText, before_partial
from app.wire.pages.html.unfinished import UnfinishedTag
from app.wire.pages.links import Links

MAX_NESTED_PAGES: Final = 4
"""`srcdoc` within `srcdoc`; deeper ones stay as they are."""

_Step = Callable[[bytes, int], int]
_COMMENT_END = re.compile(rb"--!?>")
_SLASH = ord("/")


class PageRewriter:
    """Takes a page in pieces and gives it back with its links rewritten.

    `script` is put before the page's first `<script>`; pages without one stay as they came. `policy` adapts the content
    of `<meta http-equiv="Content-Security-Policy">`, None = it stays. `xml`: the page is XHTML or SVG, read by XML's
    rules. `encoding` is a codec whose bytes below 0x80 mean ASCII; it may be set anew between two pieces.
    Held back is only an unfinished tag, and of that no more than MAX_ATTRIBUTE_BYTES.
    """

    def __init__(
        self,
        links: Links,
        *,
        encoding: str = "utf-8",
        script: bytes = b"",
        policy: Callable[[bytes], bytes | None] = lambda _: None,
        xml: bool = False,
        nesting: int = 0,
    ) -> None:
        self._links = links
        self._script = self._nested_script = script
        self._policy = policy
        self._xml = xml
        self._nesting = nesting
        self._tags = TagRewriter(links, encoding, policy, self._nested_page)
        self._foreign = ForeignContent()
        self._templates = 0
        self._step: _Step = self._text
        self._held = b""
        self._out: list[bytes] = []
        self._copied = 0
        self._unfinished = UnfinishedTag()
        self._content = RawText("", None)
        self._sheet: StylesheetRewriter | None = None
        self._look_around()

    @property
    def encoding(self) -> str:
        return self._tags.encoding

    @encoding.setter
    def encoding(self, encoding: str) -> None:
        self._tags.encoding = encoding
        for inner in (self._content.inner, self._sheet):
            if isinstance(inner, StylesheetRewriter | PageRewriter):
                inner.encoding = encoding

    def feed(self, data: bytes) -> bytes:
        """What can go on of all that has come."""
        if self._held:
            data = self._held + data
        self._copied = 0
        at = 0
        while at < len(data):
            step = self._step
            before, at = at, step(data, at)
            if at == before and self._step == step:
                break
        if self._copied < at:
            self._out.append(data[self._copied : at])
        self._held = data[at:]
        made = b"".join(self._out)  # no copy where there is but one
        self._out = []
        return made

    def finish(self) -> bytes:
        """The rest, once all has come. A tag that never ended was none."""
        rest = self._unfinished.text() + self._held
        self._held, self._unfinished = b"", UnfinishedTag()
        if self._step == self._raw_text:
            return self._content.finish(rest)
        return rest + self._sheet.finish() if self._sheet else rest

    def _put(self, data: bytes, at: int, instead: bytes, end: int) -> None:
        """What came up to `at` stays; `instead` replaces what came from there to `end`."""
        self._out += data[self._copied : at], instead
        self._copied = end

    def _look_around(self) -> None:
        """Takes note of where the page is now: what may be passed over there, what is put before which links."""
        where = "xml" if self._xml else "foreign" if self._foreign.inside else "html"
        self._place = places.PLACES[where]
        self._passing = places.passing_in(where, self._links.depth, bool(self._script))
        by_kind = edits_by_kind(self._links.inserts, self._tags.srcset, self._tags.style)
        self._edits = [(b"", None)] * FIRST + by_kind + by_kind

    # Each step takes the data and a place in it, and returns how far it came: the same place when it must wait.

    def _text(self, data: bytes, at: int) -> int:
        while (tag := WHOLE_TAG.match(data, at := self._pass_over(data, at))) and data[at + 1] != _SLASH:
            name = tag[1].decode("latin-1").lower()
            if name in self._place.starts:
                break
            self._put(data, at, self._tags.tag(tag[0], name), tag.end())
            at = tag.end()
        return self._markup(data, at) if at < len(data) else at

    def _pass_over(self, data: bytes, at: int) -> int:
        """Takes text up to the markup that must be looked at, which begins where it returns, or to the end."""
        out, edits, step, copied = self._out, self._edits, self._passing.text, self._copied
        while found := step(data, at):
            kind = found.lastindex or TAG
            if kind == TAG:
                at = found.end()
                break
            if kind < FURTHER:
                first, begun, self._copied = found, len(out), copied
            start, at = found.span(kind)
            if kind == ODD or (at - start >= SURELY_SHORT and holds_long_value(data[start:at])):
                del out[begun:]
                return first.start(TAG) - 1
            insert, rewrite = edits[kind]
            out.append(data[copied:start])
            out.append(insert)
            copied = start
            if rewrite and (new := rewrite(data[start : at - 1])) is not None:
                out.append(new)
                copied = at - 1
            step = self._passing.tag
        self._copied = copied
        return at

    def _sheet_text(self, data: bytes, at: int) -> int:
        """Text within a `<style>` that is an element of SVG, which may hold comments and tags."""
        end = data.find(b"<", at)
        end = len(data) if end < 0 else end
        self._restyle(data, at, end, ended=end < len(data))
        return self._markup(data, end) if end < len(data) else end

    def _restyle(self, data: bytes, at: int, end: int, ended: bool) -> None:
        if self._sheet:
            self._put(data, at, self._sheet.feed(data[at:end]), end)
            if ended:
                self._put(data, end, self._sheet.finish(), end)
                self._sheet = StylesheetRewriter(self._links, self.encoding)

    def _markup(self, data: bytes, at: int) -> int:
        """Whatever begins with `<`."""
        kind, after = markup.beginning(data, at, has_cdata=self._foreign.inside or self._xml)
        if kind == markup.TAG:
            return self._tag(data, at)
        if kind == markup.COMMENT:
            self._step = self._comment_start
        elif kind == markup.BOGUS_COMMENT:
            self._step = self._bogus_comment
        elif kind == markup.CDATA:
            self._step = self._cdata
        return after

    def _comment_start(self, data: bytes, at: int) -> int:
        begun = data[at : at + 2]
        if begun == b"-":
            return at
        if begun.startswith(b">") or begun == b"->":
            self._step = self._between_tags()
            return at + begun.index(b">") + 1
        self._step = self._comment
        return at

    def _comment(self, data: bytes, at: int) -> int:
        end = _COMMENT_END.search(data, at)
        if end is None:
            return before_partial(data, at, (b"-->", b"--!>"))
        self._step = self._between_tags()
        return end.end()

    def _bogus_comment(self, data: bytes, at: int) -> int:
        end = data.find(b">", at)
        if end < 0:
            return len(data)
        self._step = self._between_tags()
        return end + 1

    def _cdata(self, data: bytes, at: int) -> int:
        end = data.find(b"]]>", at)
        if end < 0:
            stop = before_partial(data, at, (b"]]>",))
            self._restyle(data, at, stop, ended=False)
            return stop
        self._restyle(data, at, end, ended=True)
        self._step = self._between_tags()
        return end + 3

    def _plain_text(self, data: bytes, at: int) -> int:
        return len(data)

    def _raw_text(self, data: bytes, at: int) -> int:
        taken = self._content.take(data, at)
        self._put(data, at, taken.out, taken.at)
        if taken.ended:
            self._step = self._text
        return taken.at

    def _between_tags(self) -> _Step:
        return self._sheet_text if self._sheet else self._text

    # Tags

    def _tag(self, data: bytes, at: int) -> int:
        tag = WHOLE_TAG.match(data, at)
        if tag is None:
            self._step = self._unfinished_tag
            return at
        self._put(data, at, self._whole_tag(tag[0]), tag.end())
        return tag.end()

    def _unfinished_tag(self, data: bytes, at: int) -> int:
        tag = self._unfinished
        end = tag.take(data, at)
        new = b""
        if end >= 0:
            self._unfinished = UnfinishedTag()
            new = self._end_of_long_tag(tag) if tag.has_overflown else self._whole_tag(tag.text())
        elif tag.is_full:
            new = self._part_of_long_tag(tag)
        stop = len(data) if end < 0 else end
        self._put(data, at, new, stop)
        return stop

    def _whole_tag(self, tag: bytes) -> bytes:
        name = TAG_NAME.match(tag)[1].decode("latin-1").lower()  # type: ignore[index]  # it is a tag
        if tag[1:2] == b"/":
            self._end_tag(name)
            return tag
        if name not in self._place.starts:
            self._step = self._between_tags()
            return self._tags.tag(tag, name)
        is_closed = is_self_closing(tag, after_name(tag))
        is_html = self._xml or self._foreign.start(name, tag, is_closed)
        new = self._before(name, is_html) + self._tags.tag(tag, places.rules_of(name, is_html))
        self._start_tag(name, is_html, is_closed)
        return new

    def _part_of_long_tag(self, tag: UnfinishedTag) -> bytes:
        is_first = not tag.has_overflown
        part = tag.overflow()
        if tag.is_end_tag:
            return part.raw + part.attributes + part.begun
        is_html = self._xml or not self._foreign.inside
        before = self._before(tag.name, is_html) if is_first else b""
        attributes = self._tags.part(part.attributes, places.rules_of(tag.name, is_html), is_first)
        return before + part.raw + attributes + part.begun

    def _end_of_long_tag(self, tag: UnfinishedTag) -> bytes:
        rest = tag.text()
        new = self._part_of_long_tag(tag)
        if tag.is_end_tag:
            self._end_tag(tag.name)
        else:
            is_closed = is_self_closing(rest, 0)
            is_html = self._xml or self._foreign.start(tag.name, rest, is_closed)
            self._start_tag(tag.name, is_html, is_closed)
        return new

    def _before(self, name: str, is_html: bool) -> bytes:
        """What is put before an element."""
        if name != "script" or not is_html or self._templates:
            return b""
        script, self._script = self._script, b""
        return script

    def _start_tag(self, name: str, is_html: bool, is_closed: bool) -> None:
        if name == "style" and (self._xml or not is_html):
            self._sheet = None if is_closed else StylesheetRewriter(self._links, self.encoding)
        elif not self._xml and not self._foreign.inside:
            self._sheet = None
        if name == "template" and is_html:
            self._templates += 1
        self._step = self._between_tags()
        if is_html and not self._xml:
            self._step = self._within(name)
        if name in places.LEAD_ELSEWHERE:
            self._look_around()

    def _end_tag(self, name: str) -> None:
        if name not in self._place.ends:
            self._step = self._between_tags()
            return
        self._foreign.end(name)
        if name == "template" and self._templates:
            self._templates -= 1
        if name == "style" or not (self._foreign.inside or self._xml):
            self._sheet = None
        self._step = self._between_tags()
        self._look_around()

    def _within(self, name: str) -> _Step:
        """The step that reads what an element of HTML holds."""
        if name == "plaintext":
            return self._plain_text
        if name == "script":
            self._content = ScriptText()
        elif name in raw_text.NAMES:
            self._content = RawText(name, self._inner_of(name))
        else:
            return self._text
        return self._raw_text

    def _inner_of(self, name: str) -> Inner | None:
        if name == "style":
            return StylesheetRewriter(self._links, self.encoding)
        if name == "noscript":
            nested = self._links.nested()
            return PageRewriter(nested, encoding=self.encoding, policy=self._policy, nesting=self._nesting)
        return None

    def _nested_page(self, page: bytes) -> bytes | None:
        if self._nesting >= MAX_NESTED_PAGES:
            return None
        rewriter = PageRewriter(
            self._links.nested(),
            script=self._nested_script,
            policy=self._policy,
            xml=self._xml,
            nesting=self._nesting + 1,
        )
        return rewriter.feed(page) + rewriter.finish()
