"""What the PSPs say, what the ledger says and what was settled, held against each other."""
