"""Images in a body are found whatever the dialect, cut anywhere, and weigh by their pixels; all else by its bytes."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.wire.bodies.images import Images
from app.wire.bodies.reading import images_of, reading_of

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (1500).to_bytes(4, "big") + (750).to_bytes(4, "big") + b"x" * 9000
JPEG = (
    b"\xff\xd8\xff\xe1\xff\xf0"
    + b"e" * 0xFFEE
    + b"\xff\xc0\x00\x11\x08"
    + (300).to_bytes(2, "big")
    + (400).to_bytes(2, "big")
    + b"j" * 5000
)
GIF = b"GIF89a" + (1).to_bytes(2, "little") + (1).to_bytes(2, "little") + b"\x80\0\0" + b"g" * 29
WEBP = b"RIFF\x30\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (749).to_bytes(3, "little") + (1).to_bytes(3, "little") + b"w" * 60
SIZES = {PNG: 1500, JPEG: 160, GIF: 1, WEBP: 2}
"""In tokens: width × height / 750, rounded up."""


def text(image: bytes) -> str:
    return base64.b64encode(image).decode()


def bodies(image: bytes) -> Iterator[Any]:
    """As the dialects write one."""
    yield {"content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": text(image)}}]}
    yield {"content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{text(image)}"}}]}
    yield {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": text(image)}}, {"text": "what"}]}]}


def fed(body: bytes, step: int, **options: Any) -> Images:
    images = Images(**options)
    for at in range(0, len(body), step):
        images.feed(body[at : at + step])
    return images


@pytest.mark.parametrize("image", SIZES, ids=["png", "jpeg", "gif", "webp"])
@pytest.mark.parametrize("step", [1, 7, 64, 4096, 10**6])
def test_an_image_weighs_by_its_pixels(image: bytes, step: int) -> None:
    """In each dialect, also where clients escape slashes, and however the body is cut."""
    if step == 1 and len(image) > 10_000:
        step = 3
    for body in bodies(image):
        for written in (json.dumps(body), json.dumps(body).replace("/", "\\/")):
            images = fed(written.encode(), step)
            data = text(image)
            there = data if data in written else data.replace("/", "\\/")
            assert (images.tokens, images.image_bytes) == (SIZES[image], len(there))
            assert images.length == len(written)


def test_several_images_add_up() -> None:
    """Small ones that follow each other closely, too."""
    body = json.dumps([text(GIF), text(GIF), text(PNG), "between", text(GIF), text(WEBP)]).encode()
    for step in (5, 50, 10**6):
        assert fed(body, step).tokens == 1 + 1 + 1500 + 1 + 2


def test_what_only_looks_like_an_image_counts_by_its_bytes() -> None:
    """Words in a text, a cut head, another kind of file."""
    pdf = base64.b64encode(b"%PDF-1.7" + b"p" * 4000).decode()
    body = json.dumps({"a": "it begins with iVBORw0KGgo and /9j/ here", "b": text(PNG[:20]), "c": pdf, "d": "/9j/!"})
    images = fed(body.encode(), 100)
    assert (images.tokens, images.image_bytes) == (0, 0)


def test_images_of_a_form_weigh_by_their_pixels() -> None:
    """They stand there as they are."""
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\nContent-Type: image/png\r\n\r\n'
    between = b'\r\n--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
    body = head + PNG + between + head + JPEG + b"\r\n--b--\r\n"
    for step in (3, 17, 64, 4096, 10**6):
        images = fed(body, step, delimiter=b"\r\n--b")
        assert (images.tokens, images.image_bytes) == (1660, len(PNG) + len(JPEG))


def test_a_prompt_to_be_kept_for_an_hour_is_seen() -> None:
    """As Anthropic's `cache_control` says it; the same word in a text is quoted there."""
    asking = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    telling = {"text": 'he wrote "1h" to me'}
    for step in (1, 3, 1000):
        assert fed(json.dumps(asking).encode(), step).asks_hour_cache
        assert not fed(json.dumps(telling).encode(), step).asks_hour_cache


@pytest.mark.parametrize(
    ("body", "least"),
    [
        ({"prompt": "one, two"}, 1),
        ({"prompt": ["a"] * 40}, 40),
        ({"prompt": [[1, 2], [3, 4], [5]]}, 3),
        ({"prompt": 'x = [1], [2]; y = "a", "b"'}, 1),
    ],
)
def test_prompts_are_never_counted_too_low(body: dict[str, Any], least: int) -> None:
    """A text is one, whatever stands in it."""
    for step in (1, 9, 10**6):
        prompts = fed(json.dumps(body).encode(), step, counts_prompts=True).prompts
        assert prompts >= least
        assert isinstance(body["prompt"], list) or prompts == 1


def test_a_reading_looks_for_images_in_the_plain_body() -> None:
    """Also where it comes compressed."""
    import gzip

    body = gzip.compress(json.dumps({"model": "m", "x": text(PNG)}).encode())
    reading = reading_of("application/json", "gzip", frozenset(), 10**6)
    assert reading is not None
    reading.images = images_of("application/json", counts_prompts=False)
    for _ in reading.feed(body):
        pass
    reading.finish()
    assert reading.images.tokens == 1500
    assert reading.members.model == "m"
