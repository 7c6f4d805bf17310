"""A Redis URL is judged before anything is done with it, and each option that passes works."""

from __future__ import annotations

import pytest

from app.storage.connections import open_redis
from app.wire.redis_url import check_redis_url

GOOD = [
    "redis://host",
    "redis://:p%2Fw@host:6380/3",
    "redis://user:p%3Fw@[::1]:6380/?db=4",
    "rediss://host?ssl_cert_reqs=none&ssl_check_hostname=false&ssl_ca_certs=/x.pem",
    "unix:///run/redis.sock?db=2&password=x&username=me",
]
BAD = {
    "http://host": "must start with redis://",
    "redis:host": "must start with redis://",
    "redis://:a/b@host:6379": "port is no number",
    "redis://host/names": "number of a database",
    "redis://host?foo=bar": "option foo",
    "redis://host?decode_responses=True": "option decode_responses",
    "redis://host?socket_timeout=5": "option socket_timeout",
    "redis://host?protocol=3": "option protocol",
    "redis://host?db=x": "db must be",
    "redis://host?ssl_cert_reqs=none": "rediss:// only",
    "rediss://host?ssl_cert_reqs=CERT_NONE": "none, optional, required",
}


@pytest.mark.parametrize("url", GOOD)
def test_what_passes_makes_a_client(url: str) -> None:
    """Nothing that is let through stops a client from being made, down to its connections."""
    client = open_redis(check_redis_url(url))
    client.connection_pool.make_connection()


@pytest.mark.parametrize("url", BAD)
def test_what_cannot_work_is_said_at_the_start(url: str) -> None:
    """The error names what is wrong, and what would do."""
    with pytest.raises(ValueError, match=BAD[url]):
        check_redis_url(url)


@pytest.mark.parametrize("url", ["redis://:top?secret@host:6379", "redis://:x/secret@host", "redis://:x#secret@host:1"])
def test_an_error_never_repeats_a_password(url: str) -> None:
    """A password with a sign that must be escaped is taken apart wrongly, and no part of it is shown."""
    with pytest.raises(ValueError, match="%3F") as caught:
        check_redis_url(url)
    assert "secret" not in str(caught.value)
