"""What passes on its way to the client looks at a channel's answer: which stages there are for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.core.settings import Settings
from app.proxy.api.attempts import Chosen
from app.proxy.api.extra_chunk import ExtraChunkStage
from app.proxy.api.id_stage import IdStage
from app.proxy.api.request import READ_BYTES, ApiRequest
from app.proxy.api.stage import ApiStage
from app.proxy.metering import MeterStage, meter_stage
from app.proxy.relay import Stage
from app.wire.dialects.observers import Observer
from app.wire.given_ids import given_ids
from app.wire.http.codings import CodingError, decoder_for
from app.wire.http.headers import find
from app.wire.usage.text import RequestText

_COUNTED_BYTES: Final = 4 * 1024 * 1024
"""So much of a compressed request's text is counted."""


def stages_of(
    request: ApiRequest, chosen: Chosen, settings: Settings, gave: Callable[[list[str]], None]
) -> tuple[list[Stage], Observer | None]:
    """The stages for an answer, and the observer that reads its usage. `gave` is told the ids that it gives."""
    observer, exchange = chosen.observer, chosen.exchange
    stages: list[Stage] = []
    if observer is None:
        meter = meter_stage(request.asked, exchange.answer)
        if meter is not None:
            stages.append(meter)
            observer = meter.observer
    elif observer.is_stream:
        if settings.keepalive_comment_s and observer.dialect.allows_comments:
            exchange.tell_silence(settings.keepalive_comment_s)
        stages.append(ApiStage(observer, len(chosen.held), request.inbound.request_id, chosen.of.key))
        if request.usage_edit is not None:
            stages.append(ExtraChunkStage())
    elif not exchange.is_complete:  # it is longer than what is held
        stages.append(MeterStage(observer, None, len(chosen.held)))
    if not request.model or request.asked.speaks == "responses":
        if chosen.observer is not None:  # a response gives its id at its beginning, which was held
            gave(given_ids(chosen.held[:READ_BYTES]))
        elif exchange.answer.status < 300 and "json" in (find(exchange.answer.headers, "content-type") or ""):
            stages.append(IdStage(gave))
    return stages, observer


def asked_bytes(request: ApiRequest) -> int:
    """How much text a call to channels holds: by the beginning of a body that does not stay in memory."""
    body, members = request.body, request.members
    if members is None or members.is_form or not body.in_memory:
        return 0
    text = RequestText()
    if request.is_coded:
        decoder = decoder_for(find(request.fields, "content-encoding") or "", _COUNTED_BYTES)
        try:
            for part in decoder.feed(body.in_memory) if decoder is not None else ():
                text.feed(part)
                if text.text_bytes > _COUNTED_BYTES:
                    break
        except CodingError:
            return text.text_bytes
    else:
        text.feed(body.in_memory)
    return text.text_bytes * body.held_bytes // len(body.in_memory)
