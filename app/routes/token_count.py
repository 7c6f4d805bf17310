"""How many tokens a request would have: answered here, without a channel, for any model."""

from __future__ import annotations

from collections.abc import Iterator

from app.core.errors import ApiError
from app.core.model import AccessToken, Snapshot
from app.proxy.api import told
from app.proxy.api.read_request import read_request
from app.proxy.api.request import ApiRequest
from app.proxy.engine import Engine, break_off
from app.proxy.held_body import SPOOL_BYTES, HeldBody, too_large
from app.proxy.messages import Inbound, Reply
from app.waiting import Turns
from app.wire.bodies.reading import decoded
from app.wire.dialects.asked import Asked
from app.wire.http.headers import Headers, find


def count_tokens(
    engine: Engine, inbound: Inbound, asked: Asked, query: str, fields: Headers, snapshot: Snapshot, token: AccessToken
) -> Reply:
    """The estimate, in the caller's dialect. Raises GatewayError, and what the body's reader raises."""
    call = told.begun(engine.calls, inbound, asked, token)
    request: ApiRequest | None = None
    try:
        request = read_request(inbound, asked, query, fields, snapshot.settings, token.holder)
        told.tell_request(call, request)
        body = _answer(request, snapshot)
    except BaseException as error:  # whatever it is, the call is accounted for
        break_off(call, error)
    finally:
        if request is not None:
            request.body.close()
    call.end(200, "")
    return Reply(200, "OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))], [body])


def _answer(request: ApiRequest, snapshot: Snapshot) -> bytes:
    from app.wire.counting.answers import answer  # 1 MB that most processes never need

    max_bytes = snapshot.settings.replay_max_bytes
    if request.body.rest is not None:
        raise too_large(max_bytes)
    if snapshot.limits.max_body_bytes:
        request.body.bound(snapshot.limits.max_body_bytes)
    if request.members is None or request.members.is_form:
        raise _unreadable("it is no JSON, by its Content-Type or because it is empty")
    turns = Turns()
    try:
        content = _content(request, max_bytes, turns)
        counting = answer(content, _shape_of(request.asked), request.model)
        while True:
            next(counting)
            turns.passed()
    except StopIteration as counted:
        body: bytes = counted.value
        return body
    except ValueError as error:  # a CodingError is one
        raise _unreadable(str(error)) from error


def _shape_of(asked: Asked) -> str:
    """Whose request and answer it is, by the path; the dialect also follows a field that says less."""
    if asked.speaks == "gemini":
        return "gemini"
    return "anthropic" if asked.needs_model else "responses"


def _content(request: ApiRequest, max_bytes: int, turns: Turns) -> bytes | bytearray:
    """The body without its coding; a long one grows piece by piece, as joining it would take 16 ms at once."""
    pieces = _pieces(request.body)
    if request.is_coded:
        pieces = decoded(pieces, find(request.fields, "content-encoding") or "", max_bytes)
    first = next(pieces, b"")
    content: bytes | bytearray = first
    for piece in pieces:
        if content is first:
            content = bytearray(first)
        content += piece
        turns.passed()
    return content


def _pieces(held: HeldBody) -> Iterator[bytes]:
    body = held.begin()
    yield body.at_hand
    while body.read_more is not None and (piece := body.read_more(SPOOL_BYTES)):
        yield piece


def _unreadable(what: str) -> ApiError:
    return ApiError(400, "invalid_json", f"the tokens of this body cannot be counted: {what}")
