"""What failures and slow first bytes take off a channel's priority."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from app.core.choosing.standing import Record

_CONFIDENT_FIRST_BYTES = 10
_MAX_SLOW_RATIO = 2.0


class Weights(NamedTuple):
    """The settings of the gateway's that say how much is taken off."""

    health_penalty: bool = False
    health_penalty_weight: float = 100.0
    health_min_samples: int = 20
    slow_penalty_weight: float = 0.0

    @property
    def any(self) -> bool:
        return self.health_penalty or self.slow_penalty_weight > 0


def penalties(records: Sequence[Record], weights: Weights) -> list[float]:
    """Of each channel among those that may serve a call.

    The share of failures counts in full from `health_min_samples` on, and the more slowly a channel begins to answer
    than the median of all does, at most three times as slowly, the more it loses, in full from 10 samples on.
    """
    median_ms = _median([record.first_byte_ms for record in records if record.first_byte_ms > 0])
    taken: list[float] = []
    for record in records:
        penalty = 0.0
        if weights.health_penalty and record.samples:
            confidence = min(1.0, record.samples / max(1, weights.health_min_samples))
            penalty += (1.0 - record.success_rate) * weights.health_penalty_weight * confidence
        if weights.slow_penalty_weight > 0 and record.first_byte_ms > 0:
            ratio = min(max(record.first_byte_ms / median_ms - 1.0, 0.0), _MAX_SLOW_RATIO)
            penalty += (
                ratio * weights.slow_penalty_weight * min(1.0, record.first_byte_samples / _CONFIDENT_FIRST_BYTES)
            )
        taken.append(penalty)
    return taken


def _median(values: list[float]) -> float:
    if not values:
        return 0.0
    values.sort()
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2
