"""The embedded stack: every engine the platform needs, out of PyPI wheels, under one supervisor."""
