"""What the tests of the money rules share."""

# what a retry is told whose debt was paid meanwhile
PAID = ("obligation.paid", "case.recovered")


def at(label, action):
    """A point of the charger at which something happens."""
    return lambda here: action() if here == label else None


def refund_as_proposed(shop):
    """Do what the finding proposes, so that the PSP's own books are even again."""
    ((proposal,),) = shop.rows("select proposal from findings where kind = 'double_collected'")
    refund(shop, proposal["refund"], proposal["amount_minor"])
    return proposal


def refund(shop, payment_id, amount):
    """The merchant refunds through the PSP's own API."""
    if shop.stage.psp.value == "razorpay":
        shop.stage.sdk.payment.refund(payment_id, {"amount": amount})
    else:
        shop.stage.sdk.v1.refunds.create({"charge": payment_id, "amount": amount})
