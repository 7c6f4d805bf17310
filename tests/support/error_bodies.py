"""What providers answer when they refuse or fail, and what each is judged: the files of tests/core/error_bodies.

A comment names where a provider's forms are told: its documentation, or reports of those who met them
(owner/repository#issue on GitHub). Codes and key phrases stand as the providers write them; names and numbers are ours.
An entry is a line `provider | status | outcome | outcome as an event of a stream | model`, the body, and an empty line.
What never comes as an event has no outcome there; a model is named where the body repeats it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parents[1] / "core" / "judging" / "error_bodies"


class Told(NamedTuple):
    provider: str
    status: int
    outcome: str
    soft: str
    model: str
    body: str


def _entries() -> Iterator[Told]:
    for file in sorted(FOLDER.glob("*.txt")):
        for entry in file.read_text().split("\n\n"):
            head, _, body = entry.strip("\n").partition("\n")
            if not head.startswith("#"):
                provider, status, outcome, soft, model = (*(part.strip() for part in head.split("|")), "")[:5]
                yield Told(provider, int(status), outcome, soft, model, body)


ERROR_BODIES = list(_entries())
