"""The file whose keys the channel `keys-file` has: where it is looked for, and what speaks against it at a start."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

USUAL: Final = "keys.txt"


@dataclass(frozen=True, slots=True)
class KeysFile:
    path: Path
    is_named: bool
    """False: nobody has spoken of it, so it need not be there."""

    def check(self) -> None:
        """Raises ValueError. For a start alone: a file that vanishes later stops no process that begins anew."""
        if self.is_named and not self.path.exists():
            raise ValueError(f"KEYS_FILE: there is no {self.path}: make it, with one key a line, or say KEYS_FILE=off")
        if self.path.exists() and not (self.path.is_file() and os.access(self.path, os.R_OK)):
            name = "KEYS_FILE" if self.is_named else USUAL
            text = "must be a file that the gateway may read, with one key a line; or say KEYS_FILE=off"
            raise ValueError(f"{name}: {self.path} {text}")

    def told(self, root: Path) -> dict[str, str]:
        """What processes that begin in `root` must be told, in their environment, to take the same file."""
        return {"KEYS_FILE": str(self.path)} if not self.is_named and self.path.parent != root else {}


def named_keys_file(root: Path) -> Callable[[str], KeysFile | None]:
    """A relative path counts from `root`. None for `off`."""
    return lambda text: None if text.lower() == "off" else KeysFile(root / Path(text).expanduser(), is_named=True)


def usual_keys_file(root: Path) -> KeysFile:
    """In the directory where we were started; where there is none, below `root`, to which every start leads."""
    with suppress(OSError):  # that directory may be gone
        here = Path.cwd() / USUAL
        if here.is_file():
            return KeysFile(here, is_named=False)
    return KeysFile(root / USUAL, is_named=False)
