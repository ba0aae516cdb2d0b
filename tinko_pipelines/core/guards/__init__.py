"""Limits of networks, schemes and law that no policy may override: data, and its evaluation."""
