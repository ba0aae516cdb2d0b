"""The HTTP service: webhooks in, the console's and partners' calls, and the payer's page."""
