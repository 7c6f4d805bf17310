"""What is wanted of a request's body, whatever its format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

MAX_VALUE_BYTES: Final = 16 * 1024
"""So much of a wanted value is kept; a longer one is as if it were not wanted."""
MAX_STEPS: Final = 1000
"""So many values, brackets or parts are read at once: a millisecond or two at most."""


class Members(ABC):
    """What is wanted of a request's body, read piece by piece. What has come so far can be asked for at any time."""

    def __init__(self, wanted: frozenset[str], is_form: bool) -> None:
        self.is_form = is_form
        """A form's fields, as against the members of a JSON object."""
        self.model = ""
        """Decoded; empty where there is none, or none that is text."""
        self.model_start = self.model_end = 0
        """Where its value stands, with the quotes of JSON."""
        self.begin_at = 0
        """Behind the `{` of a JSON object."""
        self.options_start = self.options_end = 0
        """Where the value of `stream_options` stands, if that is wanted."""
        self.has_model = False
        """A `model` has come, whatever its value is."""
        self.is_stream = False
        """`stream` is true."""
        self.is_begun = False
        """It has begun as what it should be: a `{` has come, or a first boundary."""
        self.is_unreadable = False
        """It is not what it should be, as far as that is looked at, or `model` or `stream` stands twice in it."""
        self.values: dict[str, bytes] = {}
        """Of the wanted names, as they stand there; of a name that stands twice the last."""
        self._wanted = wanted
        self._has_stream = False

    def feed(self, piece: bytes) -> None:
        """Takes note of the next piece, in time that grows with it alone."""
        self.begin(piece)
        while self.step():
            pass

    @abstractmethod
    def begin(self, piece: bytes) -> None:
        """The next piece, for `step`, after which comes no other until that has read it."""

    @abstractmethod
    def step(self) -> bool:
        """Reads on, for a short time. True where it must be called again."""

    @abstractmethod
    def finish(self) -> None:
        """There is no more."""

    def _wanted_name(self, name: str) -> str:
        """The name of the value that comes now, where it is to be kept, else an empty one."""
        if name == "model":
            self.is_unreadable = self.is_unreadable or self.has_model
            self.has_model = True
        elif name == "stream":
            self.is_unreadable = self.is_unreadable or self._has_stream
            self._has_stream = True
        elif name not in self._wanted:
            return ""
        return name
