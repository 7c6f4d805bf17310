"""The table of failures: what each row promises to those who decide by it."""

from __future__ import annotations

import pytest

from app.core.errors import UpstreamFault
from app.core.failures import Failure, Phase


@pytest.mark.parametrize("failure", Failure)
def test_a_failure_is_a_bad_gateway_or_a_timeout(failure: Failure) -> None:
    """Every row is told as 502, or as 504 where the upstream was too slow, and its fault carries the row."""
    assert failure.status == (504 if failure.code.endswith("_timeout") else 502)
    fault = UpstreamFault(failure, "x.example failed")
    assert (fault.status, fault.code, fault.failure) == (failure.status, failure.code, failure)


def test_rows_differ() -> None:
    """No two rows say the same of a code in one phase, unless how the time ran out tells them apart."""
    rows = [failure.value for failure in Failure]
    assert len(rows) == len(set(rows)) == len(Failure)


def test_what_the_upstream_never_saw_is_told_apart() -> None:
    """Only a failed dial and an untouched stale connection promise that nothing of the request was read."""
    unseen = {failure for failure in Failure if failure.phase in (Phase.DIAL, Phase.STALE)}
    assert unseen == {Failure.UNREACHABLE, Failure.STALE}
