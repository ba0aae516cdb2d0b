"""Repairs are applied on request and never otherwise; money goes back once, whoever dies."""

from dataclasses import replace

import pytest

from tests.contract.adapter_stages import AMOUNT
from tests.integration.recovery.interleaving import at, refund_as_proposed
from tests.integration.recovery.money_stage import Killed, pay_page
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.errors import Conflict
from tinko_pipelines.core.ingestion.records import ingest_records
from tinko_pipelines.core.reconciliation import review
from tinko_pipelines.core.reconciliation.repairs import apply_wanted
from tinko_pipelines.core.reconciliation.run import connections_of, reconcile_day


@pytest.fixture
def twice(razored):
    """A debt that was collected twice: the shop and the finding of it."""
    debt = razored.failed_debt()
    razored.think()
    razored.write("delete from attempts where state = 'scheduled'")
    razored.plan(debt)
    razored.charge(at("sent", lambda: pay_page(razored.page_of(debt))))
    razored.hear(days=6)
    assert razored.taken() == 2 * AMOUNT
    ((finding,),) = razored.rows("select id from findings where kind = 'double_collected'")
    return razored, finding


def request(shop, finding):
    with unit_of_work(shop.database.app, shop.org.org_id) as connection:
        return review.request_repair(connection, finding, "key:test", shop.clock.now())


def repair(shop):
    return dict(apply_wanted(shop.engine, shop.desk, shop.clock, shop.wall))


def story(shop, finding):
    return [
        action
        for (action,) in shop.rows(
            "select action from finding_events where finding_id = :id and action <> 'state'"
            " order by seq",
            id=finding,
        )
    ]


class DiesAfter:
    """An adapter under which the process dies right after a call."""

    def __init__(self, adapter, method):
        self._adapter, self._method = adapter, method

    def __getattr__(self, name):
        call = getattr(self._adapter, name)
        if name != self._method:
            return call

        def and_die(*given):
            call(*given)
            raise Killed(name)

        return and_die


def test_money_goes_back_once_on_request_though_the_process_dies(twice):
    shop, finding = twice
    assert repair(shop) == {}
    assert shop.taken() == 2 * AMOUNT
    request(shop, finding)
    request(shop, finding)
    whole = shop.desk.seats[shop.connection_id]
    shop.desk.seats[shop.connection_id] = replace(whole, adapter=DiesAfter(whole.adapter, "refund"))
    with pytest.raises(Killed):
        repair(shop)
    assert shop.taken() == AMOUNT
    shop.desk.seats[shop.connection_id] = whole
    assert repair(shop) == {"applied": 1}
    assert repair(shop) == {}
    assert shop.taken() == AMOUNT
    assert story(shop, finding) == ["repair_requested", "repair_sent", "repair_applied"]
    assert shop.rows("select state, repair_state, repair_by from findings where id = :id",
                     id=finding) == [("fixed", "applied", "key:test")]  # fmt: skip
    shop.hear()
    assert shop.rows("select state, reversed_minor from cases") == [("recovered", 0)]
    with pytest.raises(Conflict):
        request(shop, finding)


def test_what_somebody_gave_back_meanwhile_is_not_given_back_again(twice):
    shop, finding = twice
    request(shop, finding)
    refund_as_proposed(shop)
    assert repair(shop) == {"failed": 1}
    assert shop.taken() == AMOUNT
    assert story(shop, finding)[-1] == "repair_failed"


def test_a_psp_that_does_not_answer_is_asked_again(twice):
    shop, finding = twice
    request(shop, finding)
    shop.faults(outage=True)
    assert repair(shop) == {"later": 1}
    shop.faults()
    assert repair(shop) == {"applied": 1}
    assert shop.taken() == AMOUNT


def test_a_payment_that_is_missing_here_is_healed_on_request(razored):
    shop = razored
    shop.faults(drop_webhooks={"rate": 1.0})
    shop.stage.failing_debt(method="emandate", notify=False)
    shop.hear(days=1)
    assert shop.rows("select id from attempts") == []
    (mine,) = connections_of(shop.engine, shop.stage.psp)
    # the records are listed; what was put into the inbox with them is lost again
    ingest_records(shop.engine, shop.seat, shop.clock, shop.clock.now().date(), lookback_days=12)
    shop.write("delete from inbox_events")
    shop.write("delete from inbox_keys")
    days = [one for (one,) in shop.rows("select distinct day from psp_records order by day")]
    for one in days:
        shop.write("update ingested_days set state = 'closed' where day = :day", day=one)
        assert reconcile_day(shop.engine, mine, shop.clock, one).skipped is None
    ((finding, kind),) = shop.rows("select id, kind from findings")
    assert kind == "missing_here"
    request(shop, finding)
    assert repair(shop) == {"applied": 1}
    shop.work()
    for one in days:
        reconcile_day(shop.engine, mine, shop.clock, one)
    assert shop.rows("select state from findings") == [("fixed",)]
