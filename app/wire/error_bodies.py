"""What an upstream's error says: its codes, its sentences and its times, out of the fields where providers put them.

Providers repeat what a caller sent: a prompt, a name, a rejected value. So where a body is JSON only fields that name
an error are read; what stands in quotes is left out of the sentences, and so is the model's name, which the caller
chose. Of a JSON text that is cut off the same fields are picked by pattern. A page (HTML) says nothing.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, Final, NamedTuple

import orjson

from app.wire.http.codings import CodingError, decoder_for

READ_BYTES: Final = 64 * 1024
"""More of an error is not looked at."""
_SENTENCE: Final = 2000
"""Characters of one sentence that are looked at, and of the text that is shown: a provider's own words come first."""
_SHOWN: Final = 300
_MOST: Final = 32
"""Codes and times each; and how many items of a list are looked at."""
_MOST_SENTENCES: Final = 8


class Form(Enum):
    NONE = "none"
    """No bytes, or blanks only."""
    JSON = "json"
    HTML = "html"
    TEXT = "text"


class ErrorBody(NamedTuple):
    """What an error says, in lower case."""

    form: Form
    codes: frozenset[str] = frozenset()
    """What stands in fields such as `code`, `type`, `status` and `reason`."""
    sentences: tuple[str, ...] = ()
    """What stands in fields such as `message`, without quotations."""
    times: tuple[tuple[str, str], ...] = ()
    """Fields that may tell when to come again, by name."""
    shown: str = ""
    """The first sentence as it was written, short and on one line."""


_WITHIN: Final = frozenset(
    "error errors response details detail metadata base_resp choices innererror inner_error cause violations raw "
    "headers output status header exception quota_info".split()
)
"""Fields in which an error may stand. A caller's own (`input`, `messages`, `flagged_input`) are not among them."""
_CODES: Final = frozenset(
    "code type status reason error_code errorcode error_type errortype err_type err_code errcode __type status_code "
    "statuscode blockreason finish_reason quotaid".split()
)
_SENTENCES: Final = frozenset(
    "message msg detail error error_msg errormessage error_message errmsg err_msg status_msg statusmessage "
    "error_description description raw title reasons".split()
)
_TIMES: Final = frozenset(
    "retrydelay retry_delay retry_after retryafter retry_after_seconds retry_after_ms reset_seconds "
    "reset_after_seconds resets_in_seconds resets_at reset_at resetat quotaresettimestamp reset_time resettime "
    "quotaresetdelay x-ratelimit-reset".split()
)
_DEPTH: Final = 10
_CODE: Final = 80
"""Characters of a code, at most."""
_EVENT: Final = ("data:", "event:", "id:", ":")
_WRAPPER: Final = frozenset(("error", "errors", "object"))
"""Values that say no more than that this is an error."""

_QUOTATION: Final = re.compile(
    r"\"[^\"]*(?:\"|\Z)|`[^`]*(?:`|\Z)|“[^”]*(?:”|\Z)|「[^」]*(?:」|\Z)|(?<!\w)'[^']*'(?!\w)", re.DOTALL
)
_PREFIX: Final = re.compile(r"(?:[\w./\[\]-]+\s*[:：]\s+){1,3}")
"""`error: `, `/chat/completions: `, `litellm.BadRequestError: `"""
_CLAUSE: Final = re.compile(r"[:;：；{\[(（\n]")
_LEADING_CODE: Final = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)+(?![\w])")
_WORD: Final = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
_BLANKS: Final = re.compile(r"[\s\x00-\x1f\x7f]+")
_GAPS: Final = re.compile(r"[ \t]+")
_TITLE: Final = re.compile(r"<title[^>]*>([^<]{1,300})", re.IGNORECASE)
_PAGE: Final = re.compile(
    r"\s*(?:<!--.{0,2000}?-->\s*)?<(?:!doctype html|html|head|body|center|h1|title)\b", re.I | re.S
)
_PICKED: Final = re.compile(
    r"(?<!\\)\"("
    + "|".join(sorted((_CODES | _SENTENCES) - {"raw", "title", "reasons"}, key=len, reverse=True))
    + r")\""
    r"\s*:\s*(?:\"((?:[^\"\\]|\\.){0,2000})|(\d{1,6})\b)",
    re.IGNORECASE,
)


def plain(body: bytes, content_encoding: str, max_bytes: int = READ_BYTES) -> bytes:
    """A body, or about `max_bytes` of its beginning, out of its content coding; as it is where that fails.

    Some upstreams compress their errors though they were asked not to.
    """
    decoder = decoder_for(content_encoding) if content_encoding else None
    if decoder is None:
        return body
    read = b""
    try:
        for piece in decoder.feed(body):
            read += piece
            if len(read) >= max_bytes:
                break
    except CodingError:
        pass  # it is not what its field says, or not from here on
    return read or body


