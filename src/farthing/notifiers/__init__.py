"""Ways to tell somebody something: one file each."""
