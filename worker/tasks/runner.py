"""Runs tasks, several at once, in the tasks process. Each is a greenlet of its own.

RQ only carries the word that a task waits. Whose a task is and how far it is stands in the task itself, since RQ knows
neither of a killed process: its job stays `started`, and nobody begins it again.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Final

from app.core.snapshot import CHANNELS
from app.gateway import Gateway
from app.storage.connections import RedisError
from app.storage.refusals import describe
from app.storage.tasks.stored import StoredTasks
from app.storage.tasks.task import TaskState
from worker.tasks.kinds import KINDS
from worker.tasks.running import HOLD_MS, Running, TaskFailed, TaskLost

log = logging.getLogger(__name__)

PLACES: Final = 64
"""Tasks at once, whatever is ordered: the keeper gives few of each kind."""
BEGINNINGS: Final = 5
"""So often a task is begun that does not get on before it is given up."""
TELL_S: Final = 0.5
STOP_S: Final = 5.0
"""How long a stop waits for tasks to come to a place from which another process can go on."""


class Runner:
    """One for the tasks process."""

    def __init__(self, gateway: Gateway, process: str) -> None:
        """`process`: by what name its worker abandons what it had, once it is dead."""
        self.idle_since_s = time.monotonic()
        self._gateway = gateway
        self._process = process
        self._stored = StoredTasks(gateway.redis)
        self._running: dict[str, tuple[Running, threading.Thread]] = {}
        self._put_off: list[Running] = []
        """Those that Redis was away for. They are given back as soon as it can be told."""
        self._stopping = threading.Event()
        self._teller = threading.Thread(target=self._tell, name="teller", daemon=True)

    def start(self) -> None:
        self._teller.start()

    @property
    def is_full(self) -> bool:
        return len(self._running) >= PLACES

    @property
    def is_idle(self) -> bool:
        return not self._running

    def begin(self, id: str) -> None:
        """Claims the task and returns while it runs; nothing, where somebody has it. Raises RedisError."""
        if self._stopping.is_set() or self.is_full or id in self._running:
            return
        fields = self._stored.claim(id, HOLD_MS, BEGINNINGS, self._process)
        if not fields:
            return
        running = Running(self._stored, self._gateway, id, fields)
        thread = threading.Thread(target=self._run, args=(running,), name=f"task {id}", daemon=True)
        self._running[id] = running, thread
        thread.start()

    def stop(self) -> None:
        """What is not at its end goes on in another process."""
        self._stopping.set()
        deadline_s = time.monotonic() + STOP_S
        for running, _ in list(self._running.values()):
            running.cancelled = True
        for running, thread in list(self._running.values()):
            thread.join(max(0.0, deadline_s - time.monotonic()))
            if thread.is_alive():
                self._give_back(running)
        self._teller.join(1)

    def _run(self, running: Running) -> None:
        log.info("Task %s: %s%s begins", running.id, running.kind, _whose(running))
        try:
            self._end(running, *self._result(running))
        except RedisError as error:
            log.warning("Task %s is put off: Redis %s", running.id, describe(error))
            self._put_off.append(running)
        except TaskLost:
            log.warning("Task %s is another's now, or gone", running.id)
        except Exception:
            log.exception("Task %s: its end could not be told", running.id)
        finally:
            del self._running[running.id]
            self.idle_since_s = time.monotonic()

    def _result(self, running: Running) -> tuple[TaskState, dict[str, Any] | None]:
        """How it ended. Raises RedisError, TaskLost."""
        kind = KINDS.get(running.kind)
        try:
            if kind is None:
                raise TaskFailed(f"this version knows no task {running.kind!r}")
            self._learn(running)
            result = dict(kind(running))
        except (RedisError, TaskLost):
            raise
        except TaskFailed as failed:
            running.message = str(failed)
            return TaskState.FAILED, None
        except Exception:
            log.exception("Task %s failed", running.id)
            running.message = "the task failed; the worker's log says why"
            return TaskState.FAILED, None
        return (TaskState.CANCELLED if running.cancelled else TaskState.DONE), result

    def _learn(self, running: Running) -> None:
        """What was said before the task was ordered is known when it begins. Raises RedisError."""
        catalog = self._gateway.catalog
        if running.channel_id and running.channel_id not in CHANNELS.of(catalog.snapshot).by_id:
            catalog.look()
        self._gateway.choosing.wait_until_known()

    def _end(self, running: Running, state: TaskState, result: dict[str, Any] | None) -> None:
        if self._stopping.is_set() and state is TaskState.CANCELLED:
            running.give_back()
            log.info("Task %s: %s is left to another process", running.id, running.kind)
            return
        running.finish(state, result)
        log.info("Task %s: %s is %s: %s", running.id, running.kind, state.value, running.message)

    def _give_back(self, running: Running) -> None:
        try:
            running.give_back()
        except RedisError:
            pass  # the claim ends by itself

    def _tell(self) -> None:
        while not self._stopping.wait(TELL_S):
            for running, _ in list(self._running.values()):
                try:
                    running.keep()
                except RedisError:
                    pass  # the task itself finds out, or goes on when Redis is back
                except Exception:
                    log.exception("Task %s: how far it is could not be told", running.id)
            self._give_back_put_off()

    def _give_back_put_off(self) -> None:
        try:
            while self._put_off:
                self._put_off[0].give_back(counts=True)
                del self._put_off[0]
        except RedisError:
            pass  # at the next look


def _whose(running: Running) -> str:
    return f" of channel {running.channel_id}" if running.channel_id else ""


_runner: Runner | None = None


def prepare(gateway: Gateway, process: str) -> Runner:
    """Says what the jobs of this process work on."""
    global _runner
    _runner = Runner(gateway, process)
    return _runner


def begin(task_id: str) -> None:
    """The job as RQ calls it."""
    if _runner is None:
        raise RuntimeError("begin() runs in the tasks process only, which the worker starts")
    try:
        _runner.begin(task_id)
    except RedisError as error:
        log.warning("Task %s is put off: Redis %s", task_id, describe(error))
    except Exception:  # RQ would keep it to itself
        log.exception("Task %s could not be begun", task_id)
