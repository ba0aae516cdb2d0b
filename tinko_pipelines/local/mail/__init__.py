"""A sink for e-mail and SMS: it takes everything, keeps it in SQLite and shows it in a page."""
