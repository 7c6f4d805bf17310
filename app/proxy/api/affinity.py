"""Which channel and key a call prefers: those of its conversation, or those that know an id which it holds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from app.core.choosing.affinity import FIELDS, conversation_of, prefix_of
from app.core.choosing.matching import Candidate
from app.core.settings import Settings
from app.proxy.api.request import ApiRequest
from app.storage.affinity.conversations import Conversations
from app.storage.affinity.given_ids import GivenIds
from app.storage.keys.pool import SEQUENTIAL, KeyPool
from app.wire.given_ids import asked_ids
from app.wire.http.headers import by_name, has_any

_FIELDS: Final = frozenset(FIELDS)
_NO_MEMBERS: Final[dict[str, bytes]] = {}


class Affinity:
    """One for each process."""

    def __init__(self, conversations: Conversations, ids: GivenIds) -> None:
        self.conversations = conversations
        self.ids = ids

    def follow(self, settings: Settings) -> None:
        self.conversations.ttl_ms = round(settings.affinity_ttl_s * 1000)
        self.ids.ttl_s = settings.affinity_ids_ttl_s

    def of(self, request: ApiRequest, settings: Settings) -> Bond:
        """Of a call. Asks Redis where the request holds an id that an answer gave."""
        values = request.members.values if request.members is not None else _NO_MEMBERS
        conversation = "" if settings.affinity == "off" else _conversation(request, values)
        if not conversation and settings.affinity == "ids_and_prefix" and not request.is_coded:
            conversation = prefix_of(request.body.in_memory, request.caller)
        bond = Bond(self, request.caller, conversation, request.model)
        ids = asked_ids(request.asked.path, values) if values or not request.model else []
        knower = self.ids.find(request.caller, ids) if ids else None
        if knower is not None:
            bond.is_by_id = True
            bond.channel_id, bond.key_id = knower
        return bond


def _conversation(request: ApiRequest, values: dict[str, bytes]) -> str:
    fields = by_name(request.fields) if has_any(request.fields, _FIELDS) else {}
    return conversation_of(fields, values, request.caller) if fields or values else ""


class Bond:
    """What one call prefers."""

    __slots__ = ("_affinity", "_caller", "_conversation", "_name", "channel_id", "is_by_id", "key_id")

    def __init__(self, affinity: Affinity, caller: str, conversation: str, model: str) -> None:
        self._affinity = affinity
        self._caller = caller
        self._conversation = conversation
        self._name = f"{conversation} {model}" if conversation else ""
        """Prompts are cached for each model, and models may be other channels'."""
        self.channel_id = self.key_id = ""
        """Empty where it prefers none."""
        self.is_by_id = False
        """They know an id that the call holds."""
        kept = affinity.conversations.kept(self._name, _now_ms()) if self._name else None
        if kept is not None:
            self.channel_id, self.key_id = kept.channel_id, kept.key_id

    def first_key(self, candidate: Candidate, strategy: str, pool: KeyPool) -> str:
        """The id of the key that goes first if it is fit; empty: it is that one's turn who is next."""
        models = candidate.models
        if self.channel_id == pool.channel_id and self.key_id.isdecimal():
            place = pool.place_of(int(self.key_id))
            if place >= 0 and pool.is_fit_for(place, models):
                return self.key_id
        if not self._conversation or strategy == SEQUENTIAL or len(pool) < 2:
            return ""
        preferred = pool.ring.preferred(self._conversation, partial(_is_fit, pool, models))
        return str(preferred) if preferred else ""

    def served(self, channel_id: str, key_id: str) -> None:
        """An answer of that key goes to the client."""
        if self._name:
            self._affinity.conversations.served(self._name, channel_id, key_id, _now_ms())

    def gave(self, ids: Sequence[str], channel_id: str, key_id: str) -> None:
        """The answer gave these."""
        if ids:
            self._affinity.ids.learn(self._caller, ids, channel_id, key_id)


def _is_fit(pool: KeyPool, models: tuple[str, ...], id: int) -> bool:
    place = pool.place_of(id)
    return place >= 0 and pool.is_fit_for(place, models)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
