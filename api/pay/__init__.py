"""The payer's page: one link, one language, one button, and the PSP's own page behind it."""
