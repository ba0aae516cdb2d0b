"""Rules: keeping them, explaining them, and trying a draft on the past."""
