"""A small budget holds under 500 callers of four web processes that are killed in between."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.billing import NANO_A_TOKEN, Biller, Watch, ask, go_on, set_price, spent
from tests.support.tokens import add_token
from tests.support.waiting import wait_until
from tests.support.world import World, open_world

LIMIT_NANO = 8_000_000_000
GIVEN_BACK_S = 20.0

pytestmark = [pytest.mark.own_server, pytest.mark.soak, pytest.mark.timeout(240)]


def kill_some(world: World, over: threading.Event) -> None:
    """Some web processes, one after the other, while there are calls."""
    for _ in range(4):
        if over.wait(1.5):
            return
        with suppress(OSError, IndexError):
            os.kill(world.gateway.worker_pids()[0], signal.SIGKILL)


@pytest.mark.parametrize("kills", [False, True], ids=["whole", "killed"])
def test_500_callers_never_pass_a_small_budget(tmp_path: Path, kills: bool) -> None:
    """Sampled and at the end; what killed processes held is free again within 20 s, and can be used up."""
    with open_world(tmp_path, WEB_CONCURRENCY="4") as world:
        set_price(world)
        world.open("one")
        biller = Biller()
        biller.share, biller.pause_s = 0.9, 0.05
        world.provider.scripts["one"] = [biller]
        token = add_token(world.gateway, budgets={"total_usd": "8"})
        time.sleep(1.0)
        watch, over = Watch(world, token), threading.Event()
        watch.start()
        killer = threading.Thread(target=kill_some, args=(world, over))
        if kills:
            killer.start()
        found = go_on(world, token, callers=500, most=40)
        over.set()
        if kills:
            killer.join()
        wait_until(lambda: spent(world, token)["reserved"] == 0, "all is given back", timeout_s=GIVEN_BACK_S + 2)
        while ask(world, token, 30).status == 200:
            pass
        watch.end()
        if not kills:
            assert set(found) == {200, 429}
            wait_until(lambda: spent(world, token)["total"] == biller.billed_nano, "all is told")
        total = spent(world, token)["total"]
        assert LIMIT_NANO - 30 * NANO_A_TOKEN < total <= LIMIT_NANO
        assert watch.most_nano <= LIMIT_NANO
        assert watch.looks > 3
