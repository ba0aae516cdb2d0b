from tinko_pipelines.core.failures.taxonomy import (
    ACTORS,
    ADVICE,
    CATEGORIES,
    Category,
    PayerReason,
    RetryAdvice,
    WhoActs,
    payer_reason,
)


def test_every_member_of_every_enum_is_described():
    for enum, facts in ((Category, CATEGORIES), (RetryAdvice, ADVICE), (WhoActs, ACTORS)):
        assert [member for member in enum if member not in facts] == [], enum
        labels = [fact if isinstance(fact, str) else fact.label for fact in facts.values()]
        assert all(labels)
        assert len(set(labels)) == len(labels)


def test_the_words_are_those_the_other_parts_store():
    assert " ".join(Category) == (
        "insufficient_funds limit_exceeded issuer_unavailable authentication_required "
        "expired_instrument invalid_instrument lost_or_stolen fraud_risk mandate_problem "
        "payer_cancelled merchant_fault processing_error do_not_honor outcome_unknown unknown"
    )
    assert " ".join(RetryAdvice) == "never timed cautious payer_action poll"
    assert " ".join(WhoActs) == "merchant payer psp nobody"


def test_a_payer_is_not_told_of_fraud():
    generic = payer_reason(Category.DO_NOT_HONOR)
    assert generic == "declined"
    for category in (Category.FRAUD_RISK, Category.LOST_OR_STOLEN, Category.UNKNOWN):
        assert payer_reason(category) is generic
    assert payer_reason(Category.INSUFFICIENT_FUNDS) is PayerReason.FUNDS
    assert {payer_reason(category) for category in Category} == set(PayerReason)
