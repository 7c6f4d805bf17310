"""Web pages: one upstream call through the engine, with mapped header fields and a rewriter on the relay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib import import_module

from app.core.errors import GatewayError, UpstreamFault
from app.core.failures import Failure
from app.core.model import Upstream
from app.core.settings import Limits, Settings
from app.proxy.engine import Engine
from app.proxy.messages import Inbound, Reply
from app.proxy.relay import Relay
from app.proxy.tokens.callers import Caller
from app.waiting import give_way
from app.wire.http.codings import CodingError, Decoder, decoder_for
from app.wire.http.headers import Headers, find_all
from app.wire.pages.charsets import EncodedRewriter
from app.wire.pages.fields import Site, request_fields, response_fields
from app.wire.pages.rewriting import PARTS, SniffingRewriter, rewriter_for
from app.wire.pages.sniffing import RESOURCE_HEADER_BYTES, ContentType, begins_as_page, content_type

ENDPOINT = "/proxy"
"""Under this name all pages are counted, and limited, as one upstream."""
_PARTIAL_OR_NONE = frozenset({204, 205, 206, 304})
"""Statuses whose body is no whole page."""


def ask(
    engine: Engine, inbound: Inbound, site: Site, limits: Limits, settings: Settings, caller: Caller | None = None
) -> Reply:
    """The site's answer to the request, fit for the browser. Raises like Engine.handle."""
    load_rewriters()
    address = site.address
    upstream = Upstream(
        scheme=address.scheme,
        host=address.host,
        port=address.port,
        authority=address.authority,
        base_path="",
        from_caller=True,
        limits=replace(
            limits, first_byte_timeout=settings.web_first_byte_timeout, idle_timeout=settings.web_idle_timeout
        ),
    )
    inbound.headers = request_fields(inbound.headers, site)
    reply = engine.handle(inbound, ENDPOINT, upstream, address.target, settings, None, caller)
    if reply.status == 101:
        reply.headers = response_fields(reply.headers, site, rewritten=False)
    else:
        _adapt(reply, site, has_body=inbound.method != "HEAD")
    return reply


@cache
def load_rewriters() -> None:
    """With the first page, and others run between the steps. Most processes do without their 0.8 MB."""
    for part in PARTS:
        import_module(f"app.wire.pages.{part}")
        give_way()
    gc.freeze()  # as at the start: else the collector looks at all of it again and again, 2 ms each time


def _adapt(reply: Reply, site: Site, *, has_body: bool) -> None:
    rewriter = decoder = None
    if reply.status not in _PARTIAL_OR_NONE:
        rewriter = rewriter_for(reply.headers, site)
        decoder = _decoder(reply.headers)
    told = content_type(reply.headers)
    if isinstance(rewriter, SniffingRewriter) and isinstance(reply.body, Relay):
        is_page = _begins_as_page(reply.body.at_hand, reply.headers)
        if is_page is False:
            rewriter = None
        elif is_page:
            told = ContentType("text/html", "text/html", False)
    if rewriter is None or decoder is None:
        fields = response_fields(reply.headers, site, rewritten=False)
        if reply.status == 304:  # the page that the browser has bears the nonce of the policy that came with it
            fields = [field for field in fields if field[0].lower() != "content-security-policy"]
        reply.headers = fields
        return
    reply.headers = response_fields(reply.headers, site, rewritten=True)
    if told.essence and not told.is_alone:  # browsers shall not judge otherwise than we did
        reply.headers = [field for field in reply.headers if field[0].lower() != "content-type"]
        reply.headers.append(("Content-Type", told.text))
    if not has_body:
        return
    assert isinstance(reply.body, Relay)  # noqa: S101 - a Tunnel comes with a 101 only
    reply.body.pass_through(PageStage(decoder, rewriter))


def _decoder(fields: Headers) -> Decoder | None:
    return decoder_for(",".join(find_all(fields, "content-encoding")))


def _begins_as_page(at_hand: bytes, fields: Headers) -> bool | None:
    """`sniffing.begins_as_page` for what came with the head: nobody waits for more, which may never come."""
    decoder = _decoder(fields)
    if decoder is None:
        return False
    body = b""
    try:
        for piece in decoder.feed(at_hand):
            body += piece
            if len(body) >= RESOURCE_HEADER_BYTES:
                break
    except CodingError:
        return False
    return begins_as_page(body)


class PageStage:
    """Rewrites a page on its way."""

    def __init__(self, decoder: Decoder, rewriter: EncodedRewriter | SniffingRewriter) -> None:
        self._decoder = decoder
        self._rewriter = rewriter

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """See relay.Stage."""
        try:
            for decoded in self._decoder.feed(piece):
                yield self._rewriter.feed(decoded)
                give_way()  # a long page is work without waiting
        except CodingError as error:
            raise _undecodable(error) from None

    def idle(self) -> bytes:
        """See relay.Stage."""
        return b""

    def finish(self) -> bytes:
        """See relay.Stage."""
        try:
            self._decoder.finish()
        except CodingError as error:
            raise _undecodable(error) from None
        return self._rewriter.finish()

    def fail(self, error: GatewayError) -> None:
        """A page that breaks breaks visibly."""


def _undecodable(error: CodingError) -> UpstreamFault:
    return UpstreamFault(Failure.MALFORMED, f"the page cannot be decoded: {error}")
