"""A ledger of any size, made inside ClickHouse: 50 organisations over one year.

A debt has one to four tries: two in five are paid at once, the others fail first, and of those
two in three come back. The longest tried ask their payer, rules fire on some, and what was paid
is settled. Versions rise with time, as the sink's do.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from clickhouse_connect.driver.client import Client

from tinko_pipelines.core.analytics.relations import RELATIONS

ORGS, DAYS = 50, 365
PIECE = 1_000_000  # debts made at once
START = datetime(2025, 9, 1, tzinfo=UTC)
CURRENCY = "INR"
END = (START + timedelta(days=DAYS)).date()
# seconds of the world's year are its Postgres transactions
LAST = DAYS * 86_400

# the halves of a UUIDv7 at `at` whose random bits are a hash of `seed`
_ID = """reinterpret(
    bitOr(
        bitShiftLeft(toUInt128(bitOr(bitAnd(sipHash64({seed}, 1), 4611686018427387903),
            9223372036854775808)), 64),
        toUInt128(bitOr(bitShiftLeft(toUInt64({at}) * 1000, 16),
            bitOr(28672, bitAnd(sipHash64({seed}, 2), 4095))))
    ), 'UUID')"""


_ORG_ID = f"toUUID(concat('00000000-0000-7000-8000-', leftPad(toString({{}} % {ORGS}), 12, '0')))"


def org(number: int) -> str:
    """The id of one of the organisations."""
    return f"00000000-0000-7000-8000-{number:012d}"


def _id(seed: str, at: str) -> str:
    return _ID.format(seed=seed, at=at)


def _of_org(number: str, salt: int, nth: str = "0") -> str:
    """The id of something that an organisation has a few of."""
    return _id(f"({number} % {ORGS}) * 4 + {nth} + {salt}000", str(int(START.timestamp())))


# one row per debt: when it was made, how many tries it had and whether the last of them succeeded
_DEBTS = f"""
    select
        number as o,
        {_ORG_ID.format("o")} as org_id,
        toUInt64({int(START.timestamp())} + intDiv(o * {LAST - 20 * 86_400}, {{debts}})) as opened,
        sipHash64(o) as h,
        h % 10 as kind,
        multiIf(kind < 4, 1, kind < 7, 2, kind < 9, 3, 4) as tries,
        kind in (0, 1, 2, 3, 4, 5, 7) or (kind = 9 and bitTest(h, 40)) as paid,
        {_id("o", "opened")} as obligation_id,
        {_id("o + 1000000007", "opened")} as case_id,
        {_of_org("o", 77)} as connection_id,
        {_of_org("o", 177, "bitTest(h, 42)")} as policy_version_id,
        concat(toString({_of_org("o", 377, "h % 3")}), ':v1') as rule,
        {_id("o + 3000000019", "opened")} as message_id,
        if(bitTest(h, 21), 'email', 'sms') as channel,
        if(bitTest(h, 20), 'stripe', 'razorpay') as psp,
        ['card', 'upi', 'emandate'][1 + intDiv(h, 10) % 3] as method,
        toInt64(10000 + intDiv(h, 100) % 500000) as due,
        opened + (tries - 1) * 172800 + 3600 as ended
    from numbers({{first}}, {{count}})
