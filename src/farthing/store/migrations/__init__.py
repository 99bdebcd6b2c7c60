"""Forward migrations, applied in the order of their numbers on both databases."""
