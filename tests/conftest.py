"""The real things that tests stand on: a Redis, a gateway process and a scripted upstream."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

from app.config import load_config
from app.core.network.forward_proxies import VARIABLES
from app.storage.connections import open_redis
from app.storage.made_ready import make_ready
from tests.support.environ import NO_ENV_FILE, NO_KEYS_FILE, clean_environ
from tests.support.gateway import GatewayProcess, made_ready
from tests.support.leftovers import nothing_is_left_running
from tests.support.own_redis import running_redis
from tests.support.upstream import Upstream

__all__ = ["nothing_is_left_running"]

HERE = Path(__file__).parent

# How long an example takes is the machine's business: what judges time says so by its mark.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

os.environ |= NO_ENV_FILE | NO_KEYS_FILE
for name in VARIABLES:  # a tester's own proxy leads to nothing that these tests ask
    os.environ.pop(name, None)


LONG = (
    *(
        "test_many_keys.py",
        "test_million_rows.py",
        "test_first_hour.py",
        "test_imports_under_kills.py",
        "test_ten_days.py",
    ),
    *("launcher", "browser", "worker", "servers", "end_to_end", "storage", "routes", "proxy"),
)
"""Modules that take long, and folders of such, the longest first."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where tests of one mark are asked for (`-m "timing and ..."`), modules without it are not even imported.

    A fixture of the conftest beside them, or above, may bring it. Nor are modules that are long as a whole imported,
    where long ones are not wanted.
    """
    mark = str(config.option.markexpr).partition(" ")[0]
    if str(config.option.markexpr).startswith("not soak"):
        return _is_long(collection_path) or None
    if mark not in ("timing", "soak") or not collection_path.match("test_*.py"):
        return None
    above = [folder / "conftest.py" for folder in collection_path.parents if HERE in folder.parents]
    texts = [path.read_text() for path in (collection_path, *above) if path.exists()]
    return not any(f"mark.{mark}" in text for text in texts) or None


def _is_long(path: Path) -> bool:
    if path.is_dir():
        return path == HERE / "browser"  # its conftest marks all
    return path.match("test_*.py") and re.search(r"^pytestmark = .*mark\.soak", path.read_text(), re.M) is not None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end: it is never looked through for garbage, which would be again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


TOGETHER = (("sdks.py", "test_clients_of_channels.py"), ("test_web_proxy",))
"""Files of which one process takes all: they import what takes seconds, or share gateways."""


class ByFile(LoadFileScheduling):
    """A file's tests go to one process."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((parts[0] for parts in TOGETHER if any(part in file for part in parts)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    """For `--dist loadfile`, as `make test` asks."""
    return ByFile(config, log) if config.option.dist == "loadfile" else None


@pytest.hookimpl(trylast=True)  # what shuffles comes before
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long modules begin first, so that none is left over for one process alone when all others have ended.

    Under another WSGI server (TEST_SERVER) skips what cannot hold there; the mark may name such servers.
    """
    items.sort(key=_how_short)
    server = os.environ.get("TEST_SERVER")
    if not server:
        return
    for item in items:
        mark = item.get_closest_marker("own_server")
        if mark is not None and server in (mark.args or (server,)):
            item.add_marker(pytest.mark.skip(reason=f"cannot hold under {server}"))


def _how_short(item: pytest.Item) -> int:
    parts = item.path.relative_to(HERE).parts
    return next((place for place, name in enumerate(LONG) if name in parts), len(LONG))


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        assert make_ready(load_config(clean_environ(REDIS_URL=server.url)), server.url, print) == 0
        made_ready.add(server.url)
        yield server.url


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    with open_redis(redis_url) as client:
        yield client


@pytest.fixture(scope="session")
def gateway_session(redis_url: str) -> Iterator[GatewayProcess]:
    process = GatewayProcess(redis_url).start()
    yield process
    process.stop()


@pytest.fixture
def gateway(gateway_session: GatewayProcess) -> GatewayProcess:
    """A gateway with one web process that the whole session shares."""
    return gateway_session


@pytest.fixture
def start_gateway(redis_url: str) -> Iterator[Callable[..., GatewayProcess]]:
    """Starts a gateway of the test's own, with environment variables of its own, and stops it in the end."""
    started: list[GatewayProcess] = []

    def start(server: str | None = None, **environ: str) -> GatewayProcess:
        process = GatewayProcess(redis_url, environ)
        process.server = process.server if server is None else server
        started.append(process)
        return process.start()

    yield start
    for process in started:
        process.stop()


@pytest.fixture
def upstream(gateway: GatewayProcess) -> Iterator[Upstream]:
    """An upstream that the shared gateway reaches under `/up`."""
    server = Upstream()
    gateway.map("/up", server.url)
    yield server
    server.close()
