"""A provider that bills what it is asked for, and callers with one access token, who add up what was billed."""

from __future__ import annotations

import http.client
import json
import random
import threading
from collections import Counter
from contextlib import suppress
from typing import Any

from tests.support.provider import Asked
from tests.support.said_answers import path_of
from tests.support.tokens import Issued
from tests.support.upstream import Peer
from tests.support.world import World

NANO_A_TOKEN = 1_000_000
"""A thousandth of a dollar for a token of output; input costs nothing."""
PRICE = {"model": "m", "input": "0", "output": "1000"}
PATH = path_of("openai", False)


class Biller:
    """Its answers, and what they cost."""

    def __init__(self, seed: int = 1) -> None:
        self.billed_nano = 0
        self.pause_s = 0.0
        """Before each answer."""
        self.share = 1.0
        """Of the output limit that an answer uses, at most."""
        self._dice = random.Random(seed)
        self._lock = threading.Lock()

    def __call__(self, peer: Peer, asked: Asked) -> None:
        limit = json.loads(asked.seen.body)["max_tokens"]
        with self._lock:
            used = self._dice.randint(0, round(limit * self.share)) if self.share < 1 else limit
            pause_s = self._dice.uniform(0, self.pause_s)
        if pause_s:
            with suppress(TimeoutError):
                peer.wait_closed(pause_s)
                return  # the caller left: nothing is made
            peer.sock.settimeout(None)
        with self._lock:
            self.billed_nano += used * NANO_A_TOKEN
        peer.answer(answer(used))


def answer(used: int, prompt: int = 3) -> bytes:
    """That used so many tokens of output."""
    message = {"role": "assistant", "content": "hi"}
    usage = {"prompt_tokens": prompt, "completion_tokens": used, "total_tokens": used + prompt}
    said = {"object": "chat.completion", "choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
    return json.dumps(said).encode()


def ask(world: World, token: Issued, max_tokens: int = 10, **more: Any) -> http.client.HTTPResponse | Any:
    """One call, on a connection of its own."""
    body = {"model": "m", "max_tokens": max_tokens, "messages": [{"role": "user", "content": "hi"}], **more}
    return world.gateway.request("POST", PATH, json.dumps(body), token.bearer)


def set_price(world: World, *prices: dict[str, Any]) -> None:
    reply = world.gateway.admin("PUT", "/api/prices", {"overrides": list(prices) or [PRICE]})
    assert reply.status == 200, reply.body


def spent(world: World, token: Issued) -> dict[str, int]:
    """In nano-dollars, by the names of the API without their unit."""
    told = world.gateway.admin("GET", f"/api/tokens/{token.id}").json()["access_token"]["spent"]
    return {name.removesuffix("_usd"): round(float(usd) * 1e9) for name, usd in told.items()}


def go_on(world: World, token: Issued, callers: int, most: int, calls: int = 1000) -> Counter[int]:
    """So many callers at once, each with output limits of its own up to `most`, until each is refused."""
    found: Counter[int] = Counter()
    lock = threading.Lock()

    def act(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(calls):
            try:
                status = ask(world, token, dice.randint(1, most)).status
            except (OSError, http.client.HTTPException):  # its process was killed
                status = 0
            with lock:
                found[status] += 1
            if status not in (0, 200):
                return

    threads = [threading.Thread(target=act, args=(seed,)) for seed in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


class Watch(threading.Thread):
    """Asks again and again what is spent and held together."""

    def __init__(self, world: World, token: Issued) -> None:
        super().__init__(daemon=True)
        self._world = world
        self._token = token
        self._over = threading.Event()
        self.most_nano = self.looks = 0

    def run(self) -> None:
        while not self._over.wait(0.02):
            with suppress(OSError, http.client.HTTPException):
                now = spent(self._world, self._token)
                self.most_nano = max(self.most_nano, now["total"] + now["reserved"])
                self.looks += 1

    def end(self) -> None:
        self._over.set()
        self.join()
