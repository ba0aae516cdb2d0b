"""The quarantine: what was set aside of an organisation's data, and letting it back."""
