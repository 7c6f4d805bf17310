"""Many things are done a few at once, by greenlets, until the task is cancelled or one of them goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import gevent

from worker.tasks.running import Running

LOOK_S: Final = 0.1
"""How soon a cancelled task ends, once its process knows of it."""
BREAK_OFF_S: Final = 1.0

Item = TypeVar("Item")


def for_each(
    running: Running, items: Sequence[Item], act: Callable[[Item], None], at_once: int, look: Callable[[], None]
) -> None:
    """Begins them in their order; `look` is called again and again meanwhile, and at the end.

    What is under way when it ends before its end is broken off. Raises what went wrong first.
    """
    left, wrong = iter(items), list[Exception]()

    def go() -> None:
        for item in left:
            try:
                act(item)
            except Exception as error:
                wrong.append(error)
                return

    going = [gevent.spawn(go) for _ in range(min(at_once, len(items)))]
    try:
        while not (running.cancelled or wrong or all(one.dead for one in going)):
            gevent.joinall(going, timeout=LOOK_S)
            look()
    finally:
        gevent.killall(going, block=False)
        gevent.joinall(going, timeout=BREAK_OFF_S)
    look()
    if wrong:
        raise wrong[0]
