"""From the parts of a gateway to what `core.warnings` looks at. What is long is done in steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.compiled import is_in_use
from app.core.model import AccessToken, Snapshot
from app.core.money.budget import Spent
from app.core.snapshot import ACCESS_TOKENS
from app.core.warnings.channels import Pool, of_keys, of_models
from app.core.warnings.deployment import Deployment, of_deployment
from app.core.warnings.service import EndedTask, Service, of_rejected, of_service
from app.core.warnings.tokens import is_in_force, of_budgets, of_prices, of_tokens
from app.core.warnings.warning import GatewayWarning
from app.gateway import Gateway
from app.proxy.tokens.budget_admission import budget_of
from app.routes.admin.prices import unpriced_models
from app.storage.copy.trouble import copy_trouble
from app.storage.costs.stored import StoredCosts
from app.storage.request_log.waiting import trouble_of_log
from app.storage.statistics.stats import STALE_AFTER_S
from app.storage.tasks.task import TaskState
from app.waiting import Turns

AT_ONCE = 50
"""Tokens of which is asked what they have spent, by one command."""


class Facts:
    """As this process knows them at the time of asking."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._costs = StoredCosts(gateway.redis, "")
        config = gateway.config
        secrets = [(config.admin_token_name, len(config.admin_token or ""))]
        secrets += [("AUTH_KEY", len(key)) for key in config.auth_keys]
        said = Deployment(
            config.doubts, config.web_proxy, not config.exposure, config.egress_allow, secrets, is_in_use()
        )
        self._of_deployment = list(of_deployment(said))

    def warnings(self, now_ms: int) -> Iterator[GatewayWarning]:
        """Raises RedisError."""
        snapshot = self._gateway.catalog.in_hand()
        yield from self._of_deployment
        yield from of_service(self._service(snapshot), now_ms)
        yield from of_rejected(snapshot.parts)
        yield from self._of_channels(snapshot, now_ms)
        yield from self._of_tokens(snapshot, now_ms)

    def _service(self, snapshot: Snapshot) -> Service:
        gateway = self._gateway
        age_s = gateway.stats.worker_age_s()
        recorder = gateway.recorder
        ended = [
            EndedTask(task.id, task.kind, task.channel_id, task.state is TaskState.FAILED, task.ended_at_ms)
            for task in gateway.tasks.list()
            if task.ended_at_ms is not None and task.state is not TaskState.CANCELLED
        ]
        of_log = trouble_of_log(gateway.redis)
        return Service(
            refusals=(gateway.catalog.refused, recorder.refused if recorder is not None else ""),
            doubt=gateway.catalog.doubt,
            copy_trouble=copy_trouble(gateway.redis),
            worker_is_alive=recorder is None or (age_s is not None and age_s <= STALE_AFTER_S),
            has_prices=bool(snapshot.prices.table.version),
            keys_file_trouble=gateway.keys_file.trouble if gateway.keys_file is not None else "",
            ended_tasks=ended,
            log_trouble=of_log.text,
            log_waiting=of_log.waiting,
            log_dropped=of_log.dropped,
        )

    def _of_channels(self, snapshot: Snapshot, now_ms: int) -> Iterator[GatewayWarning]:
        choosing, turns = self._gateway.choosing, Turns()
        if not choosing.pools.loaded:
            return
        choosing.health.settle(now_ms)  # who has rested long enough is back, also where nobody calls

        def pool_of(channel_id: str) -> Pool:
            pool = choosing.pools.of(channel_id)
            return Pool(pool.counts, pool.foreign, pool.out_of_line)

        yield from of_keys(snapshot.channels, pool_of, turns.passed, encrypts=self._gateway.secrets.encrypts)
        yield from of_models(snapshot.channels, pool_of, choosing.health, now_ms, turns.passed)

    def _of_tokens(self, snapshot: Snapshot, now_ms: int) -> Iterator[GatewayWarning]:
        tokens = list(ACCESS_TOKENS.of(snapshot).by_id.values())
        is_open = snapshot.settings.anonymous_channels or self._gateway.config.auth_keys
        has_channels = any(channel.enabled for channel in snapshot.channels)
        yield from of_tokens(tokens, now_ms, is_needed=has_channels and not is_open)
        limited = [token for token in tokens if is_in_force(token, now_ms) and budget_of(token).is_limited]
        yield from of_budgets(self._spent(limited))
        if limited or any(channel.cost_per_day_nano for channel in snapshot.channels):
            unpriced = unpriced_models(snapshot.prices, self._costs, now_ms)
            yield from of_prices(one.model for one in unpriced)

    def _spent(self, tokens: Sequence[AccessToken]) -> Iterator[tuple[AccessToken, Spent]]:
        turns = Turns()
        for begin in range(0, len(tokens), AT_ONCE):
            some = tokens[begin : begin + AT_ONCE]
            known = self._gateway.budgets.spent({token.id: budget_of(token) for token in some})
            for token in some:
                yield token, known[token.id].spent
            turns.passed()
