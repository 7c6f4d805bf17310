"""Everything one web process needs, and the one place where the parts meet."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from socket import gethostname

from app.config import Config, ConfigError
from app.core.callers.tickets import Tickets
from app.core.model import Channel, Snapshot
from app.core.network.egress import EgressPolicy
from app.core.snapshot import ACCESS_TOKENS
from app.proxy.admission import Admission
from app.proxy.api.affinity import Affinity
from app.proxy.api.choices import Choosing
from app.proxy.engine import Engine
from app.proxy.running import RunningCalls
from app.proxy.tokens.admission import TokenAdmission
from app.proxy.tokens.budget_admission import BudgetAdmission
from app.proxy.upstream.certificates import verifying_context
from app.proxy.upstream.dialing import Dialer, OwnAddress
from app.proxy.upstream.pool import PoolLimits
from app.proxy.upstream.transport import Transport
from app.storage.active.asking import ActiveCalls
from app.storage.active.keeper import ActiveKeeper
from app.storage.affinity.conversations import Conversations
from app.storage.affinity.given_ids import GivenIds
from app.storage.affinity.keeper import AffinityKeeper
from app.storage.audit.trail import AuditTrail
from app.storage.budgets.budgets import Budgets
from app.storage.catalog.catalog import Catalog
from app.storage.connections import Redis, RedisError, open_redis
from app.storage.costs.costs import Costs
from app.storage.costs.keeper import CostsKeeper
from app.storage.health.keeper import HealthKeeper
from app.storage.health.observed import Health
from app.storage.health.stored import StoredHealth
from app.storage.journal_files import folder_of
from app.storage.keys.edits import KeyEdits
from app.storage.keys.encryption import check
from app.storage.keys.pools import KeyPools
from app.storage.keys_file.channel import KeysFileChannel
from app.storage.keys_file.keeper import KeysFileKeeper
from app.storage.keys_file.record import KeysFileRecord
from app.storage.keys_file.taking import Taking
from app.storage.limits.channels import ChannelLimits
from app.storage.limits.minutes import Minutes
from app.storage.limits.rates import Rates
from app.storage.limits.slots import Slots
from app.storage.limits.tokens import TokenLimits
from app.storage.request_log.bodies import StoredBodies
from app.storage.secrets import Secrets
from app.storage.sql.database import Database
from app.storage.statistics.stats import Stats
from app.storage.tasks.tasks import Tasks
from app.telemetry.bodies.keeper import BodiesKeeper
from app.telemetry.log_sink import LogSink, sink_of
from app.telemetry.recorder import Recorder
from app.telemetry.standard_error import STDERR
from app.waiting import give_way

log = logging.getLogger(__name__)

READER_TIMEOUT_S = 1.0
"""How long a page, or a call that needs a slot or a token, may wait for Redis."""
FLUSH_S = 5.0
"""How long the last events may take at the end of the process."""


@dataclass(frozen=True, slots=True)
class Gateway:
    config: Config
    redis: Redis
    secrets: Secrets
    catalog: Catalog
    stats: Stats
    recorder: Recorder | None
    """None when statistics are switched off."""
    log_sink: LogSink
    tickets: Tickets | None
    """To the web proxy; None without an admin token."""
    dialer: Dialer
    engine: Engine
    choosing: Choosing
    health_keeper: HealthKeeper
    stored_health: StoredHealth
    """For what the admin is told of channels beyond what calls ask."""
    key_edits: KeyEdits
    database: Database
    bodies: BodiesKeeper
    budgets: Budgets
    tasks: Tasks
    active: ActiveCalls
    active_keeper: ActiveKeeper
    audit_trail: AuditTrail
    keys_file: KeysFileKeeper | None
    """None where KEYS_FILE is off."""

    def start(self) -> None:
        """Loads the mappings and begins to watch and to record. Raises KeysUnreadable."""
        try:
            check(self.redis, self.secrets)
        except RedisError:
            pass  # the watch of the catalogue says so, and that of the keys what it cannot read
        if not self.secrets.encrypts:
            log.info("keys of channels are stored plain: ENCRYPTION_KEY encrypts them")
        if self.config.web_proxy == "open" and self.config.exposure:
            log.warning("WEB_PROXY=open, and %s: anybody may see web pages through this gateway", self.config.exposure)
        if self.config.web_proxy == "open" and self.config.egress_allow:
            log.warning("WEB_PROXY=open: any web page in a browser that reaches us can read what EGRESS_ALLOW opens")
        if way_out := str(self.config.forward_proxies):
            log.info("the way out to upstreams: %s", way_out)
        self.catalog.start()
        self.engine.admission.start()
        self.engine.tokens.start()
        if self.recorder is not None:
            self.recorder.start()
        self.active_keeper.start()
        if self.keys_file is not None:
            self.keys_file.start()

    def stop(self) -> None:
        """Sends the last events. Called when the process ends, after its last request."""
        if self.keys_file is not None:
            self.keys_file.stop()
        self.catalog.stop()
        self.choosing.stop()
        self.engine.tokens.stop()
        self.budgets.stop()
        self.engine.admission.stop()
        self.active_keeper.stop()
        if self.recorder is not None:
            self.recorder.stop(FLUSH_S)
        self.engine.transport.close()
        self.log_sink.flush()


def build_gateway(config: Config) -> Gateway:
    """Wires the parts; connects to nothing. Raises ConfigError."""
    if config.redis_url is None:
        raise ConfigError("REDIS_URL is not set: say where Redis is, or use `python -m app`, which brings its own")
    connect = _connector(config, config.redis_url)
    dialer = _build_dialer(config)
    quick = partial(connect, socket_timeout_s=READER_TIMEOUT_S)
    catalog = Catalog(connect(), config.limits, config.settings)
    budgets = _build_budgets(quick(), catalog)
    slots, minutes = Slots(quick()), Minutes(quick())
    tokens = TokenAdmission(TokenLimits(slots, minutes, config.web_concurrency), BudgetAdmission(budgets))
    engine = _build_engine(config, dialer, Admission(Rates(quick()), slots), tokens)
    recorder, log_sink = _build_observers(config, connect(), engine)
    redis, secrets = connect(), Secrets(config.encryption_keys, pause=give_way)
    pools = KeyPools(quick(), secrets, config.start_index)
    choosing, health_keeper = _build_choosing(quick, pools, catalog, ChannelLimits(slots, minutes))
    catalog.on_change = partial(_notice, log_sink, choosing)
    stored_health = StoredHealth(redis, "")
    key_edits = KeyEdits(pools, choosing.health, stored_health)
    return Gateway(
        config=config,
        redis=redis,
        secrets=secrets,
        catalog=catalog,
        stats=Stats(quick(), enabled=config.enable_stats),
        recorder=recorder,
        log_sink=log_sink,
        tickets=Tickets(config.admin_token) if config.admin_token else None,
        dialer=dialer,
        engine=engine,
        choosing=choosing,
        health_keeper=health_keeper,
        stored_health=stored_health,
        key_edits=key_edits,
        database=Database(config.database, config.certificate_files, redis),
        bodies=_build_bodies(quick(), secrets, catalog),
        budgets=budgets,
        tasks=Tasks(redis, secrets),
        active=ActiveCalls(redis),
        active_keeper=_build_active_keeper(connect(), engine, recorder),
        audit_trail=AuditTrail(quick()),
        keys_file=_build_keys_file(config, connect(), catalog, pools, key_edits, dialer),
    )


def _connector(config: Config, redis_url: str) -> Callable[..., Redis]:
    return partial(open_redis, redis_url, tls_verify=config.redis_tls_verify, tcp_keepalive=config.tcp_keepalive)


def _build_dialer(config: Config) -> Dialer:
    egress = EgressPolicy(config.egress_allow, config.egress_deny, config.egress_ports)
    own, tls = OwnAddress(config.host, config.port), verifying_context(config.certificate_files)
    return Dialer(egress, own, config.tcp_keepalive, config.forward_proxies, tls)


def _build_engine(config: Config, dialer: Dialer, admission: Admission, tokens: TokenAdmission) -> Engine:
    limits = PoolLimits(
        config.pool_max_idle, config.pool_max_idle_total, config.pool_idle_timeout_s, config.pool_max_age_s
    )
    return Engine(Transport(dialer, limits), admission, tokens, config.held_body_max_bytes, config.forwarded_fields)


def _notice(log_sink: LogSink, choosing: Choosing, snapshot: Snapshot) -> None:
    """The operator has said something."""
    log_sink.takes_requests = snapshot.settings.log_requests
    choosing.notice(snapshot)


def _build_budgets(redis: Redis, catalog: Catalog) -> Budgets:
    def is_known(token_id: str) -> bool:
        return not catalog.loaded or token_id in ACCESS_TOKENS.of(catalog.snapshot).by_id

    return Budgets(redis, is_known=is_known)


def _build_choosing(
    connect: Callable[[], Redis], pools: KeyPools, catalog: Catalog, limits: ChannelLimits
) -> tuple[Choosing, HealthKeeper]:
    def channels() -> dict[str, Channel] | None:
        return {channel.id: channel for channel in catalog.snapshot.channels} if catalog.loaded else None

    costs = Costs()
    health = Health(pools, limits, costs)
    affinity = Affinity(Conversations(), GivenIds(connect()))
    health_keeper = HealthKeeper(connect(), health, pools, channels)
    keepers = (
        pools,
        health_keeper,
        AffinityKeeper(connect(), affinity.conversations, affinity.ids),
        CostsKeeper(connect(), costs, lambda: catalog.snapshot.channels),
    )
    return Choosing(health, pools, limits, affinity, costs, keepers), health_keeper


def _build_active_keeper(redis: Redis, engine: Engine, recorder: Recorder | None) -> ActiveKeeper:
    process_id = recorder.process_id if recorder is not None else None
    return ActiveKeeper(redis, RunningCalls(engine.calls), process_id, give_way)


def _build_keys_file(
    config: Config, redis: Redis, catalog: Catalog, pools: KeyPools, edits: KeyEdits, dialer: Dialer
) -> KeysFileKeeper | None:
    def check(channel: Channel) -> None:
        for url in channel.urls:
            dialer.check(url.upstream)

    file = config.keys_file
    if file is None:
        return None
    record = KeysFileRecord(redis, f"{gethostname()} {file.path}")
    channel = KeysFileChannel(catalog, config.openai_base_urls, check)
    return KeysFileKeeper(file.path, Taking(record, channel, pools, edits), must_be_there=file.is_named)


def _build_bodies(redis: Redis, secrets: Secrets, catalog: Catalog) -> BodiesKeeper:
    return BodiesKeeper(StoredBodies(redis, secrets), lambda: catalog.snapshot.settings.log_bodies_minutes)


def _build_observers(config: Config, redis: Redis, engine: Engine) -> tuple[Recorder | None, LogSink]:
    recorder, log_sink = _build_recorder(config, redis, engine) if config.enable_stats else None, sink_of(STDERR)
    engine.calls.observers = [observer.record for observer in (recorder, log_sink) if observer is not None]
    return recorder, log_sink


def _build_recorder(config: Config, redis: Redis, engine: Engine) -> Recorder:
    def task_count() -> int:
        return threading.active_count() + engine.calls.active

    def in_flight() -> int:
        return engine.calls.active

    return Recorder(
        redis,
        queue_size=config.stats_queue_size,
        task_count=task_count,
        in_flight=in_flight,
        journal_folder=folder_of(config.journal_dir, config.data_dir, config.redis_url or ""),
    )
