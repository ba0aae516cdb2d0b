"""The suites, as data: which frame is held against what. YAML beside this file."""
