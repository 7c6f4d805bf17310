"""Reads a client's request to an API: holds its body, and finds the model in it while it comes."""

from __future__ import annotations

from app.core.choosing import affinity
from app.core.errors import ApiError
from app.core.settings import Settings
from app.proxy.api.request import ApiRequest
from app.proxy.held_body import HeldBody, hold, too_large
from app.proxy.messages import BodyReader, Inbound
from app.waiting import give_way
from app.wire import given_ids
from app.wire.bodies.reading import RequestBodyReading, images_of, reading_of
from app.wire.bodies.splice import usage_edit
from app.wire.dialects import output_limits
from app.wire.dialects.asked import Asked, bare_model, model_in_query
from app.wire.http.headers import Headers, find

KEPT = affinity.MEMBERS | given_ids.MEMBERS
"""Members of a body by which a conversation is known, or who alone knows what is asked for."""
_KEPT_OF_CHAT = KEPT | {"stream_options"}
_KEPT_TO_WEIGH = _KEPT_OF_CHAT | output_limits.MEMBERS | {"service_tier", "speed"}


def read_request(
    inbound: Inbound,
    asked: Asked,
    query: str,
    fields: Headers,
    settings: Settings,
    caller: str,
    *,
    is_weighed: bool = False,
) -> ApiRequest:
    """`is_weighed`: what it may cost is asked for.

    Raises ApiError, and what the body's reader raises.
    """
    reading = None
    if inbound.body.length and not asked.lists_models:
        kind, coding = find(fields, "content-type") or "", find(fields, "content-encoding") or ""
        kept = _KEPT_OF_CHAT if settings.openai_include_usage else KEPT
        reading = reading_of(kind, coding, _KEPT_TO_WEIGH if is_weighed else kept, settings.replay_max_bytes)
        if is_weighed and reading is not None:
            reading.images = images_of(kind, counts_prompts=output_limits.lists_prompts(asked))
    watched = _Watched(inbound.body, reading) if reading is not None else None
    reader = watched or inbound.body
    body = hold(reader, settings.replay_max_bytes, has_rest=True) if inbound.body.length else HeldBody()
    if watched is not None and body.rest is not None:
        watched.is_sent = True
    try:
        request = _request_of(inbound, asked, query, fields, body, reading, caller, settings.replay_max_bytes)
        if settings.openai_include_usage:
            _ask_for_usage(request)
        return request
    except BaseException:
        body.close()
        raise


def _request_of(
    inbound: Inbound,
    asked: Asked,
    query: str,
    fields: Headers,
    body: HeldBody,
    reading: RequestBodyReading | None,
    caller: str,
    max_bytes: int,
) -> ApiRequest:
    model, is_stream, members = asked.model, asked.is_stream, None
    if reading is not None:
        if body.rest is None:
            reading.finish()
        if reading.is_unreadable or reading.is_misread:
            raise _unreadable()
        if reading.is_too_large:
            raise too_large(max_bytes)
        members = reading.members
        model = model or bare_model(asked, members.model)
        is_stream = is_stream or members.is_stream
    if asked.is_realtime:
        model = model_in_query(query)
    if body.rest is not None and reading is not None and not (model or asked.is_lasting):
        raise too_large(max_bytes)  # who knows what it would ask for
    if asked.needs_model and not model:
        raise ApiError(400, "model_missing", "the body names no model: send it as `model`")
    is_coded = reading is not None and reading.is_coded
    request = ApiRequest(inbound, asked, query, fields, model, is_stream, body, members, is_coded, caller)
    request.images = reading.images if reading is not None else None
    return request


def _ask_for_usage(request: ApiRequest) -> None:
    """Of a stream of OpenAI's chat. Of what has not come nobody knows whether the caller asks for it himself."""
    members = request.members
    is_chat = request.asked.speaks == "openai" and request.asked.path.endswith("/chat/completions")
    if is_chat and request.is_stream and request.body.rest is None and members is not None and not members.is_form:
        request.usage_edit = usage_edit(members)


def _unreadable() -> ApiError:
    return ApiError(400, "invalid_json", "the body is no JSON object, or `model` or `stream` stands twice in it")


class _Watched:
    """A body whose pieces are looked at as they come."""

    def __init__(self, reader: BodyReader, reading: RequestBodyReading) -> None:
        self.length = reader.length
        self._reader = reader
        self._reading = reading
        self.is_sent = False
        """What comes from now on goes out at once: then what cannot be read ends it."""

    @property
    def at_end(self) -> bool:
        return self._reader.at_end

    def read1(self, size: int) -> bytes:
        data = self._reader.read1(size)
        for step, _ in enumerate(self._reading.feed(data)):
            if step:
                give_way()  # a compressed body is much work for few bytes
        if self.is_sent and self._reading.is_misread:
            raise _unreadable()
        return data
