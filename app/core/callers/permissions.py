"""What the holder of an access token may ask for: which models, by which channels and mappings."""

from __future__ import annotations

from app.core.choosing.matching import Candidate
from app.core.errors import ApiError
from app.core.model import AccessToken, Mapping, Snapshot
from app.core.patterns import fits
from app.wire.dialects.asked import Asked

Reach = tuple[frozenset[str] | None, frozenset[str] | None]
"""The ids of the channels that may serve a call, None for all, and of those that may not, None for none."""
MAX_SHOWN = 200
"""Characters of a model's name in an error."""


def may_use_model(token: AccessToken, model: str) -> bool:
    """`model` as asked for."""
    if model in token.model_names or not token.is_limited_in_models:
        return True
    for pattern in token.model_patterns:  # noqa: SIM110 - compiled, a generator would be dearer
        if fits(pattern.split("*"), model):
            return True
    return False


def may_use_channel(token: AccessToken, channel_id: str) -> bool:
    if token.routes_mode == "all":
        return True
    return (channel_id in token.channels) == (token.routes_mode == "allow")


def check_mapping(token: AccessToken, mapping: Mapping, channel_id: str = "") -> None:
    """Raises ApiError where the token does not open the mapping, or a channel that it leads to is denied.

    Who allows a mapping allows the channel behind it, by this mapping.
    """
    if token.routes_mode == "all":
        return
    listed = mapping.prefix in token.mappings
    if listed != (token.routes_mode == "allow") or (channel_id in token.channels and token.routes_mode == "deny"):
        raise not_allowed(token, f"the route {mapping.prefix}")


def check_model(token: AccessToken, model: str) -> None:
    """Raises ApiError."""
    if not may_use_model(token, model):
        text = f"the access token {token.name!r} does not open the model {model[:MAX_SHOWN]!r}"
        raise ApiError(403, "model_not_allowed", f"{text}; /v1/models lists those that it opens", is_final=True)


def reach_of(token: AccessToken) -> Reach:
    """The channels that the token opens."""
    if token.routes_mode == "allow":
        return token.channels, None
    return None, token.channels if token.routes_mode == "deny" else None


def opened(token: AccessToken, snapshot: Snapshot, dialect: str, model: str) -> list[Candidate]:
    """Of the channels that serve a model (empty: none is named) those that the token opens, disabled ones too.

    Raises ApiError where enabled ones serve it, and the token opens none of them.
    """
    only, without = reach_of(token)
    found = serving_of(snapshot, dialect, model, only, without)
    if token.routes_mode == "all" or _any_enabled(found):
        return found
    if _any_enabled(serving_of(snapshot, dialect, model, None, None)):
        what = f"the model {model[:MAX_SHOWN]!r}" if model else "calls that name no model"
        raise not_allowed(token, f"any channel that serves {what}")
    return found


def serving_of(
    snapshot: Snapshot, dialect: str, model: str, only: frozenset[str] | None, without: frozenset[str] | None
) -> list[Candidate]:
    """Who serves it of those that may; see core.choosing.matching."""
    settings = snapshot.settings
    found: list[Candidate] = snapshot.serving.candidates(
        dialect,
        model,
        strip_date=settings.model_strip_date,
        contains=settings.model_contains,
        only=only,
        without=without,
    )
    return found


def _any_enabled(found: list[Candidate]) -> bool:
    return any(one.channel.enabled for one in found)


def check_call(token: AccessToken, asked: Asked, model: str, snapshot: Snapshot, *, by_mapping: bool) -> None:
    """Raises ApiError where the token does not open what is asked for of channels.

    `by_mapping`: it came by a mapping, which was looked at.
    """
    if token.is_limited_in_models or token.has_budget:
        check_path(token, asked)
        check_knowable(token, is_known=bool(model) and not (asked.is_lasting or asked.is_realtime))
    if model:
        check_model(token, model)
    if token.routes_mode != "all" and not by_mapping:
        opened(token, snapshot, asked.served_by, model)


def check_knowable(token: AccessToken, *, is_known: bool) -> None:
    """Raises ApiError for a token that is limited in models or money, where a call's model or cost cannot be known."""
    if is_known or not (token.is_limited_in_models or token.has_budget):
        return
    text = f"{_limited(token)}, and this call does not tell its model or its cost"
    raise ApiError(403, "route_not_allowed", text, is_final=True)


def check_path(token: AccessToken, asked: Asked) -> None:
    """For a token that is limited in models or money. Raises ApiError for a path that means one thing to us, and may
    mean another to an upstream: `/v1/b%61tches`, `/v1/x/../batches`."""
    if not asked.is_plainly_written:
        text = f"{_limited(token)}, so the path must be written without escapes, `..` and doubled slashes"
        raise ApiError(403, "route_not_allowed", text, is_final=True)


def _limited(token: AccessToken) -> str:
    what = "models" if token.is_limited_in_models else "what may be spent"
    return f"the access token {token.name!r} is limited in {what}"


def not_allowed(token: AccessToken, what: str) -> ApiError:
    text = f"the access token {token.name!r} does not open {what}; ask the gateway's operator"
    return ApiError(403, "route_not_allowed", text, is_final=True)
