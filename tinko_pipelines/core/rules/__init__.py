"""A merchant's rules: a typed condition tree and the actions that follow where it holds."""