"""
_AT = "toDateTime64({}, 6, 'UTC')"

_TABLES = {
    "obligations": f"""(org_id, id, connection_id, psp, state, due_minor, paid_minor, currency,
        payer_country, has_mandate, created_at, updated_at, row_version)
    select org_id, obligation_id, connection_id, psp, if(paid, 'paid', 'open'), due,
        if(paid, due, 0), '{CURRENCY}', 'IN', true, {_AT.format("opened")}, {_AT.format("ended")},
        ended - {int(START.timestamp())}
    from ({_DEBTS})""",
    "attempts": f"""(org_id, id, connection_id, psp, obligation_id, actor, state, amount_minor,
        currency, method, network, occurred_at, finished_at, created_at, updated_at, row_version)
    select org_id, {_id("o * 4 + k", "at")}, connection_id, psp, obligation_id,
        ['merchant', 'tinko', 'tinko', 'payer'][k + 1],
        if(paid and k = tries - 1, 'succeeded', 'failed'), due, '{CURRENCY}', method,
        if(method = 'card', 'visa', ''), {_AT.format("at")}, {_AT.format("at")}, {_AT.format("at")},
        {_AT.format("at")}, at - {int(START.timestamp())}
    from (select *, k, opened + k * 172800 + intDiv(h, 7) % 3600 as at
        from ({_DEBTS}) array join range(tries) as k)""",
    "failures": f"""(org_id, attempt_id, obligation_id, psp, category, retry_advice, hard,
        who_acts, confidence, decided_by, code, reason, network, network_decline_code, failed_at,
        created_at, row_version)
    select org_id, {_id("o * 4 + k", "at")}, obligation_id, psp,
        ['insufficient_funds', 'do_not_honor', 'issuer_unavailable', 'expired_instrument',
            'authentication_required'][1 + c % 5],
        ['timed', 'cautious', 'timed', 'payer_action', 'payer_action'][1 + c % 5], false,
        'tinko', 0.9, concat(psp, ':', toString(c)), concat('code_', toString(c)), '',
        if(method = 'card', 'visa', ''), toString(50 + c), {_AT.format("at")}, {_AT.format("at")},
        at - {int(START.timestamp())}
    from (select *, k, opened + k * 172800 + intDiv(h, 7) % 3600 as at, intDiv(h, 13 + k) % 25 as c
        from ({_DEBTS}) array join range(tries) as k)
    where not (paid and k = tries - 1)""",
    "cases": f"""(org_id, id, connection_id, obligation_id, policy_version_id, state, recovered_by,
        recovered_minor, currency, opened_at, closed_at, updated_at, row_version)
    select org_id, case_id, connection_id, obligation_id, policy_version_id,
        multiIf(paid, 'recovered', bitTest(h, 41), 'exhausted', 'retrying'),
        multiIf(not paid, '', kind = 9, 'payer', 'retry'), if(paid, due, 0), '{CURRENCY}',
        {_AT.format("opened")},
        if(paid, {_AT.format("ended")}, null), {_AT.format("ended")},
        ended - {int(START.timestamp())}
    from ({_DEBTS}) where kind >= 4""",
    "decisions": f"""(org_id, id, case_id, obligation_id, policy_version_id, action, reason, rule,
        decided_at, row_version)
    select org_id, {_id("o + 2000000011", "opened")}, case_id, obligation_id, policy_version_id,
        'retry', 'insufficient_funds', if(h % 4 = 0, rule, ''), {_AT.format("opened")},
        opened - {int(START.timestamp())}
    from ({_DEBTS}) where kind >= 4""",
    "outbox": f"""(org_id, id, case_id, obligation_id, message, channel, language, state, tries,
        due_at, sent_at, created_at, row_version)
    select org_id, message_id, case_id, obligation_id, 'pay_link', channel, 'en', 'sent', 1,
        {_AT.format("opened")}, {_AT.format("opened")}, {_AT.format("opened")},
        opened - {int(START.timestamp())}
    from ({_DEBTS}) where kind >= 8""",
    "notification_deliveries": f"""(org_id, id, outbox_id, channel, result, at, row_version)
    select org_id, {_id("o + 4000000007", "opened")}, message_id, channel,
        if(bitTest(h, 43), 'refused', 'accepted'), {_AT.format("opened")},
        opened - {int(START.timestamp())}
    from ({_DEBTS}) where kind >= 8""",
    "settlement_lines": f"""(org_id, id, connection_id, psp, kind, source_id, payment_id, payout_id,
        payout_status, gross_minor, fee_minor, tax_minor, net_minor, currency, on_hold, created_at,
        settled_at, row_version)
    select org_id, concat(toString(connection_id), '/txn_', toString(o)), connection_id, psp,
        'payment', concat('pay_', toString(o)), concat('pay_', toString(o)), 'po', 'paid', due,
        intDiv(due, 50), intDiv(due, 300), due - intDiv(due, 50), '{CURRENCY}', false,
        {_AT.format("ended")}, {_AT.format("ended + 172800")}, ended - {int(START.timestamp())}
    from ({_DEBTS}) where paid""",
}
# what does not grow with the tries: (columns, one row for each of `number`, how many)
_FEW = {
    "payouts": (
        f"""(org_id, id, connection_id, psp, status, amount_minor, currency, itemised, created_at,
            row_version)
        select {_ORG_ID.format("number")}, concat('po_', toString(number)),
            {_of_org("number", 77)}, 'stripe', 'paid', 100000, '{CURRENCY}', true,
            toDateTime64({int(START.timestamp())} + intDiv(number, {ORGS}) * 86400, 6, 'UTC'), 1""",
        ORGS * DAYS,
    ),
    "policy_versions": (
        f"""(org_id, id, name, version, created_at, row_version)
        select {_ORG_ID.format("number")},
            {_of_org("number", 177, f"intDiv(number, {ORGS})")}, 'default',
            1 + intDiv(number, {ORGS}), toDateTime64({int(START.timestamp())}, 6, 'UTC'), 1""",
        ORGS * 2,
    ),
    "rule_versions": (
        f"""(org_id, id, rule_id, version, name, deleted, created_at, row_version)
        select {_ORG_ID.format("number")},
            {_of_org("number", 477, f"intDiv(number, {ORGS})")},
            {_of_org("number", 377, f"intDiv(number, {ORGS})")}, 1,
            concat('rule ', toString(intDiv(number, {ORGS}))), false,
            toDateTime64({int(START.timestamp())}, 6, 'UTC'), 1""",
        ORGS * 3,
    ),
}


def fill(client: Client, attempts: int) -> None:
    """Make about `attempts` tries of half as many debts, and say that all of it was carried."""
    debts = attempts // 2
    for first in range(0, debts, PIECE):
        count = min(PIECE, debts - first)
        for table, rows in _TABLES.items():
            sql = rows.replace("{debts}", str(debts)).replace("{first}", str(first))
            client.command(
                f"insert into tinko.{table} {sql.replace('{count}', str(count))}"
                " settings max_partitions_per_insert_block = 0, max_insert_threads = 2"
            )
    for table, (rows, count) in _FEW.items():
        client.command(
            f"insert into tinko.{table} {rows} from numbers({count})"
            " settings max_partitions_per_insert_block = 0"
        )
    client.insert(
        "organisations",
        [(org(number), f"org-{number}", f"Organisation {number}", "Asia/Kolkata", 1)
         for number in range(ORGS)],
        column_names=["org_id", "slug", "name", "timezone", "row_version"],
        database="tinko",
    )  # fmt: skip
    carried(client, LAST)


def carried(client: Client, position: int) -> None:
    """Say that the sink has come to `position`."""
    client.insert(
        "sink_positions",
        [(relation.name, position, 0, datetime.now(UTC)) for relation in RELATIONS],
        column_names=["relation", "position", "row_count", "carried_at"],
        database="tinko",
    )


def an_hour(client: Client, attempts: int, position: int) -> int:
    """One hour's changes arrive: its share of tries, on debts of the last weeks and some old ones.

    Returns how many tries changed.
    """
    share = max(attempts // (DAYS * 24), 50)
    changed = (
        "select obligation_id from tinko.attempts where cityHash64(obligation_id) %"
        f" {max(attempts // share // 12, 1)} = 0 and occurred_at >= '{END - timedelta(days=50)}'"
        f" union all select obligation_id from tinko.attempts where cityHash64(obligation_id) %"
        f" {max(attempts // share * 20, 1)} = 0"
    )
    settled = f"cityHash64(id) % {24 * 7} = 0 and created_at >= '{END - timedelta(days=7)}'"
    of_debts = ("attempts", "cases", "outbox")
    for table, moved in (
        *((table, f"obligation_id in ({changed})") for table in of_debts),
        ("settlement_lines", settled),
    ):
        client.command(
            f"insert into tinko.{table} select * replace ({position} as row_version)"
            f" from tinko.{table} final where {moved}"
            " settings max_partitions_per_insert_block = 0"
        )
    carried(client, position + 1)
    return int(
        client.query(
            f"select count() from tinko.attempts where row_version = {position}"
        ).result_rows[0][0]
    )


def orgs_in_turn() -> Iterator[str]:
    """Every organisation's id, again and again."""
    while True:
        yield from (org(number) for number in range(ORGS))


def last_days(days: int) -> date:
    return END - timedelta(days=days)
