"""Asks an upstream which models it has, as each dialect's own API lists them.

The one user of `requests` here, which costs a process some megabytes: imported when an operator first asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from app.core.channels.edits import edit_fields
from app.core.channels.keys import Key
from app.core.model import Channel, ChannelUrl
from app.proxy.upstream.transport import Transport
from app.wire.dialects.credentials import credential_fields
from app.wire.dialects.dialect import dicts, parsed
from app.wire.dialects.samples import VERSION
from app.wire.dialects.upstream_path import upstream_path
from app.wire.error_bodies import read_error
from app.wire.http.headers import Headers

if TYPE_CHECKING:
    import requests

WAIT_S: Final = 30.0
"""For each page of a list."""
MOST_PAGES: Final = 20
MOST_BYTES: Final = 8 * 1024 * 1024


class NoModelList(Exception):
    """The upstream did not tell; the text says what it said instead."""


def fetch_models(transport: Transport, channel: Channel, dialects: list[str], key: Key) -> list[str]:
    """The names that the upstream lists, each once, in its order. Raises NoModelList when no dialect's list is told."""
    names: dict[str, None] = {}
    refused: NoModelList | None = None
    asked: set[tuple[str, str]] = set()
    for dialect in dialects:
        family = "openai" if dialect == "responses" else dialect
        url = next(url for url in channel.urls if dialect in url.dialects)
        if (family, url.url) in asked:
            continue
        asked.add((family, url.url))
        try:
            names.update(dict.fromkeys(_all_pages(transport, channel, url, family, key)))
        except NoModelList as error:
            refused = refused or error
    if not names and refused is not None:
        raise refused
    return list(names)


def _all_pages(transport: Transport, channel: Channel, url: ChannelUrl, family: str, key: Key) -> list[str]:
    names: list[str] = []
    after: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        value = _page(transport, channel, url, family, key, after)
        more, after = _read(family, value)
        names += more
        if not after:
            break
    return names


def _page(
    transport: Transport, channel: Channel, url: ChannelUrl, family: str, key: Key, after: dict[str, str]
) -> dict[str, Any]:
    import requests

    from app.proxy.upstream.adapter import UpstreamAdapter

    path = upstream_path(url.upstream.base_path, "/v1beta/models" if family == "gemini" else "/v1/models", url.exact)
    query = {"anthropic": {"limit": "1000"}, "gemini": {"pageSize": "1000"}}.get(family, {}) | after
    address = f"{url.upstream.scheme}://{url.upstream.authority}{path}" + (f"?{urlencode(query)}" if query else "")
    with requests.Session() as session:
        session.trust_env = False  # its proxies and passwords are not meant for this
        session.mount(f"{url.upstream.scheme}://", UpstreamAdapter(transport, channel.limits, url.upstream.proxy))
        try:
            with session.get(
                address,
                headers=dict(_fields(channel, family, key)),
                timeout=WAIT_S,
                allow_redirects=False,  # a key is for the server that it was given for
                stream=True,
            ) as response:
                return _value(response, _body(response), key)
        except (requests.RequestException, OSError) as error:
            raise NoModelList(key.masked(f"{url.upstream.authority}: {error}")) from None


def _fields(channel: Channel, family: str, key: Key) -> Headers:
    fields = [("User-Agent", "ai-api-gateway"), ("Accept", "application/json"), ("Accept-Encoding", "gzip, deflate")]
    if family == "anthropic":
        fields.append(VERSION)
    fields = edit_fields(fields, channel.header_rules, {"channel": channel.id})
    return fields + credential_fields(channel.auth, family, key.secret)


def _body(response: requests.Response) -> bytes:
    body = b""
    for piece in response.iter_content(64 * 1024):
        body += piece
        if len(body) > MOST_BYTES:
            raise NoModelList(f"the list is longer than {MOST_BYTES:,} bytes")
    return body


def _value(response: requests.Response, body: bytes, key: Key) -> dict[str, Any]:
    kind = response.headers.get("content-type", "")
    value = parsed(body)
    if response.status_code == 200 and isinstance(value, dict) and ("data" in value or "models" in value):
        return value
    said = read_error(body, kind).shown or ("a redirect" if 300 <= response.status_code < 400 else "no list of models")
    raise NoModelList(key.masked(f"the upstream answered {response.status_code}: {said}"))


def _read(family: str, value: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """The names on a page, and what asks for the next; nothing for the last."""
    if family == "gemini":
        names = [str(model.get("name", "")).removeprefix("models/") for model in dicts(value.get("models"))]
        token = value.get("nextPageToken")
        after = {"pageToken": token} if isinstance(token, str) and token else {}
    else:
        names = [str(model.get("id", "")) for model in dicts(value.get("data"))]
        last = value.get("last_id") if family == "anthropic" and value.get("has_more") is True else None
        after = {"after_id": last} if isinstance(last, str) and last else {}
    return [name for name in names if name], after
