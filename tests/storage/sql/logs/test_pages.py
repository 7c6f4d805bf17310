"""Pages of the request log, by every filter and from every place, against what a look at each row would find."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, create_engine

from app.core.request_log.filters import FILTERS, LogFilter, parse_filter
from app.core.request_log.rows import LogRow
from app.core.said.reading import asked_in
from app.core.said.shapes import Shape
from app.storage.request_log.kept_row import KeptRow
from app.storage.sql.logs import pages
from app.storage.sql.logs.inserting import insert_rows
from app.storage.sql.logs.pages import Place, count_rows, read_page, read_request
from app.storage.sql.tables import metadata
from tests.support.database_servers import DATABASE_KINDS, DatabaseServer
from tests.support.log_rows import NOON_MS, fits


@pytest.fixture(scope="module")
def rows() -> list[KeptRow]:
    """Few of each kind, many at one time, and none in the order of their ids."""
    chosen = random.Random(14)
    made = []
    for id in range(1, 1501):
        outcome, status = chosen.choice(
            [("ok", 200)] * 12 + [("rate_limited", 429), ("server_error", 500), ("timeout", 0)]
        )
        row = LogRow(
            at_ms=NOON_MS + id // 3 - chosen.choice((0, 0, 0, 40)),
            request_id=f"{id:032x}",
            attempt=1,
            final=chosen.random() < 0.8,
            token_id=chosen.choice(("", "1", "2", "33")),
            token=chosen.choice(("", "Team Ä")),
            client=chosen.choice(("192.0.2.1", "2001:db8::7")),
            mapping=chosen.choice(("", "", "/up")),
            channel_id=chosen.choice("123"),
            key_id=str(chosen.randrange(40)),
            dialect=chosen.choice(("openai", "anthropic")),
            model=chosen.choice(("m", "M", "模型")),
            status=status,
            outcome=outcome,
            reason="" if outcome == "ok" else f"Slow, {chosen.randrange(99)}%",
            stream=chosen.random() < 0.5,
            usage=None if id % 2 else [1, 2, 0, 0, 3, None, "reported", {"seconds": 1.5}],
            cost_nano=None if id % 3 else id,
            unpriced=id % 7 == 0,
        )
        made.append(KeptRow(id, row if id != 700 else row._replace(channel_id="99")))
    return made


@pytest.fixture(scope="module", params=DATABASE_KINDS)
def log(
    request: pytest.FixtureRequest, rows: list[KeptRow], server_of: Callable[[str], DatabaseServer]
) -> Iterator[Connection]:
    """All of them, in each kind of database."""
    engine = create_engine("sqlite://") if request.param == "sqlite" else server_of(request.param).database().engine
    with engine.connect() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
        for begin in range(0, len(rows), 100):
            insert_rows(connection, rows[begin : begin + 100])
        yield connection
        connection.rollback()
        metadata.drop_all(connection)
        connection.commit()
    engine.dispose()


def asked(**said: str) -> LogFilter:
    return parse_filter(asked_in(said, Shape(FILTERS)))


def fitting(rows: list[KeptRow], wanted: LogFilter) -> list[KeptRow]:
    found = [one for one in rows if fits(wanted, one.row)]
    return sorted(found, key=lambda one: (one.row.at_ms, one.id), reverse=True)


SAID = [
    {},
    {"token_id": "33"},
    {"channel_id": "99"},
    {"channel_id": "99", "model": "nobody's"},
    {"key_id": "7", "model": "m"},
    {"model": "M", "stream": "true", "final": "false"},
    {"model": "模型", "dialect": "anthropic", "status": "4xx,500"},
    {"mapping": "/up", "outcome": "timeout,rate_limited"},
    {"status": "200", "outcome": "timeout"},
    {"from_ms": str(NOON_MS + 100), "to_ms": str(NOON_MS + 130)},
    {"from_ms": str(NOON_MS + 100), "to_ms": str(NOON_MS + 330), "key_id": "3"},
    {"to_ms": str(NOON_MS + 50), "status": "5xx"},
    {"q": "TEAM Ä", "key_id": "1"},
    {"q": "low, 7%"},
    {"q": "2001:DB8", "channel_id": "2", "outcome": "server_error"},
    {"q": f"{77:032x}"},
    {"q": "5dc"},
    {"q": "5d", "status": "429"},
    {"q": "nothing"},
    {"q": "_"},
]


@pytest.mark.parametrize("looked_through", [0, 40, 3_000])
@pytest.mark.parametrize("said", SAID, ids=lambda said: " ".join(f"{name}={value}" for name, value in said.items()))
def test_pages_hold_what_fits_each_row_once(
    log: Connection, rows: list[KeptRow], said: dict[str, str], looked_through: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The latest first, from each page to the next, whichever way leads there; and the count counts them."""
    monkeypatch.setattr(pages, "LOOKED_THROUGH", looked_through)
    monkeypatch.setattr(pages, "LOOKED_THROUGH_A_ROW", 0)
    monkeypatch.setattr(pages, "LOOKED_THROUGH_FOR_SHORT", looked_through)
    monkeypatch.setattr(pages, "ARMS", 3)
    wanted = asked(**said)
    expected = fitting(rows, wanted)
    assert count_rows(log, wanted) == (len(expected), False)
    for limit in (7, 500):
        found: list[KeptRow] = []
        before = None
        while page := read_page(log, wanted, before, limit):
            found += page
            before = Place(page[-1].row.at_ms, page[-1].id)
            assert len(found) <= len(expected)
        assert found == expected


def test_a_call_is_found_with_its_attempts_in_order(log: Connection, rows: list[KeptRow]) -> None:
    """And by its id alone."""
    assert read_request(log, rows[3].row.request_id) == [rows[3]]
    assert read_request(log, "nobody's") == []
