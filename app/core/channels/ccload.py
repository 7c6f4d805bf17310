"""What users of ccLoad say of a channel, and what that means here.

Its fields are those of its versions 1.66 to 4.7. What is the same under another name is taken over; what would be
something else here is refused in words, so that nobody believes in what does not happen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingOf
from decimal import Decimal
from typing import Any, Final, NamedTuple

from app.core.channels.keys import keys_in
from app.core.channels.shape import KEY_STRATEGIES, MAX_CALLS, MAX_MODELS, MAX_PRIORITY, MAX_RULES, MAX_URLS
from app.core.errors import InvalidChannel
from app.core.said.reading import Said
from app.core.said.shapes import AnyOf, Anything, Field, Listed, OneOf, Real, Shape, Text, Whole, YesOrNo
from app.wire.ccload import DIALECTS, USUAL_KEY_STRATEGY, USUAL_TYPE, ListedUrl, guessed_dialects, listed_url

_MOST_USD: Final = 999_999_999_999

MODEL: Final = Shape(
    {
        "model": Text(300, is_needed=True, example="gpt-5"),
        "redirect_model": Text(300, meaning="As the upstream is asked for it"),
        "disabled": YesOrNo(),
    }
)
URL: Final = Shape(
    {
        "url": Text(2048, is_needed=True, example="https://api.openai.com"),
        "exact": YesOrNo(),
        "protocols": Listed(Text(), len(DIALECTS), meaning=f"Some of {', '.join(DIALECTS)}"),
    }
)
_SAID: Final[dict[str, Field]] = {
    "name": Text(100, is_needed=True, example="main"),
    "channel_type": OneOf(tuple(DIALECTS), USUAL_TYPE),
    "api_key": AnyOf((Text(), Listed(Text())), meaning="One, or several with commas between them"),
    "url": Text(8192, lines=True, example="https://api.openai.com", meaning="One, or several with commas between them"),
    "urls": Listed(AnyOf((Text(), URL)), MAX_URLS),
    "models": Listed(AnyOf((Text(300), MODEL)), MAX_MODELS, 1, example=["gpt-5"]),
    "priority": Whole(0, -MAX_PRIORITY, MAX_PRIORITY),
    "enabled": YesOrNo(default=True),
    "key_strategy": OneOf(KEY_STRATEGIES, USUAL_KEY_STRATEGY),
    "rpm_limit": Whole(0, 0, MAX_CALLS),
    "max_concurrency": Whole(0, 0, MAX_CALLS),
    "daily_cost_limit": Real(0, 0, _MOST_USD),
    "cost_multiplier": Real(1, 0, _MOST_USD),
    "available_time_start": Text(5, example="08:00"),
    "available_time_end": Text(5, example="23:30"),
    "scheduled_check_enabled": YesOrNo(),
    "scheduled_check_model": Text(300),
    "proxy_url": Text(2048),
    "custom_request_rules": Shape(
        {name: Listed(Anything(), MAX_RULES) for name in ("headers", "body")}, meaning="Edits; override is set"
    ),
}
_OTHER: Final = (
    "protocol_transform_mode protocol_transforms websockets auth_type retry_other_keys_on_failure "
    "cooldown_detection_rules"
).split()
"""Fields of which only some values mean something here; others are refused in words."""
READ_ONLY: Final = (
    "id cooldown_until cooldown_duration_ms cooldown_remaining_ms key_cooldowns model_cooldowns effective_priority "
    "success_rate key_count created_at updated_at"
).split()
"""What is answered and passed over where it comes back."""
CHANNEL: Final = Shape(
    {**_SAID, **{name: Anything() for name in _OTHER}},
    {name: Anything() for name in READ_ONLY},
    title="CcloadChannel",
    whole="a channel",
)

_SAME: Final = ("enabled", "max_concurrency", "proxy_url")
_THEIRS: Final = {
    "dialects": "channel_type",
    "cost_per_day_usd": "daily_cost_limit",
    "requests_per_minute": "rpm_limit",
    "check_model": "scheduled_check_model",
    "hours": "available_time_start",
    "upstream_name": "redirect_model",
}
_RULES: Final = {"header_rules": "headers", "body_rules": "body"}


class Meant(NamedTuple):
    said: dict[str, Any]
    """What of it is ours to say (core/channels/definition.py): the fields that are given."""
    keys: list[str]
    """Empty where none are given: those that are there stay."""


def meaning_of(value: Any, before: MappingOf[str, Any] | None = None) -> Meant:
    """What a body of ccLoad's says. `before`: of a channel that is there, what is said of it (Channel.said); None for
    a new one, which then gets ccLoad's defaults. Raises InvalidChannel, UnknownField, InvalidKey.
    """
    said = Said(value, "", CHANNEL)
    _refuse_what_is_other(said)
    meant: dict[str, Any] = {name: said.any(name) for name in _SAME if said.any(name) is not None}
    if said.has("name"):
        meant["name"] = said.text("name")
    if said.any("priority") is not None:
        meant["priority"] = said.number("priority")
    if said.any("rpm_limit") is not None:
        meant["requests_per_minute"] = said.number("rpm_limit")
    if said.any("models") is not None:
        meant["models"] = [model for model in said.each("models", _model) if model]
    for name, ours in (("daily_cost_limit", "cost_per_day_usd"), ("cost_multiplier", "cost_multiplier")):
        if said.any(name) is not None:
            meant[ours] = _decimal(said, name)
    meant |= (
        _key_strategy(said, before)
        | _hours(said)
        | _rules(said)
        | _check(said, meant, before)
        | _where(said, meant, before)
    )
    text = said.any("api_key")
    return Meant(meant, [] if text in (None, "") else list(dict.fromkeys(keys_in(text, "api_key"))))


def in_their_names(complaint: str, path: str) -> tuple[str, str]:
    """A complaint about a field of ours, which it may begin with: the same about the field that they know."""
    theirs = re.sub(r"^urls\[\d+\]\.url$|^urls$", "url", path)
    theirs = re.sub(r"^(models\[\d+\])\.name$", r"\1.model", theirs)
    for ours, name in _RULES.items():
        theirs = re.sub(rf"^{ours}\b", f"custom_request_rules.{name}", theirs)
    for ours, name in _THEIRS.items():
        theirs = re.sub(rf"\b{ours}$", name, theirs)
    return theirs + complaint.removeprefix(path) if path and complaint.startswith(path) else complaint, theirs


def _refuse_what_is_other(said: Said) -> None:
    """What holds no meaning is passed over."""
    if said.any("protocol_transform_mode") == "local" or said.any("protocol_transforms"):
        name = "protocol_transforms" if said.any("protocol_transforms") else "protocol_transform_mode"
        raise said.wrong(name, "cannot be: calls are not translated here; make a channel for each channel_type")
    if said.any("websockets"):
        raise said.wrong("websockets", "cannot be: channels are asked by HTTP; leave it out or say false")
    if said.any("auth_type") not in (None, "", "api_key"):
        raise said.wrong("auth_type", "must be api_key: a channel has keys here, and no logins")
    if said.any("cooldown_detection_rules"):
        advice = "such rules hold for all channels: PUT them to /api/outcome-rules"
        raise said.wrong("cooldown_detection_rules", f"cannot be said of one channel: {advice}")


def _model(value: Any, path: str) -> dict[str, str] | None:
    """None for one that is disabled."""
    if isinstance(value, str):
        value = {"model": value}
    said = Said(value, path, MODEL)
    name, upstream_name = said.text("model"), said.text("redirect_model")
    if said.flag("disabled"):
        return None
    return {"name": name, "upstream_name": "" if upstream_name == name else upstream_name}


def _decimal(said: Said, name: str) -> str:
    text = format(Decimal(repr(said.real(name))), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _rules(said: Said) -> dict[str, Any]:
    """Edits of fields and bodies. What can be one `parse_channel` judges."""
    if not said.has("custom_request_rules"):
        return {}
    rules = said.object("custom_request_rules")
    return {ours: [_rule(rule) for rule in rules.items(name)] for ours, name in _RULES.items()}


def _rule(value: Any) -> Any:
    is_override = isinstance(value, dict) and value.get("action") == "override"
    return {**value, "action": "set"} if is_override else value


def _key_strategy(said: Said, before: MappingOf[str, Any] | None) -> dict[str, str]:
    value = said.any("key_strategy")
    if value in (None, ""):
        return {"key_strategy": USUAL_KEY_STRATEGY} if before is None else {}
    if not isinstance(value, str) or value.strip().lower() not in KEY_STRATEGIES:
        raise said.wrong("key_strategy", f"must be one of {', '.join(KEY_STRATEGIES)}")
    return {"key_strategy": value.strip().lower()}


def _hours(said: Said) -> dict[str, str]:
    if not (said.has("available_time_start") or said.has("available_time_end")):
        return {}
    start, end = said.text("available_time_start"), said.text("available_time_end")
    if bool(start) is not bool(end):
        missing = "available_time_end" if start else "available_time_start"
        raise said.wrong(missing, "is missing: say both, such as 08:00 and 23:30, or neither")
    return {"hours": f"{start}-{end}" if start else ""}


def _check(said: Said, meant: MappingOf[str, Any], before: MappingOf[str, Any] | None) -> dict[str, str]:
    """The model by which the channel is checked; none where it is not."""
    if not (said.has("scheduled_check_enabled") or said.has("scheduled_check_model")):
        return {}
    model, was_checked = said.text("scheduled_check_model"), bool(before and before["check_model"])
    if not (said.flag("scheduled_check_enabled") if said.has("scheduled_check_enabled") else was_checked):
        return {"check_model": ""}
    model = model or (str(before["check_model"]) if before else "")
    models = meant.get("models") or (before["models"] if before else [])
    named = [str(one["name"]) for one in models if one["name"] != "*"]
    if not (model or named):
        raise said.wrong("scheduled_check_model", "is missing: the channel names no model")
    return {"check_model": model or named[0]}


# --- its addresses, and what they speak ---


def _where(said: Said, meant: MappingOf[str, Any], before: MappingOf[str, Any] | None) -> dict[str, Any]:
    """`dialects` and `urls`, as far as they are said."""
    urls = _urls(said)
    dialects = _spoken(said, urls)
    if before is None:
        dialects = dialects or _usual_dialects(said, urls, meant)
    else:
        if not dialects or dialects == before["dialects"][:1]:  # of several, the first is shown
            dialects = list(before["dialects"])
        if not urls and dialects == before["dialects"]:
            return {}
    known = {url["url"].rstrip("/"): url for url in before["urls"]} if before else {}
    wanted = urls or [ListedUrl(url) for url in known]
    return {"dialects": dialects, "urls": [_entry(url, known.get(url.url, {}), dialects) for url in wanted]}


def _spoken(said: Said, urls: list[ListedUrl]) -> list[str]:
    """The dialects that are said of the channel or of one of its urls."""
    type = _type(said, "channel_type")
    spoken = [DIALECTS[type]] if type else []
    return list(dict.fromkeys([*spoken, *(dialect for url in urls for dialect in url.dialects)]))


def _usual_dialects(said: Said, urls: list[ListedUrl], meant: MappingOf[str, Any]) -> list[str]:
    """Its later versions, which have a list of `urls`, find out by themselves what these speak."""
    if said.any("urls") is not None:
        names = [str(model["name"]) for model in meant.get("models", ())]
        if guessed := guessed_dialects([url.url for url in urls], names):
            return list(guessed)
    return [DIALECTS[USUAL_TYPE]]


def _entry(url: ListedUrl, known: MappingOf[str, Any], dialects: list[str]) -> dict[str, Any]:
    """One of `urls`; what ccLoad has no word for stays as it is known."""
    kept = [dialect for dialect in known.get("dialects", ()) if dialect in dialects]
    entry = {"url": url.url, **known, "dialects": list(url.dialects) or kept}
    return {**entry, "exact": True} if url.exact else entry


def _urls(said: Said) -> list[ListedUrl]:
    """Each once, the first of doubles."""
    if said.any("urls") is not None:
        if said.any("url"):
            raise said.wrong("url", "is said twice: say either url or urls")
        found = said.each("urls", _url)
    else:
        texts = [text for text in re.split(r"[\s,]+", said.text("url")) if text]
        found = tuple(_url(text, "url") for text in texts)
    each: dict[str, ListedUrl] = {}
    for url in found:
        each.setdefault(url.url, url)
    return list(each.values())


def _url(value: Any, path: str) -> ListedUrl:
    if not isinstance(value, str):
        Said(value, path, URL)  # or there is a field that nobody knows
    try:
        return listed_url(value)
    except ValueError as error:
        raise InvalidChannel(f"{path} {error}", path) from None


def _type(said: Said, name: str) -> str:
    """Empty where none is said."""
    value = said.any(name)
    type = value.strip().lower() if isinstance(value, str) else value
    if type in (None, ""):
        return ""
    if not isinstance(type, str) or type not in DIALECTS:
        raise said.wrong(name, f"must be one of {', '.join(DIALECTS)}")
    return type
