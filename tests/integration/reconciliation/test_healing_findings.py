"""A repair asks the PSP about whatever the finding is held against, and says what came of it."""

from datetime import datetime, timedelta

import pytest

from tests.integration.recovery.conftest import (  # noqa: F401 (fixtures)
    START,
    receiver,
    sandbox,
    settings,
)
from tests.integration.recovery.money_stage import Shop
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.ingestion.records import ingest_records
from tinko_pipelines.core.ingestion.settlement import ingest_settlement
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.reconciliation import review
from tinko_pipelines.core.reconciliation.repairs import apply_wanted
from tinko_pipelines.core.reconciliation.run import connections_of, reconcile_day

# with so many disputes the balance falls below zero, and what was captured last is not paid out: of
# `unsettled` there is nothing to heal
FOUND = "from findings where leg is not null and kind <> 'unsettled'"
FIRST = datetime.fromisoformat(START).date()


@pytest.fixture
def books(sandbox, receiver, database, settings):  # noqa: F811
    """Every capture of the shop was disputed, and the books of all its days agree."""
    sandbox.ask("POST", "reset")
    receiver.got.clear()
    shop = Shop(sandbox, receiver, database, "stripe", "healed")
    sandbox.ask("PUT", "world", seed=3, start=START, obligations=30, days=2, never=0.0, late=0.0,
                twice=0.0, disputes=1.0, shares={"stripe": 1.0})  # fmt: skip
    for _ in range(4):
        shop.hear(days=6)
        shop.think()
    last = shop.clock.now().date() - timedelta(days=1)
    ingest_records(shop.engine, shop.seat, shop.clock, last, (last - FIRST).days)
    ingest_settlement(shop.engine, shop.seat, shop.clock, last, (last - FIRST).days)
    while shop.work().done:
        pass
    # as if each had been listed on the day it was made: by now its line is late
    shop.write("update psp_records set listed_at = created_at")
    assert look(shop) == []
    yield shop
    account = shop.stage.account["account_id"]
    sandbox.ask("PUT", "endpoints", psp="stripe", account_id=account, url=None)


def look(shop):
    """(kind, leg, state) of what the days of the payments come to."""
    (mine,) = connections_of(shop.engine, Psp.STRIPE)
    for (day,) in shop.rows("select distinct day from psp_records where kind = 'payment'"):
        assert reconcile_day(shop.engine, mine, shop.clock, day).skipped is None
    return shop.rows(f"select kind, leg, state {FOUND} order by id")


def repair(shop):
    found = shop.rows(f"select id {FOUND} and state = 'open'")
    with unit_of_work(shop.engine, shop.org.org_id) as connection:
        for (finding,) in found:
            review.request_repair(connection, finding, "key:test", shop.clock.now())
    made = dict(apply_wanted(shop.engine, shop.desk, shop.clock, shop.wall))
    states = shop.rows(f"select kind, leg, state, repair_state {FOUND}")
    shop.write(f"delete {FOUND}")
    return made, states


def test_what_the_psp_still_says_is_healed_and_what_it_does_not_is_told(books):
    shop = books
    a_dispute = shop.rows(
        "select object_id, payment_id from psp_records where kind = 'dispute' and status = 'lost'"
        " order by object_id limit 1"
    )[0]
    named = dict(zip(("dispute", "payment"), a_dispute, strict=True))

    # a dispute that no event told of: it is of a day long after its payment's
    shop.write("delete from findings where kind = 'dispute' and evidence ->> 'dispute' = :dispute",
               dispute=named["dispute"])  # fmt: skip
    kind = "dispute_not_reflected"
    assert look(shop) == [(kind, "ledger", "open")]
    assert repair(shop) == ({"applied": 1}, [(kind, "ledger", "fixed", "applied")])

    # a line that was never listed, and one of which a figure was misread
    shop.write("delete from settlement_lines where source_id = :dispute", dispute=named["dispute"])
    assert look(shop) == [(kind, "settlement", "open")]
    assert repair(shop) == ({"applied": 1}, [(kind, "settlement", "fixed", "applied")])
    shop.write("update settlement_lines set gross_minor = gross_minor + 7 where source_id = :id",
               id=named["payment"])  # fmt: skip
    assert look(shop) == [("amount", "settlement", "open")]
    assert repair(shop) == ({"applied": 1}, [("amount", "settlement", "fixed", "applied")])

    # the PSP's record of it was wrong; the ledger's is
    shop.write("update psp_records set amount_minor = amount_minor + 7 where object_id = :id",
               id=named["payment"])  # fmt: skip
    assert {one[0] for one in look(shop)} == {"amount"}
    _, states = repair(shop)
    assert {one[2:] for one in states} == {("fixed", "applied")}
    shop.write("update attempts set amount_minor = amount_minor + 7 where psp_payment_id = :id",
               id=named["payment"])  # fmt: skip
    assert look(shop) == [("amount", "ledger", "open")]
    assert repair(shop) == ({"applied": 1}, [("amount", "ledger", "fixed", "applied")])

    # of a payment that the PSP never had there is nothing to heal
    shop.write("update attempts set psp_payment_id = 'ch_nobody' where psp_payment_id = :id",
               id=named["payment"])  # fmt: skip
    missing = {("missing_here", "ledger", "open"), ("missing_there", "ledger", "open")}
    assert set(look(shop)) == missing
    made, states = repair(shop)
    assert (made, set(states)) == ({"failed": 2}, {(*one, "failed") for one in missing})
    ((why,),) = shop.rows("select distinct detail ->> 'why' from finding_events"
                          " where action = 'repair_failed'")  # fmt: skip
    assert "explain it, or accept it" in why
