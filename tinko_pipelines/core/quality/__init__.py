"""Whether what we were told can be: checks before a load, and the quarantine of what fails them."""
