"""The channel whose keys are those of a file: made where there is none, told apart from others of its name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from app.core.channels.definition import comparable
from app.core.errors import GatewayError, Invalid
from app.core.model import Channel
from app.core.snapshot import CHANNELS
from app.storage.catalog import channels
from app.storage.catalog.catalog import Catalog
from app.storage.connections import RedisError
from app.storage.keys_file.record import Known

NAME: Final = "keys-file"
DEFAULT_URLS: Final = ("https://api.openai.com",)
TRIES: Final = 3
_COMES_BACK: Final = (
    "the channel of KEYS_FILE is gone and made again, with the keys of the file: "
    "to be without it disable it, or take the file away before it is deleted"
)

log = logging.getLogger(__name__)


class CannotTake(Exception):
    """Its text says why, as a sentence."""


class KeysFileChannel:
    """The file says where its keys lead; all else of the channel is the operator's, its name, too."""

    def __init__(self, catalog: Catalog, urls: Sequence[str], check: Callable[[Channel], object]) -> None:
        """`check` raises what speaks against a channel that could be."""
        self._catalog = catalog
        self._urls = tuple(urls) or DEFAULT_URLS
        self._check = check

    @property
    def said_urls(self) -> str:
        """One a line."""
        return "\n".join(self._urls)

    def is_there(self, known: Known) -> bool:
        """Asks Redis only where this process knows of no such channel: another may just have made it."""
        if not known.channel_id:
            return False
        if known.channel_id in CHANNELS.of(self._catalog.snapshot).by_id:
            return True
        return known.channel_id in CHANNELS.of(self._catalog.look()).by_id

    def get(self, known: Known) -> Channel:
        """Its urls follow where others are said than before. Raises CannotTake, RedisError."""
        try:
            for _ in range(TRIES):
                with suppress(channels.ChannelNotFound, channels.ChannelNameTaken):  # others were first
                    return self._get(known)
        except (GatewayError, Invalid) as error:
            raise CannotTake(f"the keys of KEYS_FILE serve nothing: OPENAI_BASE_URL: {error}") from None
        raise RedisError("the channels were changed by others all the while")

    def _get(self, known: Known) -> Channel:
        there = CHANNELS.of(self._catalog.look())
        urls = [{"url": url} for url in self._urls]
        channel = there.by_id.get(known.channel_id)
        if channel is None:
            namesake = there.by_name.get(comparable(NAME))
            if namesake is None:
                if known.channel_id:
                    log.warning("%s", _COMES_BACK)
                return channels.add(self._catalog, _said(urls), self._check)
            self._refuse_strange(namesake)
            return namesake
        if known.urls and known.urls != self.said_urls:
            [channel] = channels.update(self._catalog, {channel.id: {"urls": urls}}, self._check)
        return channel

    def _refuse_strange(self, channel: Channel) -> None:
        """Keys go nowhere but where the deployment said."""
        strange = {url.url.rstrip("/") for url in channel.urls} - {url.rstrip("/") for url in self._urls}
        if strange:
            text = f"there is a channel {channel.name!r} already, which leads to {', '.join(sorted(strange))}"
            raise CannotTake(f"the keys of KEYS_FILE serve nothing: {text}. Give that channel another name")


def _said(urls: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "name": NAME,
        "dialects": ["openai", "responses"],
        "urls": urls,
        "models": [{"name": "*"}],
        "note": "Its keys are those of the file that KEYS_FILE names.",
    }
