"""The inbox: each PSP event stored once, then normalised."""
