"""The payment service providers: what every adapter does, and how each one does it."""
