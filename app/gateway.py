"""Everything one web process needs, and the one place where the parts meet."""

from __future__ import annotations

from dataclasses import dataclass

from app.config import Config, ConfigError
from app.core.egress import EgressPolicy
from app.core.events import RequestEvent
from app.proxy.dialing import Dialer
from app.proxy.engine import Engine
from app.proxy.exchange import Timeouts
from app.proxy.transport import Transport
from app.storage.catalog import Catalog
from app.storage.connections import Redis, open_redis


@dataclass(frozen=True, slots=True)
class Gateway:
    config: Config
    redis: Redis
    catalog: Catalog
    dialer: Dialer
    engine: Engine

    def start(self) -> None:
        self.catalog.start()

    def stop(self) -> None:
        self.catalog.stop()
        self.engine.transport.close()


def build_gateway(config: Config) -> Gateway:
    """Wires the parts; connects to nothing. Raises ConfigError."""
    if config.redis_url is None:
        raise ConfigError("API_PROXY_REDIS_URL: say where Redis is, or start with `python -m app`, which brings its own")
    redis = open_redis(config.redis_url, tls_verify=config.redis_tls_verify)
    timeouts = Timeouts(config.connect_timeout_s, config.first_byte_timeout_s, config.idle_timeout_s)
    dialer = Dialer(EgressPolicy(config.egress_allow))
    transport = Transport(dialer)

    def record(event: RequestEvent) -> None:
        pass

    engine = Engine(transport, timeouts, config.held_body_max_bytes, record)
    return Gateway(config, redis, Catalog(redis), dialer, engine)
