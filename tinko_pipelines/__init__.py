"""Tinko Recovery: finds every failed payment, understands it, and gets the money back."""
