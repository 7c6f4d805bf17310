"""Events as a web process sends them."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.statistics.events import RequestEvent
from app.storage.connections import Redis
from app.storage.statistics.envelopes import encode, pack, push


def send_events(client: Redis, process_id: str, seq: int, events: Sequence[RequestEvent], dropped: int = 0) -> None:
    """Pushes one envelope."""
    push(client, pack(process_id, seq, dropped, [encode(event) for event in events]), len(events))
