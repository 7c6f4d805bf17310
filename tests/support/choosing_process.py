"""What a web process chooses with for calls to channels, with a Redis or without; the upstreams answer all calls."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from app.core.judging.outcome import Outcome, Verdict
from app.core.model import Channel, Snapshot
from app.core.settings import Limits, Settings
from app.core.snapshot import Stored, build_snapshot
from app.proxy.api.affinity import Affinity
from app.proxy.api.attempts import Try
from app.proxy.api.choices import ChannelChoices, Choosing
from app.proxy.api.read_request import read_request
from app.proxy.own_request import own_inbound
from app.storage.affinity.conversations import Conversations
from app.storage.affinity.given_ids import GivenIds
from app.storage.affinity.keeper import AffinityKeeper
from app.storage.connections import open_redis
from app.storage.costs.costs import Costs
from app.storage.health.channel import Attempt
from app.storage.health.observed import Health
from app.storage.keys.pools import KeyPools
from app.storage.limits.channels import ChannelLimits
from app.storage.limits.minutes import Minutes
from app.storage.limits.slots import Slots
from app.storage.secrets import Secrets
from app.wire.dialects.asked import dialect_of
from tests.support.keeping import LIMITED, now_ms, put_keys

NOWHERE = "redis://127.0.0.1:1"


class ChoosingProcess:
    """Channels by name, each with so many keys, whose ids follow each other; `start` it where there is a Redis."""

    def __init__(self, keys: dict[str, int], redis_url: str = NOWHERE, **settings: Any) -> None:
        self.redis = open_redis(redis_url, socket_timeout_s=0.5)
        self.settings = Settings(**settings)
        self.said: dict[str, dict[str, Any]] = {
            name: {
                "name": name,
                "dialects": ["openai", "responses"],
                "urls": [{"url": f"https://{name}.example"}],
                "models": [{"name": "m"}],
            }
            for name in keys
        }
        self.overrides: list[dict[str, Any]] = []
        pools = KeyPools(self.redis, Secrets())
        first = 1
        for name, count in keys.items():
            put_keys(pools.of(name), range(first, first + count))
            first += count
        limits = ChannelLimits(Slots(self.redis), Minutes(self.redis))
        costs = Costs()
        self.health = Health(pools, limits, costs)
        self.affinity = Affinity(Conversations(), GivenIds(self.redis))
        self.keeper = AffinityKeeper(self.redis, self.affinity.conversations, self.affinity.ids)
        self.choosing = Choosing(self.health, pools, limits, self.affinity, costs, (self.keeper,))
        self.affinity.follow(self.settings)
        self.build()

    def build(self) -> None:
        """Takes what is said of the channels and of prices."""
        times = {"created_at_ms": 0, "updated_at_ms": 0}
        tables = {"channels": {name: json.dumps({"said": said, **times}) for name, said in self.said.items()}}
        tables["prices"] = {"overrides": json.dumps(self.overrides)}
        self.snapshot: Snapshot = build_snapshot(Stored(1, tables), Limits(), self.settings)

    def start(self) -> ChoosingProcess:
        self.keeper.start()
        return self

    def end(self) -> None:
        self.keeper.stop()
        self.redis.close()

    def choices(
        self,
        conversation: str = "",
        *,
        caller: str = "token",
        path: str = "/v1/chat/completions",
        method: str = "POST",
        body: bytes = b'{"model": "m"}',
    ) -> ChannelChoices:
        fields = [("Content-Type", "application/json")]
        if conversation:
            fields.append(("session-id", conversation))
        asked = dialect_of(method, path, {})
        assert asked is not None
        inbound = own_inbound(method, fields, body)
        request = read_request(inbound, asked, "", fields, self.settings, caller)
        return self.choosing.choices(request, self.snapshot, None)

    def call(self, conversation: str = "", *, gives: Iterable[str] = (), **more: Any) -> str:
        """Channel and key of the first attempt, which is answered."""
        choices = self.choices(conversation, **more)
        candidate = choices.next_channel()
        assert candidate is not None
        turn = choices.next_key()
        assert turn is not None
        tried = Try(candidate, candidate.channel.urls[0], turn)
        choices.chose(tried, 5.0)
        choices.note(tried, Verdict(Outcome.OK), 200)
        choices.gave(tried, list(gives))
        turn.release()
        return f"{candidate.channel.id} {turn.key.id}"

    def rest(self, served: str, for_s: float) -> None:
        """The key that served rests so long, and all know it."""
        channel_id, key_id = served.split()
        pool = self.choosing.pools.of(channel_id)
        key = next(key for key in iter(pool.turn("sequential").next, None) if key.id == key_id)
        channel: Channel = next(channel for channel in self.snapshot.channels if channel.id == channel_id)
        attempt = Attempt(channel, channel.urls[0].url, key, "m", now_ms())
        self.health.note(attempt, LIMITED._replace(told_rest_s=for_s), self.settings, now_ms(), status=429)
