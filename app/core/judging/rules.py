"""What the operator says of failures, before the table of outcomes does: rules by status and by what the body says.

Patterns are RE2's (https://github.com/google/re2/wiki/Syntax), which matches in linear time: Python's own would let
one pattern, met by a body made for it, hold up every call of the process. It costs a process 3 MB, so it is imported
with the first rule that has a pattern.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from app.core.judging.outcome import Blame, Facts, Flaw, judge
from app.core.judging.resting import rest_of
from app.core.said.reading import Said
from app.core.said.shapes import AnyOf, Listed, OneOf, Real, Shape, Text, Whole, YesOrNo
from app.core.settings import Settings

READ_BYTES: Final = 64 * 1024
"""How much of a body patterns are matched on."""
MOST_RULES: Final = 100
LONGEST_PATTERN: Final = 1024
LONGEST_REST_S: Final = 31 * 86_400
DIALECTS: Final = ("openai", "responses", "anthropic", "gemini")
BLAMES: Final = {blame.value: blame for blame in Blame if blame is not Blame.URL}

RULE: Final = Shape(
    {
        "status": AnyOf((Text(), Whole(0, 100, 999)), example="500-599", meaning="One, a span, or empty for any"),
        "pattern": Text(LONGEST_PATTERN, meaning="Looked for in the body, as RE2 reads it"),
        "dialect": OneOf(("", *DIALECTS), "", meaning="Empty: any"),
        "blame": OneOf(tuple(BLAMES), is_needed=True, meaning="On whom it rests"),
        "rest": AnyOf(
            (Real(0, 0, LONGEST_REST_S), OneOf(("reset",))),
            meaning="Seconds, or reset: until the time that the upstream tells",
        ),
        "blacklist": YesOrNo(),
        "note": Text(1000, lines=True),
    },
    title="OutcomeRule",
    whole="a rule",
    any_of=("status", "pattern"),
)
RULES: Final = Shape({"rules": Listed(RULE, MOST_RULES, is_needed=True)}, whole="the rules")


class Pattern(Protocol):
    def search(self, text: str) -> object: ...


@dataclass(frozen=True, slots=True)
class OutcomeRule:
    """One rule. What it does not ask for may be anything."""

    blame: Blame
    lowest: int = 0
    highest: int = 999
    """Statuses from the one to the other; a soft error is seen as 200."""
    pattern: Pattern | None = None
    dialect: str = ""
    rest_s: float | None = None
    """None: as long as the upstream told, else as the table of outcomes says. 0: no rest."""
    blacklist: bool = False
    said: Mapping[str, Any] = field(default_factory=dict)
    """As the operator wrote it, every field in its place."""

    def fits(self, status: int, dialect: str, body: bytes) -> bool:
        """True for an answer of this status and with this body, asked for in this dialect."""
        if not self.lowest <= status <= self.highest or (self.dialect and self.dialect != dialect):
            return False
        return self.pattern is None or bool(self.pattern.search(body[:READ_BYTES].decode("utf-8", "replace")))


class Rehearsal(NamedTuple):
    """What an answer would be judged, for an operator who tries his rules."""

    outcome: str
    blame: str
    rest_s: float | None
    """The first rest; None where nobody rests."""
    blacklist: bool
    rule: int | None
    """The place of the rule that decided, from 0; None: the table did."""


def rehearse(
    rules: Sequence[OutcomeRule],
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    settings: Settings,
    now_s: float,
    *,
    dialect: str = "",
) -> Rehearsal:
    """How an answer in a dialect would be judged. A body with a status below 400 is taken for a soft error."""
    flaw = Flaw.SOFT_ERROR if status < 400 and body.strip() else None
    facts = Facts(dialect, status, {name.lower(): value for name, value in headers.items()}, body, flaw=flaw)
    verdict = judge(facts, rules, now_s)
    rest = rest_of(verdict, 0, settings)
    return Rehearsal(
        verdict.outcome.value, verdict.blame.value, rest.seconds if rest else None, verdict.blacklist, verdict.rule
    )


def check_rules(values: Any) -> tuple[OutcomeRule, ...]:
    """The rules of what JSON says. Raises Invalid, which names the field: `rules[0].pattern`."""
    return Said({"rules": values}, "", RULES).each("rules", _rule)


def _rule(value: Any, path: str) -> OutcomeRule:
    said = Said(value, path, RULE)
    lowest, highest, status = _statuses(said)
    pattern = said.text("pattern", as_written=True)
    if not status and not pattern:
        raise said.wrong("status", "or pattern must be said, or the rule would fit every failure")
    blame, dialect, blacklist = said.choice("blame"), said.choice("dialect"), said.flag("blacklist")
    if blacklist and blame != "key":
        raise said.wrong("blacklist", 'holds for a key only: say "blame": "key"')
    rest = _rest(said)
    note = said.text("note", as_written=True)
    written = dict(zip(RULE.fields, (status, pattern, dialect, blame, rest, blacklist, note), strict=True))
    return OutcomeRule(
        BLAMES[blame],
        lowest,
        highest,
        _compiled(pattern, said) if pattern else None,
        dialect,
        None if isinstance(rest, str) else float(rest),
        blacklist,
        written,
    )


def _statuses(said: Said) -> tuple[int, int, str]:
    value = said.any("status")
    value = "" if value is None else value
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else "?"
    if not text:
        return 0, 999, ""
    found = re.fullmatch(r"([1-9]\d\d)(?:\s*-\s*([1-9]\d\d))?", text, re.ASCII)
    if found is None:
        raise said.wrong("status", 'must be one such as "429", a span such as "500-599", or "" for any')
    lowest, highest = int(found[1]), int(found[2] or found[1])
    if lowest > highest:
        raise said.wrong("status", f"has {lowest} before {highest}, and it is greater")
    return lowest, highest, text


def _rest(said: Said) -> int | float | str:
    value = said.any("rest")
    if value is None or value == "reset":
        return "reset"
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_REST_S:
        text = f'must be seconds from 0 to {LONGEST_REST_S:,}, or "reset": until the time that the upstream tells'
        raise said.wrong("rest", text)
    return value


def _compiled(pattern: str, said: Said) -> Pattern:
    import re2

    options = re2.Options()
    options.max_mem = 1 << 20
    options.log_errors = False
    try:
        compiled: Pattern = re2.compile(pattern, options)
    except (re2.error, UnicodeError) as error:
        why = error.args[0] if error.args else ""
        why = why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)
        text = f"cannot be read: {why} (RE2 has no look-around and no back-references)"
        raise said.wrong("pattern", text) from None
    return compiled
