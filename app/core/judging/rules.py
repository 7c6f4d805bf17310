"""What the operator says of failures, before the table of outcomes does: rules by status and by what the body says.

Patterns are RE2's (https://github.com/google/re2/wiki/Syntax), which matches in linear time: Python's own would let
one pattern, met by a body made for it, hold up every call of the process. It costs a process 3 MB, so it is imported
with the first rule that has a pattern.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal, NamedTuple, Protocol

from app.core.errors import Invalid
from app.core.judging.outcome import Blame, Facts, Flaw, judge
from app.core.judging.resting import rest_of
from app.core.settings import Settings

READ_BYTES: Final = 64 * 1024
"""How much of a body patterns are matched on."""
MOST_RULES: Final = 100
LONGEST_PATTERN: Final = 1024
LONGEST_REST_S: Final = 31 * 86_400
DIALECTS: Final = ("openai", "responses", "anthropic", "gemini")
BLAMES: Final = {blame.value: blame for blame in Blame if blame is not Blame.URL}
FIELDS: Final = ("status", "pattern", "dialect", "blame", "rest", "blacklist", "note")


class InvalidRule(Invalid):
    """A rule that cannot be."""


class UnknownRuleField(InvalidRule):
    """A rule with a field that rules have not."""

    code: ClassVar[Literal["invalid", "unknown_field"]] = "unknown_field"


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
    """The rules of what JSON says. Raises InvalidRule, which names the field: `rules[0].pattern`."""
    if not isinstance(values, list):
        raise InvalidRule("rules must be a list", "rules")
    if len(values) > MOST_RULES:
        text = f"there may be {MOST_RULES} rules, not {len(values)}; one pattern can have alternatives: a|b"
        raise InvalidRule(text, "rules")
    rules = []
    for place, value in enumerate(values):
        try:
            rules.append(check_rule(value))
        except InvalidRule as error:
            error.field = f"rules[{place}].{error.field}".rstrip(".")
            raise
    return tuple(rules)


def check_rule(value: Any) -> OutcomeRule:
    """One rule. Raises InvalidRule, which names the field."""
    if not isinstance(value, dict):
        raise InvalidRule('a rule is an object, such as {"status": "429", "blame": "key", "rest": 60}')
    for name in value:
        if name not in FIELDS:
            raise UnknownRuleField(f"a rule has no field {name!r}; it has {', '.join(FIELDS)}", str(name))
    lowest, highest, status = _statuses(value.get("status", ""))
    pattern = _text(value, "pattern", LONGEST_PATTERN)
    if not status and not pattern:
        raise InvalidRule("a rule needs a status or a pattern, or it would fit every failure", "status")
    blame = _one_of(value, "blame", tuple(BLAMES))
    dialect = _one_of(value, "dialect", ("", *DIALECTS), "")
    blacklist = value.get("blacklist", False)
    if not isinstance(blacklist, bool):
        raise InvalidRule("blacklist must be true or false", "blacklist")
    if blacklist and blame != "key":
        raise InvalidRule('only a key can be blacklisted: say "blame": "key"', "blacklist")
    rest = _rest(value.get("rest", "reset"))
    note = _text(value, "note", 1000)
    said = dict(zip(FIELDS, (status, pattern, dialect, blame, rest, blacklist, note), strict=True))
    return OutcomeRule(
        BLAMES[blame],
        lowest,
        highest,
        _compiled(pattern) if pattern else None,
        dialect,
        None if isinstance(rest, str) else float(rest),
        blacklist,
        said,
    )


def _statuses(value: Any) -> tuple[int, int, str]:
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else "?"
    if not text:
        return 0, 999, ""
    found = re.fullmatch(r"([1-9]\d\d)(?:\s*-\s*([1-9]\d\d))?", text, re.ASCII)
    if found is None:
        raise InvalidRule('status must be one such as "429", a span such as "500-599", or "" for any', "status")
    lowest, highest = int(found[1]), int(found[2] or found[1])
    if lowest > highest:
        raise InvalidRule(f"the status {lowest} stands before {highest}, and is greater", "status")
    return lowest, highest, text


def _text(value: dict[str, Any], name: str, longest: int) -> str:
    text = value.get(name, "")
    if not isinstance(text, str) or len(text) > longest:
        raise InvalidRule(f"{name} must be a text of at most {longest} characters", name)
    return text


def _one_of(value: dict[str, Any], name: str, words: tuple[str, ...], default: str | None = None) -> str:
    word = value.get(name, default)
    if not isinstance(word, str) or word not in words:
        shown = ", ".join(word or "an empty text" for word in words)
        raise InvalidRule(f"{name} must be one of: {shown}", name)
    return word


def _rest(value: Any) -> int | float | str:
    if value == "reset" and isinstance(value, str):
        return "reset"
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_REST_S:
        text = f'rest must be seconds from 0 to {LONGEST_REST_S:,}, or "reset": until the time that the upstream tells'
        raise InvalidRule(text, "rest")
    return value


def _compiled(pattern: str) -> Pattern:
    import re2

    options = re2.Options()
    options.max_mem = 1 << 20
    options.log_errors = False
    try:
        compiled: Pattern = re2.compile(pattern, options)
    except (re2.error, UnicodeError) as error:
        why = error.args[0] if error.args else ""
        why = why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)
        text = f"pattern cannot be read: {why} (RE2 has no look-around and no back-references)"
        raise InvalidRule(text, "pattern") from None
    return compiled
