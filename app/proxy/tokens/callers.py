"""Calls past the channels whose callers show an access token: what is asked of the token before they go on."""

from __future__ import annotations

from typing import Protocol

from app.core.callers.permissions import check_knowable, check_mapping, check_model, check_path
from app.core.model import AccessToken, Mapping, Snapshot
from app.proxy.api.read_request import read_request
from app.proxy.api.request import ApiRequest
from app.proxy.call import Call
from app.proxy.held_body import HeldBody, HeldReader
from app.proxy.messages import Inbound
from app.proxy.tokens.admission import TokenAdmission
from app.wire.dialects.asked import Asked


class Caller(Protocol):
    """Who shows an access token."""

    @property
    def token(self) -> AccessToken: ...

    def begin(self, call: Call) -> None:
        """Raises GatewayError where the token does not open the call. What it takes is given back at the call's end."""


class PageCaller:
    """Of a web page."""

    def __init__(self, admission: TokenAdmission, token: AccessToken, snapshot: Snapshot) -> None:
        self.token = token
        self._admission = admission
        self._snapshot = snapshot

    def begin(self, call: Call) -> None:
        self._admission.begin(call, self.token, self._snapshot.settings)


class MappingCaller:
    """Of a mapping with a target of its own."""

    def __init__(
        self,
        admission: TokenAdmission,
        token: AccessToken,
        snapshot: Snapshot,
        mapping: Mapping,
        asked: Asked | None,
        query: str,
        inbound: Inbound,
    ) -> None:
        """`asked`: what the path asks for; None where it is that of no dialect."""
        self.token = token
        self._admission = admission
        self._snapshot = snapshot
        self._mapping = mapping
        self._asked = asked
        self._query = query
        self._inbound = inbound

    def begin(self, call: Call) -> None:
        token, asked = self.token, self._asked
        request: ApiRequest | None = None
        if token.is_limited:
            check_mapping(token, self._mapping)
            if asked is not None and asked.lists_models:
                return  # which counts for nothing
            if token.is_limited_in_models or token.has_budget:
                if asked is not None:
                    check_path(token, asked)
                request = self._read(call)
                model = request.model if request is not None else ""
                is_known = model and asked is not None and not (asked.is_lasting or asked.is_realtime)
                check_knowable(token, is_known=bool(is_known) and not self._inbound.upgrade)
                check_model(token, model)
            if asked is None or not asked.counts_tokens:
                self._admission.begin(call, token, self._snapshot.settings)
        if request is not None:
            self._admission.budgets.begin_mapping(call, token, request, self._snapshot)
        else:
            self._admission.budgets.charge(call, token)

    def _read(self, call: Call) -> ApiRequest | None:
        """Holds the body, as it is held for channels, to find the model in it; None where there is none to find."""
        if self._asked is None or self._inbound.upgrade:
            return None
        inbound, settings, token = self._inbound, self._snapshot.settings, self.token
        request = read_request(
            inbound, self._asked, self._query, inbound.headers, settings, token.holder, is_weighed=token.has_budget
        )
        call.holds.append(_Body(request.body))
        inbound.body, inbound.expects_continue = HeldReader(request.body), False
        return request


class _Body:
    """See proxy.call.Hold."""

    def __init__(self, body: HeldBody) -> None:
        self._body = body

    def end(self, call: Call) -> None:
        self._body.close()
