"""Secrets in texts that are kept for a while: those that are known, and what looks like one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from app.core.channels.keys import hint_of

LEAST: Final = 6
"""Characters of a secret; a shorter one would be found everywhere."""

_SHAPES: Final = re.compile(
    r"\b(?:sk|pk|rk|xai|gsk|hf|r8|pplx|nvapi|csk|fw|tgp|ghp|gho|ghs|github_pat|glpat|xox[abps])[-_][-\w.]{12,}"
    r"|\bAIza[-\w]{20,}|\b(?:AKIA|ASIA)[0-9A-Z]{12,}|\bya29\.[-\w.]{12,}|\beyJ[-\w]{8,}\.[-\w]{8,}\.[-\w]*"
)
"""How keys of well-known providers begin, and JSON Web Tokens."""
_SAID: Final = re.compile(r"\b(bearer|basic)[ \t]+([-\w.~+/=]{8,})", re.IGNORECASE)
_MEMBERS: Final = re.compile(
    r"(\\?[\"'][-\w]{0,40}?(?:api[-_]?key|authorization|passwo?r?d|passphrase|secret|credential|private[-_]?key"
    r"|(?:access|auth|refresh|id|session|api|bot)[-_]?token)\w{0,10}\\?[\"']\s{0,8}:\s{0,8}\\?[\"'])"
    r"([^\"'\\]{4,8192})",
    re.IGNORECASE,
)
"""Members of JSON, also of JSON in a text of JSON, whose name says that they hold one."""


def redacted(text: str, secrets: Iterable[str], pause: Callable[[], object] = lambda: None) -> str:
    """With a hint in place of each. `pause` lets others run: of 64 KiB each step takes a millisecond or two."""
    for secret in sorted(set(secrets), key=len, reverse=True):  # one may hold another
        escaped = secret.replace("\\", r"\\").replace('"', r"\"")
        for form in {secret, escaped, escaped.replace("/", r"\/")}:
            if len(secret) >= LEAST and form in text:
                text = text.replace(form, hint_of(secret))
    pause()
    text = _SHAPES.sub(lambda found: hint_of(found[0]), text)
    pause()
    text = _SAID.sub(lambda found: f"{found[1]} {hint_of(found[2])}", text)
    pause()
    return _MEMBERS.sub(lambda found: found[1] + hint_of(found[2]), text)
