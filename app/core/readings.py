"""What a reading of the stored catalogue means, beside the one that is known: a word of the operator, or a loss.

Every change makes the version grow. So a version that is gone or goes backwards, or a part that vanished whole under
the same version, was said by nobody: Redis lost its memory, a replica took over that had not heard all, a backup was
restored, a key was evicted. What was written while nobody knew better, such as the default mappings seeded into an
emptied Redis, bears its origin and gives way.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from enum import Enum

from app.core.routing import Stored


class Meaning(Enum):
    WORD = "the operator's word: it is taken"
    LOST = "what is known was lost, or a part of it: it is written back"
    OVERLAID = "in the place of what is known stands what nobody said: that gives way"
    BEHIND = "an older state came back: what is known is served until the next edit or reload"


def judge(known: Stored | None, found: Stored, behind: Stored | None = None) -> Meaning:
    """What `found` means to one who serves `known`; `behind` is what was found before, when that was BEHIND."""
    if known is None:
        return Meaning.WORD
    if found.origin != known.origin and _is_restored_from_less(found, known.version):
        return Meaning.OVERLAID
    if found.version > known.version:
        return Meaning.WORD
    if found.version == known.version:
        lost = any(len(ours) > 1 and not theirs for ours, theirs in _parts(known, found))  # one field may go by HDEL
        return Meaning.LOST if lost else Meaning.WORD
    if found.version == 0 and all(not theirs or theirs == ours for ours, theirs in _parts(known, found)):
        return Meaning.LOST
    if behind is not None and found != behind and found.version >= behind.version:
        return Meaning.WORD  # somebody edited what had come back
    return Meaning.BEHIND


def origin(version: int, basis: int, mark: str) -> str:
    """The origin of a catalogue stored as `version` by somebody who knew that of version `basis`; 0: none at all.

    `mark` is new each time.
    """
    return f"{version} {basis} {mark}"


def _is_restored_from_less(found: Stored, known_version: int) -> bool:
    """Whether nothing was edited since somebody stored `found` who knew less than `known_version`."""
    try:
        version, basis = map(int, found.origin.split(" ")[:2])
    except ValueError:  # there is none, or somebody wrote there by hand
        return False
    return version == found.version and basis < known_version


def _parts(known: Stored, found: Stored) -> list[tuple[MappingOf[str, str], MappingOf[str, str]]]:
    return list(zip(known[1:4], found[1:4], strict=True))
