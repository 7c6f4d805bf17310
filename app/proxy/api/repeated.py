"""Whether a call repeats one that failed: by what its client says, and by what failed here lately."""

from __future__ import annotations

import time

from app.core.choosing.repeats import FailedCalls, name_of
from app.proxy.api.request import ApiRequest
from app.wire.http.caller_tries import request_id, told_repeats


class Repeated:
    """Of one call, which it takes note of when it has ended."""

    __slots__ = ("_failed_calls", "_name", "_request", "times")

    def __init__(self, failed_calls: FailedCalls, request: ApiRequest) -> None:
        self._failed_calls = failed_calls
        self._request = request
        self._name = b""
        self.times = told_repeats(request.fields)
        """How often it was tried before."""
        now_s = time.monotonic()
        if failed_calls.any(now_s):
            self.times = max(self.times, failed_calls.repeats(self._named(), now_s))

    def failed(self) -> None:
        self._failed_calls.failed(self._named(), time.monotonic())

    def went_well(self) -> None:
        if self._name:  # else nothing had failed when it began
            self._failed_calls.went_well(self._name)

    def _named(self) -> bytes:
        if not self._name:
            request = self._request
            path = f"{request.inbound.method} {request.asked.path}?{request.query}"
            body = request.body
            id = request_id(request.fields)
            self._name = name_of(request.caller, path, id, body.length, body.in_memory)
        return self._name