def read_error(body: bytes, content_type: str = "", model: str = "") -> ErrorBody:
    """What `body` says. `model`: the name that the caller gave, which is left out of what the provider says."""
    text = body[:READ_BYTES].decode("utf-8-sig", "replace")
    bare = text.strip()
    if not bare:
        return ErrorBody(Form.NONE)
    reading = _Reading(model)
    value = _json_of(bare)
    if value is not None:
        reading.field("error", value, 0)
    elif bare[0] in "{[":
        reading.pick(bare)
    elif "html" in content_type.lower() or _PAGE.match(bare):
        title = _TITLE.search(bare)
        return ErrorBody(Form.HTML, shown=_short(title[1]) if title else "")
    else:
        reading.sentence(bare)
        reading.codes.update(_WORD.findall(first_clause(reading.sentences[0])))
        return reading.result(Form.TEXT)
    return reading.result(Form.JSON)


def first_clause(sentence: str) -> str:
    """What a sentence says before it lists, explains or repeats anything; what names its speaker is left out."""
    prefix = _PREFIX.match(sentence)
    return _CLAUSE.split(sentence[prefix.end() :] if prefix else sentence, maxsplit=1)[0]


class _Reading:
    """Gathers, bounded in depth and number."""

    def __init__(self, model: str) -> None:
        self.codes: set[str] = set()
        self.sentences: list[str] = []
        self._times: list[tuple[str, str]] = []
        self._shown = ""
        self._model = re.compile(rf"(?<!\w){re.escape(model.lower())}(?!\w)") if model else None

    def field(self, name: str, value: Any, depth: int) -> None:
        """Takes the field, or the fields in it, in which an error may stand."""
        if isinstance(value, dict):
            if depth < _DEPTH and name in _WITHIN:
                for inner, inner_value in value.items():
                    self.field(str(inner).lower(), inner_value, depth + 1)
        elif isinstance(value, list):
            for item in value[:_MOST]:
                self.field(name, item, depth + 1 if isinstance(item, list) else depth)
        elif isinstance(value, str):
            self._text(name, value, depth)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            self._put(name, str(value))

    def _text(self, name: str, value: str, depth: int) -> None:
        nested = _json_of(value.strip()) if value.lstrip()[:1] in ("{", "[") and depth < _DEPTH else None
        if nested is not None and name in _SENTENCES:
            self.field("error", nested, depth + 1)  # a relay that hands on what its upstream said
        else:
            self._put(name, value)
            if name in _SENTENCES:
                self.sentence(value)

    def _put(self, name: str, value: str) -> None:
        if name in _TIMES and len(self._times) < _MOST:
            self._times.append((name, value[:_SHOWN]))
        elif name in _CODES and len(value) <= _CODE and len(self.codes) < _MOST and value.lower() not in _WRAPPER:
            self.codes.add(value.lower())

    def sentence(self, written: str) -> None:
        """Takes a sentence, and the code that it may begin with."""
        if len(self.sentences) == _MOST_SENTENCES:
            return
        written = written[:_SENTENCE]
        said = _QUOTATION.sub(" ", written.lower())
        if self._model is not None:
            said = self._model.sub(" ", said)
        said = _GAPS.sub(" ", said).strip()
        self.sentences.append(said)
        if code := _LEADING_CODE.match(said):
            self.codes.add(code[0])
        self._shown = self._shown or _short(written)

    def pick(self, text: str) -> None:
        """Takes what stands in fields of a JSON text that cannot be read whole."""
        for found, _ in zip(_PICKED.finditer(text), range(_MOST), strict=False):
            value = found[3] if found[2] is None else _json_of(f'"{found[2]}"') or found[2]
            self._text(found[1].lower(), value, _DEPTH)

    def result(self, form: Form) -> ErrorBody:
        shown = self._shown or _short(" ".join(sorted(self.codes)))
        return ErrorBody(form, frozenset(self.codes), tuple(self.sentences), tuple(self._times), shown)


def _json_of(text: str) -> Any:
    """The value of a JSON text, or of the data of server-sent events; None where it is neither."""
    if text.startswith(_EVENT):
        text = "".join(line[5:].strip() for line in text.splitlines() if line.startswith("data:"))
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _short(text: str) -> str:
    text = _BLANKS.sub(" ", text).strip()
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
