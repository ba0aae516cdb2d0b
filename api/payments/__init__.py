"""Cases and obligations: what the API tells of payments."""
