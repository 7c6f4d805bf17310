"""What a reading of the stored catalogue means, beside the one that is known: a word of the operator, or a loss.
And which parts of it must be read at all.

Every change makes the version grow. So a version that is gone or goes backwards, or a part that vanished whole under
the same version, was said by nobody: Redis lost its memory, a replica took over that had not heard all, a backup was
restored, a key was evicted. What was written while nobody knew better, such as the default mappings seeded into an
emptied Redis, bears its origin and gives way.

What was lost while nobody ran is missed, too: every change notes which tables hold something, so a table that is gone
under the version of that note was deleted by nobody. What is left is served, and told, until somebody edits it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import Enum

from app.core.snapshot import MAPPINGS, Stored, Table


class Meaning(Enum):
    WORD = "the operator's word: it is taken"
    LOST = "what is known was lost, or a part of it: it is written back"
    OVERLAID = "in the place of what is known stands what nobody said: that gives way"
    BEHIND = "an older state came back: what is known is served until the next edit or reload"
    EMPTIED = "the only field of a table was deleted by hand: it is taken, and noted for those who start later"
    MISSING = "what nobody knows was lost: what is left is served, and told, until the next edit or reload"


def judge(known: Stored | None, found: Stored, behind: Stored | None = None, by_hand: Collection[str] = ()) -> Meaning:
    """What `found` means to one who serves `known`.

    `behind` is what was found before, when that was BEHIND. Tables `by_hand` may lose their only field by HDEL.
    """
    meaning = Meaning.WORD if known is None else _said(known, found, behind, by_hand)
    if meaning is not Meaning.WORD or not lost_before(found):
        return meaning
    if known is not None and any(known.tables.get(name) for name in missing(found)):
        return Meaning.LOST if found.version > known.version else Meaning.EMPTIED
    return Meaning.MISSING


def lost_before(found: Stored) -> set[str]:
    """The tables that were lost when nobody knew them, of which nobody has said anything since.

    That is missed which was noted, and that in whose place defaults were put.
    """
    return missing(found) | ({MAPPINGS.tables[0]} if is_stand_in(found) else set())


def missing(found: Stored) -> set[str]:
    """The tables of `found` that held something after its last change, and are gone.

    Whoever changes something and notes nothing, such as an older gateway or redis-cli, makes the version another.
    """
    return {name for name in found.filled.split(" ")[1:] if is_noted(found) and found.tables.get(name) == {}}


def is_noted(found: Stored) -> bool:
    """Whether its last change noted which tables hold something."""
    return found.filled.split(" ")[0] == str(found.version)


def is_stand_in(found: Stored) -> bool:
    """Whether defaults were put in the place of mappings that were lost; and not into a new Redis."""
    return found.version > 1 and _restored_from(found) == 0


def _said(known: Stored, found: Stored, behind: Stored | None, by_hand: Collection[str]) -> Meaning:
    if found.origin != known.origin and (basis := _restored_from(found)) is not None and basis <= known.version:
        if basis < known.version:
            return Meaning.OVERLAID
        if _vanished(known, found, by_hand):
            return Meaning.LOST  # whoever wrote back knew less nouns: an older gateway, during an update
    if found.version > known.version:
        return Meaning.WORD
    if found.version == known.version:
        return Meaning.LOST if _vanished(known, found, by_hand) else Meaning.WORD
    if found.version == 0 and all(not theirs or theirs == ours for _, ours, theirs in _tables(known, found)):
        return Meaning.LOST
    if behind is not None and found != behind and found.version >= behind.version:
        return Meaning.WORD  # somebody edited what had come back
    return Meaning.BEHIND


def unread(known: Stored, found: Stored, nouns: Iterable[str]) -> set[str]:
    """Of `nouns` those whose tables, as they are `known`, need not be what `found` speaks of, by version and stamps.

    The stamps are text: a version, then nouns and the stamp of each one's last change; `*` stands for all others. A
    stamp ends with a mark of its own, so those of two histories (a backup was restored) never look alike. Where the
    version is another, the last change was made by somebody who stamps nothing, such as an older gateway or redis-cli:
    then any part may have changed.
    """
    if (found.version, found.origin, found.stamps) == (known.version, known.origin, known.stamps):
        return set()
    ours, theirs = _stamps(known), _stamps(found)
    if ours is None or theirs is None or found.version < known.version or found.origin != known.origin:
        return set(nouns)
    return {noun for noun in nouns if theirs.get(noun, theirs.get("*")) != ours.get(noun, ours.get("*"))}


def _stamps(stored: Stored) -> dict[str, str] | None:
    version, *words = stored.stamps.split(" ")
    return dict(zip(words[::2], words[1::2], strict=False)) if version == str(stored.version) else None


def origin(version: int, basis: int, mark: str) -> str:
    """The origin of a catalogue stored as `version` by somebody who knew that of version `basis`; 0: none at all.

    `mark` is new each time.
    """
    return f"{version} {basis} {mark}"


def _restored_from(found: Stored) -> int | None:
    """The version that whoever stored `found` knew, when nothing was edited since; None: nobody stored it so."""
    try:
        version, basis = map(int, found.origin.split(" ")[:2])
    except ValueError:  # there is none, or somebody wrote there by hand
        return None
    return basis if version == found.version else None


def _vanished(known: Stored, found: Stored, by_hand: Collection[str]) -> bool:
    """Whether a table went whole without a word."""
    return any(len(ours) > (name in by_hand) and not theirs for name, ours, theirs in _tables(known, found))


def _tables(known: Stored, found: Stored) -> list[tuple[str, Table, Table]]:
    return [(name, ours, found.tables.get(name, {})) for name, ours in known.tables.items()]
