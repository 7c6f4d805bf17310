"""Web pages: one upstream call through the engine, with mapped header fields and a rewriter on the relay."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from app.core.errors import UpstreamFault
from app.core.failures import Failure
from app.core.model import Upstream
from app.core.settings import Limits, Settings
from app.proxy.engine import Engine
from app.proxy.messages import Inbound, Reply
from app.proxy.relay import Relay
from app.waiting import give_way
from app.wire.codings import CodingError, Decoder, decoder_for
from app.wire.headers import Headers, find_all
from app.wire.pages.charsets import EncodedRewriter
from app.wire.pages.fields import Site, request_fields, response_fields
from app.wire.pages.rewriting import SniffingRewriter, rewriter_for
from app.wire.pages.sniffing import RESOURCE_HEADER_BYTES, ContentType, begins_as_page, content_type

log = logging.getLogger(__name__)

ENDPOINT = "/proxy"
"""Under this name all pages are counted, and limited, as one upstream."""
_PARTIAL_OR_NONE = frozenset({204, 205, 206, 304})
"""Statuses whose body is no whole page."""


def ask(engine: Engine, inbound: Inbound, site: Site, limits: Limits, settings: Settings) -> Reply:
    """The site's answer to the request, fit for the browser. Raises like Engine.handle."""
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
    reply = engine.handle(inbound, ENDPOINT, upstream, address.target, settings)
    if reply.status == 101:
        reply.headers = response_fields(reply.headers, site, rewritten=False)
    else:
        _adapt(reply, site, has_body=inbound.method != "HEAD")
    return reply


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
    body = RewrittenBody(reply.body, decoder, rewriter)
    body.begin()
    reply.body = body


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


class RewrittenBody:
    """A WSGI body like the Relay that it takes from and settles. What it gives counts as sent."""

    def __init__(self, relay: Relay, decoder: Decoder, rewriter: EncodedRewriter | SniffingRewriter) -> None:
        self._relay = relay
        relay.is_rewritten = True
        self._decoder = decoder
        self._rewriter = rewriter
        self._pieces: Iterator[bytes] = self._rewritten()
        self._sent_bytes = 0

    def begin(self) -> None:
        """Rewrites what is at hand, while an error can still be told in words. Raises UpstreamFault."""
        try:
            first = next(self._pieces)
        except CodingError as error:
            self._note(error)
            self._relay.status = Failure.MALFORMED.status
            self.close()
            raise UpstreamFault(Failure.MALFORMED, f"the page cannot be decoded: {error}") from None
        except BaseException:  # a client that has gone, too: nobody else knows of this body yet
            self.close()
            raise
        self._pieces = chain((first,), self._pieces)

    def __iter__(self) -> RewrittenBody:
        return self

    def __next__(self) -> bytes:
        try:
            piece = next(self._pieces)
        except CodingError as error:
            self._note(error)
            raise ConnectionResetError(errno.ECONNRESET, str(error)) from error
        self._sent_bytes += len(piece)
        return piece

    def _note(self, error: CodingError) -> None:
        self._relay.error_code = Failure.MALFORMED.code
        log.warning("%s in the body: %s", Failure.MALFORMED.code, error)

    def _rewritten(self) -> Iterator[bytes]:
        is_first = True
        for received in self._relay:
            for decoded in self._decoder.feed(received) if received else ():
                piece = self._rewriter.feed(decoded)
                if piece:
                    is_first = False
                    yield piece
                give_way()  # a long page is work without waiting
            if is_first:
                is_first = False
                yield b""  # nothing is at hand: the head may go
        self._decoder.finish()
        last = self._rewriter.finish()
        self._relay.sent_bytes = self._sent_bytes + len(last)
        self._relay.settle()
        yield last

    def close(self) -> None:
        self._relay.sent_bytes = self._sent_bytes
        self._relay.close()
