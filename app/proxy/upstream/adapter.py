"""For `requests`: a transport adapter whose calls go the way of all calls, through our pool, guard and proxies.

Mount it on a Session where a call is the gateway's own and comes seldom. What clients ask for goes past it, straight to
the Transport: preparing a request and making an answer as `requests` does costs more than the call itself.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse

from app.core.errors import AddressRefused, GatewayError, UpstreamFault
from app.core.model import Upstream
from app.core.network.forward_proxies import ForwardProxy
from app.core.settings import Limits
from app.proxy.messages import RequestBody
from app.proxy.upstream.exchange import NEVER, Exchange
from app.proxy.upstream.transport import OutboundRequest, Transport
from app.wire.http.headers import Headers
from app.wire.http.http1 import CHUNKED
from app.wire.pages.address import InvalidAddress, parse_address

_FRAMING = frozenset({"content-length", "host", "transfer-encoding", "connection"})


class UpstreamAdapter(HTTPAdapter):
    """A requests transport adapter over a Transport. Certificates are always checked, whatever `verify` says."""

    def __init__(self, transport: Transport, limits: Limits, proxy: ForwardProxy | None = None) -> None:
        """`limits`: those of its calls; a call's own `timeout` goes over them. `proxy`: None as the deployment says."""
        super().__init__()
        self._proxy = proxy
        self._transport = transport
        self._limits = limits

    def init_poolmanager(self, *_: Any, **__: Any) -> None:
        """The Transport has the pool."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """As HTTPAdapter.send. Raises requests' exceptions; a proxy or certificate of the call's own is not taken."""
        if cert or proxies:
            raise requests.exceptions.InvalidSchema("proxies and certificates are the deployment's, not a call's")
        try:
            address = parse_address(request.url or "")
        except InvalidAddress as error:
            raise requests.exceptions.InvalidURL(str(error), request=request) from None
        limits = self._limits_of(timeout)
        upstream = Upstream(address.scheme, address.host, address.port, address.authority, "", limits, self._proxy)
        fields = [("Host", address.authority), *_fields(request)]
        outbound = OutboundRequest(upstream, request.method or "GET", address.target, fields, _body(request.body))
        deadline_s = time.monotonic() + limits.total_timeout if limits.total_timeout else NEVER
        try:
            exchange = self._transport.send(outbound, deadline_s)
            response = self.build_response(request, _as_urllib3(exchange, outbound.method))
            if not stream:
                _read_whole(response)
        except GatewayError as error:
            raise _translated(error, request) from error
        return response

    def _limits_of(self, timeout: Any) -> Limits:
        connect_s, read_s = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        limits = self._limits
        if connect_s is not None:
            limits = replace(limits, connect_timeout=float(connect_s))
        if read_s is not None:
            limits = replace(limits, first_byte_timeout=float(read_s), idle_timeout=float(read_s))
        return limits

    def close(self) -> None:
        """Leaves the Transport, which others use, as it is."""


class _Body(io.RawIOBase):
    """An answer's body as a file, for urllib3 to undo its coding."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self._exchange = exchange
        self._rest = exchange.read_at_hand()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._rest or self._exchange.read1()
        except GatewayError as error:
            raise OSError(error.message) from error  # which urllib3 and requests translate
        taken = data[: len(buffer)]
        self._rest = data[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)

    def close(self) -> None:
        self._exchange.close()
        super().close()


def _as_urllib3(exchange: Exchange, method: str) -> HTTPResponse:
    answer = exchange.answer
    headers = HTTPHeaderDict()
    for name, value in answer.headers:
        headers.add(name, value)
    return HTTPResponse(
        _Body(exchange),
        headers,
        answer.status,
        reason=answer.reason,
        preload_content=False,
        decode_content=False,
        request_method=method,
    )


def _read_whole(response: requests.Response) -> None:
    """Into `response.content`. What fails on the way leaves no connection open, as requests itself would."""
    try:
        _ = response.content
    except BaseException:
        response.close()
        raise


def _fields(request: requests.PreparedRequest) -> Headers:
    fields = [(str(name), str(value)) for name, value in request.headers.items()]
    return [field for field in fields if field[0].lower() not in _FRAMING]


def _body(body: Any) -> RequestBody:
    if body is None:
        return RequestBody(0)
    if isinstance(body, str | bytes):
        data = body.encode() if isinstance(body, str) else body
        return RequestBody(len(data), data)
    read: Callable[[int], bytes] | None = getattr(body, "read", None)
    return RequestBody(CHUNKED, b"", read or _reader_of(body))


def _reader_of(pieces: Iterable[bytes]) -> Callable[[int], bytes]:
    left = iter(pieces)

    def read(_size: int) -> bytes:
        return next((piece for piece in left if piece), b"")

    return read


def _translated(error: GatewayError, request: requests.PreparedRequest) -> requests.RequestException:
    if isinstance(error, AddressRefused):
        return requests.exceptions.InvalidURL(error.message, request=request)
    if isinstance(error, UpstreamFault) and error.status == 504:
        return requests.Timeout(error.message, request=request)
    return requests.ConnectionError(error.message, request=request)
