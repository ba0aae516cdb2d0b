"""Random rules, as documents people could write, and random facts for them to look at."""

from hypothesis import strategies as st

from tinko_pipelines.core.failures.taxonomy import Category
from tinko_pipelines.core.rules.facts import RuleFacts

BIG = 2**63 - 1
AMOUNTS = st.sampled_from([0, 1, 99, 100, 101, 50_000, 2**31, 2**53 + 1, BIG - 1, BIG])
CURRENCIES = st.sampled_from(["INR", "USD", "JPY"])
PSPS = st.sampled_from(["stripe", "razorpay"])
METHODS = st.sampled_from(["card", "upi", "emandate"])
CATEGORIES = st.sampled_from([one.value for one in Category][:4])
# the same letters composed and not, outside the basic plane, and ones that lower() would change
CODES = st.sampled_from(
    ["card_declined", "CARD_DECLINED", "\u00e9", "e\u0301", "कम_शेष", "🪙", "a|b", "%_"]
)
TAGS = st.sampled_from(["vip", "VIP", "b2b", "\u0101", "a\u0304", "🪙", '","'])
COUNTRIES = st.sampled_from(["IN", "US", "DE"])
ATTEMPTS = st.sampled_from([1, 2, 3, 10_000])
DAYS = st.sampled_from([0, 1, 7, 3660])
MINUTES = st.sampled_from([0, 1, 359, 360, 540, 1319, 1320, 1439])
WEEKDAYS = st.sampled_from(["mon", "tue", "sat", "sun"])
TIMES = MINUTES.map(lambda one: f"{one // 60:02d}:{one % 60:02d}")
ZONES = st.sampled_from([{}, {"zone": "org"}, {"zone": "payer"}])

MISSING = st.booleans().map(lambda asked: {"is_missing": asked})


def equality(values):
    return (
        st.one_of(st.tuples(st.sampled_from(["eq", "ne"]), values).map(lambda pair: dict([pair])))
        | st.lists(values, min_size=1, max_size=4).map(lambda several: {"in": several})
        | MISSING
    )


def ordered(values, *, wraps=False):
    compared = st.tuples(st.sampled_from(["lt", "le", "gt", "ge"]), values)
    ends = st.tuples(values, values).map(lambda two: list(two) if wraps else sorted(two))
    return (
        equality(values)
        | compared.map(lambda pair: dict([pair]))
        | ends.map(lambda two: {"between": two})
    )


def beside(tests, more):
    """`tests` with the keys of `more` beside the operator."""
    return st.tuples(tests, more).map(lambda two: two[0] | two[1])


amount = st.tuples(ordered(AMOUNTS), CURRENCIES).map(
    lambda two: two[0] if "is_missing" in two[0] else two[0] | {"currency": two[1]}
)
leaves = st.one_of(
    *(
        st.tuples(st.just(name), test).map(lambda pair: dict([pair]))
        for name, test in {
            "amount": amount,
            "currency": equality(CURRENCIES),
            "psp": equality(PSPS),
            "method": equality(METHODS),
            "category": equality(CATEGORIES),
            "code": equality(CODES),
            "attempt": ordered(ATTEMPTS),
            "days_since_failure": ordered(DAYS),
            "customer_tags": TAGS.map(lambda word: {"contains": word}) | MISSING,
            "country": equality(COUNTRIES),
            "local_time": beside(ordered(TIMES, wraps=True), ZONES),
            "weekday": beside(equality(WEEKDAYS), ZONES),
        }.items()
    )
)
conditions = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4).map(lambda several: {"all": several})
        | st.lists(inner, min_size=1, max_size=4).map(lambda several: {"any": several})
        | inner.map(lambda one: {"not": one})
    ),
    max_leaves=8,
)
actions = st.one_of(
    TIMES.map(lambda one: {"do": "retry_at", "time": one}),
    st.integers(1, 200).map(lambda hours: {"do": "retry_in", "hours": hours}),
    st.just({"do": "next_window", "window": "paydays"}),
    st.just({"do": "ask_payer", "channels": ["sms", "email"]}),
    st.just({"do": "wait", "minutes": 90}),
    st.just({"do": "stop"}),
)
documents = st.fixed_dictionaries(
    {"when": conditions, "then": actions.map(lambda one: [one, {"do": "tag", "words": ["seen"]}])}
)


def maybe(values):
    return st.none() | values


facts = st.builds(
    RuleFacts,
    amount=maybe(AMOUNTS | st.integers(0, BIG)),
    currency=maybe(CURRENCIES),
    psp=maybe(PSPS),
    method=maybe(METHODS | st.just("")),
    category=maybe(CATEGORIES),
    code=maybe(CODES | st.text(max_size=3)),
    attempt=maybe(ATTEMPTS),
    days_since_failure=maybe(DAYS),
    customer_tags=st.lists(TAGS, max_size=3).map(tuple),
    country=maybe(COUNTRIES),
    org_time=maybe(MINUTES),
    org_weekday=maybe(st.integers(1, 7)),
    payer_time=maybe(MINUTES),
    payer_weekday=maybe(st.integers(1, 7)),
)
