"""What the console and partners ask of an organisation as a whole."""
