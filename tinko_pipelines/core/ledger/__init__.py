"""What is owed and every try to collect it: obligations, doors, attempts, and their states."""
