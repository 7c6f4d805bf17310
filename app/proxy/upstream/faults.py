"""What callers are told when an upstream fails: a row of the table of failures, in words."""

from __future__ import annotations

from app.core.errors import ClientFault, UpstreamFault
from app.core.failures import Failure
from app.core.model import Upstream
from app.wire.http.http1 import HttpSyntaxError


def failed(upstream: Upstream, failure: Failure, what: str) -> UpstreamFault:
    """`what` goes on from the upstream's name."""
    return UpstreamFault(failure, f"{upstream.authority} {what}")


def not_taken(upstream: Upstream) -> UpstreamFault:
    text = f"took no more of the request for {upstream.limits.idle_timeout:g} s"
    return failed(upstream, Failure.NOT_TAKEN, text)


def first_byte_timeout(upstream: Upstream) -> UpstreamFault:
    text = f"did not begin to answer within {upstream.limits.first_byte_timeout:g} s"
    return failed(upstream, Failure.FIRST_BYTE_TIMEOUT, text)


def total_timeout(upstream: Upstream) -> UpstreamFault:
    text = f"the call to {upstream.authority} was not over within {upstream.limits.total_timeout:g} s"
    return UpstreamFault(Failure.TOTAL_TIMEOUT, text)


def no_http(upstream: Upstream, reason: object) -> UpstreamFault:
    return failed(upstream, Failure.NO_HTTP, f"did not answer in HTTP/1.1: {reason}")


def malformed_answer(upstream: Upstream, reason: object) -> UpstreamFault:
    return failed(upstream, Failure.MALFORMED, f"did not answer in HTTP/1.1: {reason}")


def malformed_request(error: HttpSyntaxError) -> ClientFault:
    return ClientFault(400, "bad_request", f"the request's body is malformed: {error}")
