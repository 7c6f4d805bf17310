"""Families of AI APIs, told by the paths that their clients ask for, and the hosts that they are at home on."""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Dialect(NamedTuple):
    """The wire format of a provider family."""

    host: str
    """Where the provider itself speaks it."""
    words: tuple[str, ...]
    """What addresses of those who speak it are called after."""


DIALECTS: Final = {
    "openai": Dialect("api.openai.com", ("openai", "gpt")),
    "anthropic": Dialect("api.anthropic.com", ("anthropic", "claude")),
    "gemini": Dialect("generativelanguage.googleapis.com", ("gemini", "google", "generativelanguage")),
}
_GEMINI = re.compile(r"(?:/upload)?/v1beta(?:/|\Z)|/v1/models/[^/]+:[A-Za-z]")
_ANTHROPIC = re.compile(r"/v1/messages(?:/|\Z)")
_OPENAI = re.compile(r"/v1(?:/|\Z)")
_UNVERSIONED = re.compile(
    r"/(?:audio/(?:speech|transcriptions|translations)|chat/completions|completions|embeddings"
    r"|images/(?:edits|generations|variations)|messages|models|moderations|responses)(?:/|\Z)"
)


class Understood(NamedTuple):
    """What a path without a prefix asks for."""

    dialect: str
    """A key of DIALECTS."""
    path: str
    """As the dialect spells it: with the version that the caller may have left out."""


def understand(path: str, *, has_anthropic_version: bool = False) -> Understood | None:
    """What the provider's own path asks for; None where it is that of no dialect.

    All send `/v1/models`; Anthropic's clients say who they are by their field `anthropic-version`.
    """
    if _UNVERSIONED.match(path):
        path = f"/v1{path}"
    if _GEMINI.match(path):
        return Understood("gemini", path)
    if not _OPENAI.match(path):
        return None
    return Understood("anthropic" if has_anthropic_version or _ANTHROPIC.match(path) else "openai", path)
