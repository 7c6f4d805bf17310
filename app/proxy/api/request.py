"""A client's request to an API, read as far as choosing an upstream needs it, and as it goes out to one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import quote

from app.core.channels.edits import edit_fields
from app.core.choosing.matching import Candidate
from app.core.model import ChannelUrl
from app.proxy.held_body import HeldBody, too_large
from app.proxy.messages import Inbound, RequestBody
from app.proxy.upstream.transport import OutboundRequest
from app.waiting import give_way
from app.wire.bodies.images import Images
from app.wire.bodies.members import Members
from app.wire.bodies.reading import decoded
from app.wire.bodies.rules import with_rules
from app.wire.bodies.splice import Edit, length_with, model_edit, spliced
from app.wire.dialects.asked import Asked, query_with_model
from app.wire.dialects.credentials import credential_fields
from app.wire.dialects.upstream_path import upstream_path
from app.wire.http import headers as header_fields
from app.wire.http.headers import Headers, find, lower
from app.wire.http.http1 import CHUNKED
from app.wire.http.trace import traced

IDENTITY: Final = ("Accept-Encoding", "identity")
"""Events of ours cannot be put into a compressed stream."""
READ_BYTES: Final = 64 * 1024
MAX_PLAIN_BYTES: Final = 1 << 40
"""The reading has bounded it already."""


class ApiRequest:
    """What stays the same whoever is tried."""

    __slots__ = (
        "asked", "body", "caller", "fields", "images", "inbound", "is_coded", "is_stream", "members", "model", "query",
        "usage_edit",
    )  # fmt: skip

    def __init__(
        self,
        inbound: Inbound,
        asked: Asked,
        query: str,
        fields: Headers,
        model: str,
        is_stream: bool,
        body: HeldBody,
        members: Members | None,
        is_coded: bool = False,
        caller: str = "",
    ) -> None:
        """`query` and `fields` without what is the caller's own (`wire.dialects.credentials`); `query` has no `?`."""
        self.inbound = inbound
        self.asked = asked
        self.query = query
        self.fields = fields
        self.model = model
        """As asked for; empty where none is."""
        self.is_stream = is_stream
        self.body = body
        self.members = members
        """What is known of its body; None where that names no model."""
        self.is_coded = is_coded
        """Its body is compressed; places in it are those of the plain bytes."""
        self.caller = caller
        """Whose token was shown; see `core.access.AccessToken.holder`."""
        self.images: Images | None = None
        """Those in its body; None where nobody asked for what it may cost."""
        self.usage_edit: Edit | None = None
        """Asks for the usage of its stream, which the caller does not; None: he does, or nobody shall."""

    @property
    def is_lasting(self) -> bool:
        """Doing it twice would make two of something; so may what names no model."""
        return self.asked.is_lasting or not self.model

    def outbound(self, candidate: Candidate, url: ChannelUrl, secret: str, forwarded_fields: str) -> OutboundRequest:
        """The request as one upstream gets it."""
        asked, inbound, channel = self.asked, self.inbound, candidate.channel
        path = asked.path_for(candidate.upstream_model) if candidate.upstream_model else asked.path
        target = upstream_path(url.upstream.base_path, path, url.exact)
        fields = header_fields.outbound(self.fields, url.upstream.authority, inbound.connection, forwarded_fields)
        fields.append(IDENTITY)
        fields = traced(fields, inbound.trace)
        if channel.header_rules:
            filled_in = {
                "client_ip": inbound.client,
                "now_ms": str(int(time.time() * 1000)),
                "channel": quote(channel.name),
                "request_id": inbound.request_id,
            }
            fields = edit_fields(fields, channel.header_rules, filled_in)
        fields += credential_fields(channel.auth, asked.speaks, secret)
        query = self.query
        if asked.is_realtime and candidate.upstream_model != self.model:
            query = query_with_model(query, candidate.upstream_model)
        body, is_plain = self._body_for(candidate)
        if is_plain and self.is_coded:
            fields = [field for field in fields if lower(field[0]) != "content-encoding"]
        return OutboundRequest(
            url.upstream,
            inbound.method,
            f"{target}?{query}" if query else target,
            fields,
            body,
            upgrade=inbound.upgrade if asked.is_realtime else "",
            may_repeat=not self.is_lasting,
        )

    def _body_for(self, candidate: Candidate) -> tuple[RequestBody, bool]:
        """The body with what the channel wants edited; and whether it has lost its content coding for that."""
        members, model, rules = self.members, candidate.upstream_model, candidate.channel.body_rules
        edits: list[Edit] = []
        if members is not None and members.model and model and model != self.model:
            edits.append(model_edit(members, model))
        if self.usage_edit is not None:
            edits.append(self.usage_edit)
            edits.sort()
        if members is None or not (edits or rules):
            return self.body.begin(), False
        if self.body.rest is not None and (self.is_coded or (rules and not members.is_form)):
            raise too_large(self.body.held_bytes)  # all of it would have to be at hand
        if rules and not members.is_form:
            whole = b"".join(spliced([self._plain()], edits))
            whole = with_rules(whole, rules, give_way)
            return RequestBody(len(whole), whole), True
        if self.is_coded:
            whole = b"".join(spliced([self._plain()], edits))
            return RequestBody(len(whole), whole), True
        return edited(self.body, edits), False

    def _plain(self) -> bytes:
        """The whole body without its content coding."""
        content = self.body.content()
        if not self.is_coded:
            return content
        coding = find(self.fields, "content-encoding") or ""
        return b"".join(decoded([content], coding, MAX_PLAIN_BYTES))


def edited(held: HeldBody, edits: list[Edit]) -> RequestBody:
    """A held body with some of its values replaced, from its start."""
    length = length_with(held.length, edits) if held.length != CHUNKED else CHUNKED
    body = held.begin()
    if body.read_more is None:
        return RequestBody(length, b"".join(spliced([body.at_hand], edits)))
    pieces = spliced(_pieces(body), edits)
    again = None if held.rest is not None else lambda: edited(held, edits)
    return RequestBody(length, b"", _reader(pieces), again)


def _pieces(body: RequestBody) -> Iterator[bytes]:
    yield body.at_hand
    while body.read_more is not None and (piece := body.read_more(READ_BYTES)):
        yield piece


def _reader(pieces: Iterator[bytes]) -> Callable[[int], bytes]:
    rest = b""

    def read(size: int) -> bytes:
        nonlocal rest
        while not rest:
            piece = next(pieces, None)
            if piece is None:
                return b""
            rest = piece
        taken, rest = rest[:size], rest[size:]
        return taken

    return read
