"""Cases, policies, decisions, and the charges that follow from them."""
