"""How many tokens a text has, estimated.

A tokenizer of a provider knows 200,000 pieces and takes 150 MB. This one knows how such tokenizers cut a text, and
what a piece costs by its length: a word of English one token and a little more, one of Polish several, a Chinese
character three quarters. One pass in C turns each character into the class that it belongs to, one regular expression
cuts that into pieces, and Python counts only how often each shape of a piece occurs.

The figures are means of what `o200k_base`, OpenAI's public tokenizer, makes of each kind of text; docs/counting.md says
how well they hold.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

STEP_CHARS: Final = 8 * 1024
"""So much is counted at once, in less than half a millisecond. Each such part is judged by itself: texts are mixed."""

_LETTER, _CAPITAL, _DIGIT, _PUNCTUATION, _SIGN, _BLANK, _NEWLINE = b"aA0ps \n"
_GREEK, _CYRILLIC, _HEBREW, _ARABIC, _INDIC, _KANA, _HAN, _HANGUL, _EMOJI = b"gchrikHKF"

_CONTINUATION: Final = bytes(range(0x80, 0xC0))
"""Of UTF-8: without these each character is one byte."""
_ACCENTED: Final = bytes((*range(0xC3, 0xCD), 0xE1))
"""What letters of Latin scripts with a mark begin with."""


def _classes() -> bytes:
    """For `bytes.translate`: the class of each character, by its first byte in UTF-8."""
    table = bytearray([_PUNCTUATION]) * 256
    for begin, end, what in (
        (0x61, 0x7B, _LETTER), (0x41, 0x5B, _CAPITAL), (0x30, 0x3A, _DIGIT), (0xC2, 0xC3, _SIGN),
        (0xC3, 0xCD, _LETTER), (0xCD, 0xD0, _GREEK), (0xD0, 0xD4, _CYRILLIC), (0xD4, 0xD8, _HEBREW),
        (0xD8, 0xE0, _ARABIC), (0xE0, 0xE1, _INDIC), (0xE1, 0xE2, _LETTER), (0xE2, 0xE3, _SIGN), (0xE3, 0xE4, _KANA),
        (0xE4, 0xEA, _HAN), (0xEA, 0xEE, _HANGUL), (0xEE, 0xF0, _SIGN), (0xF0, 0x100, _EMOJI),
    ):  # fmt: skip
        table[begin:end] = bytes([what]) * (end - begin)
    table[0x20] = table[0x09] = _BLANK
    table[0x0A] = table[0x0D] = _NEWLINE
    return bytes(table)


_CLASSES: Final = _classes()
_PIECES: Final = re.compile(
    rb"[ ps]?A*+a++|[ ps]?A++|0{1,3}+| ?[ps]++\n*+| *\n++| ?c++|k++|H++| ?K++| ?r++| ?i++| ?g++| ?h++|F++| +(?= )| "
)
"""As the tokenizers of OpenAI cut: a word with what stands before it, three digits, a run of signs."""

_MAX_SIGNS: Final = 10
"""A longer run of punctuation is mostly one sign repeated, for which there are tokens."""
_FREE_LETTERS: Final = 3


class Vocabulary(NamedTuple):
    """What a tokenizer makes of pieces of text, as means."""

    costs: dict[int, tuple[float, float]]
    """By the class of a piece: it costs 1, and so much for each character beyond the first so many."""
    english: float
    """What each letter of a word costs beyond the third, in English."""
    unknown: float
    """The same where nothing tells the language: in code, names, short texts."""
    western: float
    """In the other great languages of Western Europe, and in Indonesian."""
    per_accent: float
    """In others so much more than `unknown` for each letter of them that has a mark, and at most `most`."""
    most: float
    russian: tuple[float, float]
    """Like `costs`: of Cyrillic where it is Russian."""
    japanese: tuple[float, float]
    """Of Chinese characters where they are Japanese, and where they are the traditional ones."""
    traditional: tuple[float, float]
    sign_apart: float
    """For each word with a sign before it: they may be one piece, or two."""
    rare_letter: float
    """For each letter of those that Vietnamese has with two marks, and of scripts as rare."""


O200K: Final = Vocabulary(
    {
        _CAPITAL: (2.0, 0.27),
        _PUNCTUATION: (2.0, 0.4),
        _SIGN: (1.0, 0.7),
        _GREEK: (3.0, 0.45),
        _CYRILLIC: (3.0, 0.34),
        _HEBREW: (2.0, 0.43),
        _ARABIC: (2.5, 0.36),
        _INDIC: (3.0, 0.42),
        _KANA: (1.5, 0.68),
        _HAN: (1.3, 0.78),
        _HANGUL: (1.0, 0.62),
        _EMOJI: (0.5, 1.4),
    },
    english=0.03,
    unknown=0.065,
    western=0.16,
    per_accent=5.0,
    most=0.34,
    russian=(3.0, 0.215),
    japanese=(1.2, 0.9),
    traditional=(1.0, 0.94),
    sign_apart=0.0,
    rare_letter=0.0,
)
"""`o200k_base`: models of OpenAI since 2024."""
CLAUDE_2: Final = Vocabulary(
    {
        _CAPITAL: (2.0, 0.3),
        _PUNCTUATION: (2.0, 0.4),
        _SIGN: (1.0, 1.0),
        _GREEK: (0.8, 1.32),
        _CYRILLIC: (1.8, 0.67),
        _HEBREW: (1.0, 1.02),
        _ARABIC: (0.6, 1.02),
        _INDIC: (0.6, 1.42),
        _KANA: (1.0, 0.97),
        _HAN: (1.0, 1.04),
        _HANGUL: (0.6, 1.33),
        _EMOJI: (0.4, 2.4),
    },
    english=0.03,
    unknown=0.065,
    western=0.34,
    per_accent=10.0,
    most=0.55,
    russian=(2.0, 0.6),
    japanese=(0.9, 1.15),
    traditional=(0.9, 1.32),
    sign_apart=0.6,
    rare_letter=1.9,
)
"""The only tokenizer that Anthropic has published, in its package @anthropic-ai/tokenizer."""

_ENGLISH_WORDS: Final = (b"the", b"of", b"and", b"to", b"with")
_WESTERN_WORDS: Final = tuple(
    b"la el que les des du une los del por para os em com uma van het een il che di per der die und das ist yang dan"
    b" atau ini".split()
)
_SAMPLE_BYTES: Final = 2048
"""Of each part: so much tells the language."""
_ENOUGH_SMALL_WORDS: Final = 0.07
"""Of all words, to be sure of it."""
_RARE: Final = b"\xe1"
_RUSSIAN: Final = "ы".encode()
"""A letter that other languages in Cyrillic do without, whose words cost more."""
_TRADITIONAL: Final = tuple(sign.encode() for sign in "這個們會為來說時")
_CHANGES: Final = (b"aA", b"a0", b"0a", b"A0", b"0A")
_MIXED: Final = 0.1
_RANDOM: Final = 0.3
"""So often a small letter, a capital and a digit stand beside each other: words end, and text in base64 begins."""


def estimate_text_tokens(text: str | bytes) -> int:
    """Tokens of a text, or of its UTF-8; 0 for none. Long ones in steps: `text_tokens`."""
    return round(sum(text_tokens(text)))


def text_tokens(text: str | bytes, vocabulary: Vocabulary = O200K) -> Iterator[float]:
    """Tokens of each part of a text, so that others may have their turn between two of them."""
    for start in range(0, len(text), STEP_CHARS):
        part = text[start : start + STEP_CHARS]
        yield _tokens(part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass"), vocabulary)


def _tokens(part: bytes, vocabulary: Vocabulary) -> float:
    classes = part.translate(_CLASSES, _CONTINUATION)
    shapes = Counter(_PIECES.findall(classes))
    costs = vocabulary.costs if len(part) == len(classes) else _costs_of_scripts(part, classes, vocabulary)
    tokens = 0.0
    words = letters = beyond = glued = signs = 0
    for shape, count in shapes.items():
        tokens += count
        kind = shape[-1]
        length = len(shape)
        if kind == _LETTER:
            if shape[0] in b" ps":
                length -= 1
                signs += count if shape[0] != _BLANK else 0
            else:
                glued += count
            words += count
            letters += count * length
            if length > _FREE_LETTERS:
                beyond += count * (length - _FREE_LETTERS)
        elif kind in costs:
            free, slope = costs[kind]
            length -= shape[0] in b" ps" if kind == _CAPITAL else shape[0] == _BLANK
            if length > free:
                tokens += count * slope * (min(length, _MAX_SIGNS) - free if kind == _PUNCTUATION else length - free)
    if words:
        tokens += beyond * _slope_of_words(part, words, letters, vocabulary) + signs * vocabulary.sign_apart
        tokens += vocabulary.rare_letter * part.count(_RARE) if len(part) > len(classes) else 0.0
    if 4 * glued > words:
        mixed = sum(map(classes.count, _CHANGES)) / len(classes)
        share = min(1.0, max(0.0, mixed - _MIXED) / (_RANDOM - _MIXED))
        tokens += share * (_tokens_of_random(shapes) - tokens)
    return tokens


def _slope_of_words(part: bytes, words: int, letters: int, vocabulary: Vocabulary) -> float:
    """What a letter of a word costs in this part: by the small words of its language, and by the marks on letters."""
    sample = part[:_SAMPLE_BYTES]
    found = Counter(sample.split())
    enough = _ENOUGH_SMALL_WORDS * words * len(sample) / len(part)
    english = min(1.0, sum(map(found.__getitem__, _ENGLISH_WORDS)) / enough)
    western = min(1.0, sum(map(found.__getitem__, _WESTERN_WORDS)) / enough) * (1.0 - english)
    accents = (len(part) - len(part.translate(None, _ACCENTED))) / letters
    other = min(vocabulary.most, vocabulary.unknown + vocabulary.per_accent * accents)
    return english * vocabulary.english + western * vocabulary.western + (1.0 - english - western) * other


def _costs_of_scripts(part: bytes, classes: bytes, vocabulary: Vocabulary) -> dict[int, tuple[float, float]]:
    """The costs where not all is ASCII: by which language the script writes."""
    costs = vocabulary.costs
    cyrillic = classes.count(_CYRILLIC)
    if cyrillic and part.count(_RUSSIAN) > 0.004 * cyrillic:
        costs = costs | {_CYRILLIC: vocabulary.russian}
    han = classes.count(_HAN)
    if han:
        if classes.count(_KANA) > 0.2 * han:
            costs = costs | {_HAN: vocabulary.japanese}
        elif sum(map(part.count, _TRADITIONAL)) > 0.01 * han:
            costs = costs | {_HAN: vocabulary.traditional}
    return costs


def _tokens_of_random(shapes: Counter[bytes]) -> float:
    """The same pieces where they are no words: base64 and its like."""
    tokens = 0.0
    for shape, count in shapes.items():
        tokens += count
        if shape[-1] in b"aA" and len(shape) > 1:
            tokens += count * 0.55 * (len(shape) - 1.5)
    return tokens
