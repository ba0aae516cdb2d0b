from itertools import product

import pytest

from tinko_pipelines.core.errors import InvalidTransition
from tinko_pipelines.core.ledger.states import (
    ATTEMPT_TRANSITIONS,
    CASE_TRANSITIONS,
    OBLIGATION_TRANSITIONS,
    AttemptState,
    CaseState,
    ObligationState,
    check,
    sources,
)

TABLES = [
    (ATTEMPT_TRANSITIONS, AttemptState),
    (OBLIGATION_TRANSITIONS, ObligationState),
    (CASE_TRANSITIONS, CaseState),
]


@pytest.mark.parametrize(("table", "states"), TABLES)
def test_every_state_is_in_its_table(table, states):
    missing = set(states) - set(table)
    assert not missing, f"no transitions are given for {sorted(missing)}"


@pytest.mark.parametrize(("table", "states"), TABLES)
def test_sources_and_check_read_the_same_table(table, states):
    for current, target in product(states, states):
        allowed = target in table[current]
        assert (current.value in sources(table, target)) is allowed
        if not allowed:
            with pytest.raises(InvalidTransition):
                check(table, current, target)
        else:
            check(table, current, target)


def test_what_keeps_money_safe_stands_in_the_tables():
    attempt, case = AttemptState, CaseState
    # an attempt that may have reached the PSP never goes back to be sent again
    reached = {attempt.SUBMITTED, attempt.UNKNOWN, attempt.PENDING}
    for state in reached:
        assert not ATTEMPT_TRANSITIONS[state] & {attempt.SCHEDULED, attempt.CLAIMED}
    # a late success wins over failure, and nothing follows a success
    assert attempt.SUCCEEDED in ATTEMPT_TRANSITIONS[attempt.FAILED]
    assert not ATTEMPT_TRANSITIONS[attempt.SUCCEEDED]
    # what ended without money may still be recovered
    for state in (case.EXHAUSTED, case.CANCELLED):
        assert CASE_TRANSITIONS[state] == {case.RECOVERED}
